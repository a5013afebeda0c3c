//! The world of the adapter: it imports what the component exports, and the gate, and exports what the
//! component exports.
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use std::collections::HashSet;

use wit_parser::{
    InterfaceId, Resolve, SourceMap, Stability, Type, TypeDefKind, WorldId, WorldItem, WorldKey,
};

use crate::error::Error;

const TYPES: &str = include_str!("../../../wit/types.wit");
const GATE: &str = include_str!("../../../wit/gate.wit");

/// Adds the adapter's world for a component of that world.
///
/// # Errors
/// The types cannot be put together.
pub(crate) fn adapter(resolve: &mut Resolve, component: WorldId) -> Result<WorldId, Error> {
    let gate = gate(resolve)?;
    let mut world = resolve.worlds[component].clone();

    // Types that the exported interfaces take from others stay where they are.
    let mut needed = HashSet::new();
    for item in world.exports.values() {
        if let WorldItem::Interface { id, .. } = item {
            depend(resolve, *id, &mut needed);
        }
    }
    for item in world.imports.values() {
        if let WorldItem::Type { id, .. } = item
            && let Some(interface) = resolve.type_interface_dep(*id)
        {
            needed.insert(interface);
            depend(resolve, interface, &mut needed);
        }
    }
    world.imports.retain(|_, item| match item {
        WorldItem::Interface { id, .. } => needed.contains(id),
        WorldItem::Type { .. } => true,
        WorldItem::Function(_) => false,
    });
    for (key, item) in &world.exports {
        world.imports.insert(key.clone(), item.clone());
    }
    world.imports.insert(
        WorldKey::Interface(gate),
        WorldItem::Interface {
            id: gate,
            stability: Stability::default(),
            external_id: None,
            docs: wit_parser::Docs::default(),
            span: wit_parser::Span::default(),
        },
    );

    "adapter".clone_into(&mut world.name);
    world.package = resolve.interfaces[gate].package;
    let package = world.package;
    let id = resolve.worlds.alloc(world);
    if let Some(package) = package {
        resolve.packages[package]
            .worlds
            .insert("adapter".to_owned(), id);
    }
    Ok(id)
}

/// The interface that the adapter asks.
fn gate(resolve: &mut Resolve) -> Result<InterfaceId, Error> {
    let mut sources = SourceMap::new();
    sources.push_str("types.wit", TYPES);
    sources.push_str("gate.wit", GATE);
    let group = sources
        .parse()
        .map_err(|(_, error)| Error::Composition(error.to_string()))?;
    let package = resolve.push_group(group).map_err(Error::composition)?;
    let gate = resolve.packages[package].interfaces.get("gate").copied();
    let gate = gate.ok_or_else(|| Error::Composition("there is no interface gate".to_owned()))?;
    // `json` is a string by another name. Said here, the adapter needs no interface but the gate.
    if let Some(json) = resolve.interfaces[gate].types.get("json").copied() {
        resolve.types[json].kind = TypeDefKind::Type(Type::String);
    }
    Ok(gate)
}

/// Adds the interfaces that this one takes types from, and those that they do.
pub(crate) fn depend(resolve: &Resolve, interface: InterfaceId, needed: &mut HashSet<InterfaceId>) {
    for dependency in resolve.interface_direct_deps(interface) {
        if needed.insert(dependency) {
            depend(resolve, dependency, needed);
        }
    }
}
