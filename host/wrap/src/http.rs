//! The form for HTTP services: a governor in front of a component that exports
//! `wasi:http/incoming-handler`, with nothing in between.
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use wit_parser::WorldItem;

use crate::compose::{Composition, Part};
use crate::error::Error;
use crate::provider;
use crate::seal::Seal;
use crate::surface::{Surface, decode};
use crate::{Options, imports, runs_at_start};

/// What a service exports, in every version of WASI 0.2.
const HANDLER: &str = "wasi:http/incoming-handler@0.2.";

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
/// nobody would govern; or names that are the governor's. See [`Error`].
pub fn front(service: &[u8], governor: &[u8], options: &Options) -> Result<Fronted, Error> {
    let surface = surface(service)?;
    let environment = provider::environment(&surface, &options.keep_env)?;
    let mut composition = Composition::default();
    let mut part = |name, bytes, providers: &[_]| composition.add(Part { name, bytes }, providers);
    let environment = environment
        .map(|bytes| part("environment", bytes, &[]))
        .transpose()?;
    let inside = part("service", service.to_vec(), environment.as_slice())?;
    check(governor)?;
    let in_front = part("governor", governor.to_vec(), &[inside])?;
    let mut bytes = composition.finish(in_front)?;
    let imports = imports(&bytes);
    let seal = Seal::of_service(&bytes, service, governor, options);
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
fn check(governor: &[u8]) -> Result<(), Error> {
    let (resolve, world) = decode(governor)?;
    let world = &resolve.worlds[world];
    for items in [&world.imports, &world.exports] {
        let mut names = items.keys().map(|key| resolve.name_world_key(key));
        if !names.any(|name| name.starts_with(HANDLER)) {
            return Err(Error::Governor(format!(
                "it does not import and export `{HANDLER}x`"
            )));
        }
    }
    Ok(())
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
