//! The form for HTTP services: a governor in front of a component that exports
//! `wasi:http/incoming-handler`.
//!
//! ```text
//! host ──▶ governor ──▶ the service, as it was
//!             │             │ wasi:http, wasi:io: the host's, but for requests and their bodies
//!             └──▶ incoming ◀┘ the host's, or bytes that the governor has read
//! ```
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use serde::{Deserialize, Serialize};
use wit_parser::{IndexMap, WorldItem, WorldKey};

use crate::compose::{Composition, Part, Renamed};
use crate::error::Error;
use crate::mixed::mixed;
use crate::provider;
use crate::seal::{Front, Seal};
use crate::surface::{Surface, decode};
use crate::{Digest, Options, imports, runs_at_start};

/// Requests that can be handed on after their body was read.
pub(crate) const INCOMING: &[u8] = include_bytes!(env!("THOTH_INCOMING_WASM"));

/// What a service exports, in every version of WASI 0.2.
const HANDLER: &str = "wasi:http/incoming-handler@0.2.";

/// What the governed service exports.
const EXPORT: &str = "wasi:http/incoming-handler@0.2.12";

/// The service, as the governor imports it.
const INSIDE: &str = "thoth:http/inside@0.1.0";

/// What the requests of a service are to its governor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Each is a call of the tool `http_request`.
    #[default]
    Service,
    /// Messages to an MCP server: each `tools/call` in them is a call of the tool that it names.
    Mcp,
}

impl Kind {
    /// The governor's handler for it.
    fn export(self) -> &'static str {
        match self {
            Self::Service => "thoth:http/requests@0.1.0",
            Self::Mcp => "thoth:http/mcp@0.1.0",
        }
    }
}

/// A governed HTTP service, and what is to be known about it.
#[derive(Clone, Debug)]
pub struct Fronted {
    /// The component.
    pub bytes: Vec<u8>,
    /// What the service inside imports, and therefore still reaches for in a host.
    pub reaches: Vec<String>,
    /// Whether code of the service runs when it is instantiated, which is before any check.
    pub runs_at_start: bool,
    /// What the whole asks of a host.
    pub imports: Vec<String>,
    /// What the component says about itself.
    pub seal: Seal,
}

/// Puts a governor of HTTP services in front of one. The same input gives the same bytes.
///
/// # Errors
/// The component exports no `wasi:http/incoming-handler` of WASI 0.2, or something else as well, which
/// nobody would govern; or names that are the governor's; or it imports what reads requests in a way
/// that is not known. See [`Error`].
pub fn front(
    service: &[u8],
    governor: &[u8],
    kind: Kind,
    options: &Options,
) -> Result<Fronted, Error> {
    let surface = surface(service)?;
    let environment = provider::environment(&surface, &options.keep_env)?;
    let mixed = mixed(&surface, INCOMING)?;
    check(governor, kind)?;
    let mut composition = Composition::default();
    let mut part = |name, bytes, providers: &[_]| composition.add(Part { name, bytes }, providers);
    let mut providers = Vec::new();
    if let Some(environment) = environment {
        providers.push(part("environment", environment, &[])?);
    }
    let incoming = part("incoming", INCOMING.to_vec(), &[])?;
    let mut behind = vec![incoming];
    if let Some(sources) = mixed.sources {
        behind.push(part("sources", sources, &[incoming])?);
    }
    providers.push(part("mixed", mixed.interfaces, &behind)?);
    let inside = part("service", service.to_vec(), &providers)?;
    let governor_part = Part {
        name: "governor",
        bytes: governor.to_vec(),
    };
    let renamed = Renamed {
        import: INSIDE,
        provider: inside,
        export: &handler(&surface),
    };
    let in_front = composition.add_to(governor_part, &[incoming], &[renamed])?;
    let mut bytes = composition.finish_with(in_front, &[(kind.export(), EXPORT)])?;
    let imports = imports(&bytes);
    let by = Front {
        kind,
        incoming: Digest::of(INCOMING),
    };
    let seal = Seal::of_service(&bytes, service, governor, options, by);
    seal.append(&mut bytes).map_err(Error::composition)?;
    Ok(Fronted {
        reaches: surface.reaches(),
        runs_at_start: runs_at_start(service),
        bytes,
        imports,
        seal,
    })
}

/// What is in front must reach the service, and be one itself.
fn check(governor: &[u8], kind: Kind) -> Result<(), Error> {
    let (resolve, world) = decode(governor)?;
    let world = &resolve.worlds[world];
    let has = |items: &IndexMap<WorldKey, WorldItem>, name: &str| {
        items.keys().any(|key| resolve.name_world_key(key) == name)
    };
    if has(&world.imports, INSIDE) && has(&world.exports, kind.export()) {
        return Ok(());
    }
    Err(Error::Governor(format!(
        "it does not import `{INSIDE}` and export `{}`",
        kind.export()
    )))
}

/// The name of a service's handler.
fn handler(service: &Surface) -> String {
    let exports = service.resolve.worlds[service.world].exports.keys();
    let mut names = exports.map(|key| service.resolve.name_world_key(key));
    names
        .find(|name| name.starts_with(HANDLER))
        .unwrap_or_default()
}

/// A service's types, if it is one and nothing else.
fn surface(service: &[u8]) -> Result<Surface, Error> {
    let (resolve, world) = decode(service)?;
    let all = &resolve.worlds[world];
    let mut is_service = false;
    for (key, item) in &all.exports {
        let name = resolve.name_world_key(key);
        if matches!(item, WorldItem::Interface { .. }) && name.starts_with(HANDLER) {
            is_service = true;
        } else if !matches!(item, WorldItem::Type { .. }) {
            return Err(Error::ungovernable(
                &name,
                "only requests are governed in front of an HTTP service; build it without this \
                 export",
            ));
        }
    }
    if !is_service {
        return Err(Error::Refused(format!(
            "it exports no `{HANDLER}x`, so it serves no HTTP; wrap it without `--http`"
        )));
    }
    let mut names = all.imports.keys().map(|key| resolve.name_world_key(key));
    if let Some(name) = names.find(|name| name.starts_with("thoth:") || name.starts_with(HANDLER)) {
        return Err(Error::Refused(format!(
            "it imports `{name}`, which is the governor's; wrap the component without it"
        )));
    }
    drop(names);
    Ok(Surface {
        resolve,
        world,
        functions: Vec::new(),
    })
}
