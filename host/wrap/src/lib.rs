//! Makes a governed component of a component, for any host of WASI 0.2: the same exports, and a
//! governor inside that is asked before each call of a function.
//!
//! ```text
//! caller ──▶ adapter ──check──▶ governor ──wasi:http──▶ enforcer
//!               │ allowed
//!               └──▶ the component, as it was
//! ```
//!
//! Nothing is compiled here. The adapter is a core module that interprets a table of types
//! (`guest/adapter`, built from this workspace and embedded); what is added to it are that table and a
//! trampoline for each function. The component itself goes inside as it is, to the byte.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod compose;
mod denial;
mod encode;
mod error;
mod http;
mod islands;
mod mixed;
mod plain;
mod provider;
mod relay;
mod seal;
mod sources;
mod splice;
mod surface;
mod types;
mod world;

use wasmparser::{ComponentTypeRef, Parser, Payload};
use wit_parser::{Resolve, WorldId};

use compose::{Composition, Part};
pub use denial::{Answer, Denial, ErrorMap, error_map};
pub use error::Error;
pub use http::{Fronted, Kind, front};
pub use seal::{Digest, Front, Integrity, Refusal, Seal, seal, verify};
use surface::{Exported, Governor, Surface};
use types::Types;

const ADAPTER: &[u8] = include_bytes!(env!("THOTH_ADAPTER_WASM"));

/// How a component is wrapped.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What functions return when they are refused, where that should not be guessed.
    pub errors: ErrorMap,
    /// Names of the environment that the component may see. Without any it sees an empty one: the
    /// governor has its configuration, and its key, in the environment of both.
    pub keep_env: Vec<String>,
}

/// A governed component, and what is to be known about it.
#[derive(Clone, Debug)]
pub struct Wrapped {
    /// The component.
    pub bytes: Vec<u8>,
    /// Its functions; each is governed.
    pub functions: Vec<Governed>,
    /// What the component inside imports, and therefore still reaches for in a host.
    pub reaches: Vec<String>,
    /// Whether code of the component runs when it is instantiated, which is before any check.
    pub runs_at_start: bool,
    /// What the whole asks of a host.
    pub imports: Vec<String>,
    /// What the component says about itself.
    pub seal: Seal,
}

/// A function that is governed.
#[derive(Clone, Debug, PartialEq)]
pub struct Governed {
    /// Its name as a tool, by which policies know it.
    pub name: String,
    /// Where it is exported.
    pub export: String,
    /// What its caller is told when a call is refused.
    pub denial: Denial,
}

/// Wraps a component with a portable governor. The same input gives the same bytes.
///
/// # Errors
/// See [`Error`]. A component is wrapped as a whole or not at all.
pub fn wrap(component: &[u8], governor: &[u8], options: &Options) -> Result<Wrapped, Error> {
    let types = Governor::of(governor)?;
    let types = types
        .types
        .iter()
        .map(|id| provider::blank(&types.resolve, *id));
    let types = types.collect::<Result<Vec<_>, _>>()?;
    let mut surface = Surface::of(component)?;
    let denials = denial::denials(&surface.resolve, &surface.functions, &options.errors)?;
    let reaches = surface.reaches();
    let environment = provider::environment(&surface, &options.keep_env)?;
    let world = world::adapter(&mut surface.resolve, surface.world)?;
    let adapter = adapter(&surface.resolve, world, &surface.functions, &denials)?;

    let mut bytes = compose(component, governor, types, adapter, environment)?;
    let functions: Vec<Governed> = surface
        .functions
        .into_iter()
        .zip(denials)
        .map(|(function, denial)| Governed {
            name: function.tool,
            export: function.export.to_string(),
            denial,
        })
        .collect();
    let refusals = functions
        .iter()
        .filter_map(|function| match &function.denial {
            Denial::Returns { error, .. } => {
                let error = error.clone();
                Some((function.export.clone(), Refusal { error }))
            }
            Denial::Traps => None,
        })
        .collect();
    let imports = imports(&bytes);
    let seal = Seal::new(&bytes, component, governor, options, refusals);
    seal.append(&mut bytes).map_err(Error::composition)?;
    Ok(Wrapped {
        bytes,
        functions,
        reaches,
        runs_at_start: runs_at_start(component),
        imports,
        seal,
    })
}

fn compose(
    component: &[u8],
    governor: &[u8],
    types: Vec<Vec<u8>>,
    adapter: Vec<u8>,
    environment: Option<Vec<u8>>,
) -> Result<Vec<u8>, Error> {
    let mut composition = Composition::default();
    let mut part =
        |name: &str, bytes, providers: &[_]| composition.add(Part { name, bytes }, providers);
    let environment = environment.map(|bytes| part("environment", bytes, &[]));
    let environment = environment.transpose()?;
    let component = part("component", component.to_vec(), environment.as_slice())?;
    let types = types.into_iter().enumerate();
    let types = types.map(|(index, bytes)| part(&format!("types-{index}"), bytes, &[]));
    let types = types.collect::<Result<Vec<_>, _>>()?;
    let governor = part("governor", governor.to_vec(), &types)?;
    let adapter = part("adapter", adapter, &[governor, component])?;
    composition.finish(adapter)
}

fn adapter(
    resolve: &Resolve,
    world: WorldId,
    functions: &[Exported],
    denials: &[Denial],
) -> Result<Vec<u8>, Error> {
    let templates: Vec<Option<String>> = denials.iter().map(Denial::template).collect();
    let types = Types::of(resolve, functions, &templates)?;
    let module = splice::splice(ADAPTER, resolve, functions, &types)?;
    encode::component(resolve, world, module)
}

fn runs_at_start(component: &[u8]) -> bool {
    Parser::new(0)
        .parse_all(component)
        .any(|payload| matches!(payload, Ok(Payload::StartSection { .. })))
}

/// The names of what a component imports.
fn imports(component: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::Version { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth -= 1,
            Ok(Payload::ComponentImportSection(section)) if depth == 1 => {
                let imports = section.into_iter().flatten();
                // A type is said, and not asked for.
                let asked =
                    imports.filter(|import| !matches!(import.ty, ComponentTypeRef::Type(_)));
                names.extend(asked.map(|import| import.name.name.to_owned()));
            }
            _ => {}
        }
    }
    names
}
