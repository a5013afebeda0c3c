//! From bytes to a [`Tool`]: compile, link, find what it offers.

use std::path::PathBuf;
use std::sync::Arc;

use thoth_engine::{Compiler, Source};
use thoth_grants::Private;
use thoth_transport::Origin;
use thoth_values::Docs;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use super::admission::{admit, missing};
use super::grant::{Grant, Powers};
use super::provider::{self, bindings::ToolProviderPre};
use super::state::ToolState;
use super::{Definition, Entry, Loaded, Tool, inert, one_line};
use crate::error::Error;

/// What loading needs of the process.
#[derive(Clone)]
pub(crate) struct Loader {
    pub(crate) engine: Engine,
    pub(crate) compiler: Compiler,
    pub(crate) linker: Arc<Linker<ToolState>>,
    pub(crate) slots: Arc<Semaphore>,
    /// Authorities that tools' servers may be signed by besides the public web's.
    pub(crate) ca_file: Option<PathBuf>,
    /// Where decisions come from, if that is a server.
    pub(crate) enforcer: Option<Origin>,
    /// What no granted folder may give away.
    pub(crate) private: Private,
}

impl Loader {
    /// Compiles and links a component. Blocks for as long as that takes: milliseconds to seconds.
    /// Nothing of it is instantiated, so a provider's tools are not known yet.
    pub(crate) fn load(&self, name: &str, bytes: &[u8], mut grant: Grant) -> Result<Tool, Error> {
        admit(name, bytes)?;
        grant.private.merge(&self.private);
        let mut folders = grant.grants.files.iter();
        if let Some(exposed) = folders.find_map(|folder| grant.private.exposed_by(folder)) {
            return Err(Error::Setting {
                what: "a granted folder".into(),
                why: exposed.to_string(),
            });
        }
        let fail = |why: String| Error::Load {
            name: name.into(),
            why,
        };
        let failed = |error: wasmtime::Error| fail(one_line(&error));
        let compiled = self
            .compiler
            .component(bytes)
            .map_err(|error| fail(compile_error(&error.to_string())))?;
        let component = compiled.component;
        let mut notices = Vec::new();
        if let Source::Rebuilt { why, .. } = &compiled.source {
            notices.push(format!("compiled `{name}` again: {why}"));
        }
        notices.extend(compiled.not_kept);
        let ty = component.component_type();
        let imports = ty
            .imports(&self.engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        let provides = ty
            .exports(&self.engine)
            .any(|(export, _)| export == provider::INTERFACE);
        let missing = missing(&ty, &self.engine);
        if !missing.is_empty() {
            return Err(fail(format!(
                "it imports what no tool is given: {}; only WASI 0.2 is there",
                inert(&missing.join(", "), 400)
            )));
        }
        let pre = self.linker.instantiate_pre(&component).map_err(failed)?;
        let (entry, refused) = if provides {
            (
                Entry::Provider(ToolProviderPre::new(pre).map_err(failed)?),
                Vec::new(),
            )
        } else {
            let listing = thoth_values::list(&ty, &self.engine, &Docs::read(bytes));
            let mut functions = Vec::with_capacity(listing.functions.len());
            for function in listing.functions {
                let export = &function.export;
                let interface = export
                    .interface
                    .as_ref()
                    .and_then(|interface| component.get_export_index(None, interface));
                let index = component
                    .get_export_index(interface.as_ref(), &export.function)
                    .ok_or_else(|| {
                        fail(format!(
                            "its export `{}` is not found again",
                            export.function
                        ))
                    })?;
                functions.push((function, index));
            }
            (Entry::Functions { pre, functions }, listing.refused)
        };
        let facts = serde_json::json!({
            "limits": grant.limits.to_json(),
            "sha256": compiled.sha256,
        });
        let mut loaded = Loaded {
            name: name.into(),
            facts: thoth_core::json::canonical(&facts).into(),
            sha256: compiled.sha256,
            notices,
            size: bytes.len(),
            imports,
            definitions: Vec::new(),
            by_name: Default::default(),
            refused,
            entry,
            prefix: grant.prefix.clone(),
            annotations: grant.annotations.clone(),
            engine: self.engine.clone(),
            grants: grant.grants.clone(),
            powers: Powers::new(grant, self.ca_file.as_deref(), self.enforcer.clone())?,
            slots: Arc::clone(&self.slots),
        };
        if let Entry::Functions { functions, .. } = &loaded.entry {
            let definitions = functions.iter().map(|(function, _)| {
                let mut definition = Definition::of(function);
                definition.name = loaded.offered(&definition.name)?;
                Ok(definition)
            });
            let definitions: Result<_, String> = definitions.collect();
            let defined = definitions.and_then(|definitions| loaded.define(definitions));
            defined.map_err(fail)?;
        }
        Ok(Tool(Arc::new(loaded)))
    }
}

impl Loaded {
    /// The name by which one of its tools is offered.
    pub(super) fn offered(&self, own: &str) -> Result<String, String> {
        let Some(prefix) = &self.prefix else {
            return Ok(own.to_owned());
        };
        let name = format!("{prefix}_{own}");
        if name.len() > thoth_values::limits::NAME {
            return Err(format!(
                "with the prefix `{prefix}`, the name of its tool `{own}` is too long: take a shorter one"
            ));
        }
        Ok(name)
    }

    /// The component's own name for what is offered by this one.
    pub(super) fn own<'a>(&self, offered: &'a str) -> &'a str {
        let prefix = self.prefix.as_deref();
        let own = prefix.and_then(|prefix| offered.strip_prefix(prefix)?.strip_prefix('_'));
        own.unwrap_or(offered)
    }

    /// Takes what it offers, and adds what its operator says about that.
    pub(super) fn define(&mut self, mut definitions: Vec<Definition>) -> Result<(), String> {
        let names: Vec<&str> = definitions.iter().map(|tool| tool.name.as_str()).collect();
        if let Some((name, line)) = self.annotations.unknown(&names) {
            return Err(format!(
                "line {line} of the configuration names its function `{}`, and it has none of that \
                 name; there is: {}",
                inert(name, 80),
                inert(&names.join(", "), 2_000),
            ));
        }
        for definition in &mut definitions {
            definition.annotations = self.annotations.of(&definition.name);
        }
        self.by_name = definitions
            .iter()
            .enumerate()
            .map(|(at, definition)| (definition.name.clone(), at))
            .collect();
        self.definitions = definitions;
        Ok(())
    }
}

/// Runs what blocks on a thread for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => Err(Error::Setting {
            what: "loading".into(),
            why: format!("it was stopped: {stopped}"),
        }),
    }
}

/// The compiler's message, with the next step where it is about a feature that is off.
fn compile_error(message: &str) -> String {
    if message.contains("component model async") {
        return format!(
            "{message}; streams, futures and async functions (WASI 0.3) are off here: build it for WASI 0.2"
        );
    }
    message.to_owned()
}
