//! A loaded tool component: what it offers, and how one call of it is run.
//!
//! Everything that can be done once is done at load: compiling, linking, finding the functions.

mod admission;
mod call;
mod definition;
mod effects;
mod egress;
mod files;
mod grant;
mod inert;
mod keep;
mod limits;
mod load;
mod mask;
mod output;
mod provider;
mod state;
mod usage;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use thoth_grants::{Grants, ToolAnnotations};
use thoth_values::{Function, Refused};
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{ComponentExportIndex, InstancePre};

pub use self::admission::COMPONENT_MAX;
pub(crate) use self::admission::read;
pub use self::definition::Definition;
pub(crate) use self::effects::{Act, Effect, Effects, Later};
pub use self::grant::Grant;
use self::grant::Powers;
pub use self::inert::{inert, is_hidden};
pub(crate) use self::keep::Keeper;
pub use self::limits::Limits;
pub(crate) use self::load::{Loader, blocking};
pub(crate) use self::provider::INTERFACE as PROVIDER;
use self::provider::bindings::ToolProviderPre;
use self::state::ToolState;
pub(crate) use self::state::{Surroundings, linker};
pub use self::usage::{Traces, Usage};

/// An untrusted component, compiled and linked once, ready for calls. Cheap to clone.
#[derive(Clone)]
pub struct Tool(Arc<Loaded>);

struct Loaded {
    name: String,
    sha256: String,
    /// Its digest and its limits, canonical JSON for the log.
    facts: Arc<str>,
    notices: Vec<String>,
    size: usize,
    imports: Vec<String>,
    definitions: Vec<Definition>,
    by_name: HashMap<String, usize>,
    refused: Vec<Refused>,
    entry: Entry,
    prefix: Option<String>,
    annotations: ToolAnnotations,
    engine: Engine,
    grants: Grants,
    powers: Powers,
    slots: Arc<Semaphore>,
}

/// How a component is entered.
enum Entry {
    /// By its own functions, in the order of the definitions.
    Functions {
        pre: InstancePre<ToolState>,
        functions: Vec<(Function, ComponentExportIndex)>,
    },
    /// By `thoth:governance/tool`, which it exports itself.
    Provider(ToolProviderPre<ToolState>),
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool")
            .field("name", &self.0.name)
            .field("sha256", &self.0.sha256)
            .finish_non_exhaustive()
    }
}

impl Tool {
    /// The name it was loaded by: its file's path, or what the embedder called it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// SHA-256 of the component's bytes, in lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// What an operator should know about how it was loaded: a cache entry that was not to be
    /// trusted, for instance. Usually empty.
    pub fn notices(&self) -> &[String] {
        &self.0.notices
    }

    /// The component's size in bytes.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// What the component imports: all that it can ever reach for.
    pub fn imports(&self) -> &[String] {
        &self.0.imports
    }

    /// The tools it offers, in the order in which it declares them.
    pub fn definitions(&self) -> &[Definition] {
        &self.0.definitions
    }

    /// Whether it exports `thoth:governance/tool` and says itself, at run time, what it offers.
    pub fn is_provider(&self) -> bool {
        matches!(self.0.entry, Entry::Provider(_))
    }

    /// Exports that cannot be offered, with the reason.
    pub fn refused(&self) -> &[Refused] {
        &self.0.refused
    }

    /// Whether the arguments fit the tool's parameters. A provider checks its own.
    ///
    /// # Errors
    /// Where they do not fit, and what was expected there.
    pub fn check(&self, name: &str, arguments: &Value) -> Result<(), String> {
        let at = self.position(name).ok_or_else(|| self.unknown(name))?;
        match &self.0.entry {
            Entry::Provider(_) if arguments.is_object() => Ok(()),
            Entry::Provider(_) => Err("arguments: expected an object".into()),
            Entry::Functions { functions, .. } => match functions.get(at) {
                Some((function, _)) => function
                    .check(arguments)
                    .map_err(|misfit| misfit.to_string()),
                None => Err(self.unknown(name)),
            },
        }
    }

    /// What it is granted.
    pub fn grants(&self) -> &Grants {
        &self.0.grants
    }

    /// What the log says of it with every call: its digest and its limits, canonical JSON.
    pub(crate) fn facts(&self) -> &Arc<str> {
        &self.0.facts
    }

    /// What the log keeps of its arguments and results.
    pub(crate) fn keeper(&self) -> &Keeper {
        &self.0.powers.keeper
    }

    /// The time that one call of it may take.
    pub(crate) fn time(&self) -> Duration {
        self.0.powers.limits.time
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.0.by_name.get(name).copied()
    }

    fn unknown(&self, name: &str) -> String {
        let known: Vec<&str> = self
            .definitions()
            .iter()
            .map(|tool| tool.name.as_str())
            .collect();
        format!(
            "no tool `{}`; there is: {}",
            inert(name, 80),
            known.join(", ")
        )
    }
}

/// An engine error as one line: the chain's messages, without its back trace.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        let first = text.lines().next().unwrap_or_default().trim().to_owned();
        // It announces the lines that are left out.
        let is_heading = first.starts_with("error while executing at wasm backtrace");
        if !first.is_empty() && !is_heading && !parts.contains(&first) {
            parts.push(first);
        }
    }
    inert(&parts.join(": "), 500)
}
