//! What a component exports, in WIT, and whether all of that can be governed.
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use thoth_names::Export;
use wasmparser::{Parser, Payload};
use wit_component::DecodedWasm;
use wit_parser::{Function, FunctionKind, InterfaceId, Resolve, WorldId, WorldItem, WorldKey};

use crate::error::{Error, chain};
use crate::plain;

/// A component's types.
pub(crate) struct Surface {
    pub(crate) resolve: Resolve,
    pub(crate) world: WorldId,
    pub(crate) functions: Vec<Exported>,
}

/// An exported function.
#[derive(Clone)]
pub(crate) struct Exported {
    /// The interface that it is in, if it is in one.
    pub(crate) interface: Option<WorldKey>,
    pub(crate) function: Function,
    pub(crate) export: Export,
    /// Its name as a tool.
    pub(crate) tool: String,
}

impl Surface {
    /// # Errors
    /// Whatever cannot be governed, by name.
    pub(crate) fn of(component: &[u8]) -> Result<Self, Error> {
        let (resolve, world) = decode(component)?;
        let all = &resolve.worlds[world];
        for key in all.imports.keys().chain(all.exports.keys()) {
            let name = resolve.name_world_key(key);
            if name.starts_with("thoth:") {
                return Err(Error::Refused(format!(
                    "it imports or exports `{name}`, which is the governor's; wrap the component \
                     without it"
                )));
            }
        }
        let mut functions = Vec::new();
        for (key, item) in &all.exports {
            match item {
                WorldItem::Function(function) => {
                    functions.push(exported(&resolve, None, function)?);
                }
                WorldItem::Interface { id, .. } => {
                    for function in resolve.interfaces[*id].functions.values() {
                        functions.push(exported(&resolve, Some(key), function)?);
                    }
                }
                WorldItem::Type { .. } => {}
            }
        }
        if functions.is_empty() {
            return Err(Error::Refused(
                "it exports no function, so there is nothing to govern".to_owned(),
            ));
        }
        name(&mut functions)?;
        Ok(Self {
            resolve,
            world,
            functions,
        })
    }

    /// What it imports that is more than types.
    pub(crate) fn reaches(&self) -> Vec<String> {
        let imports = self.resolve.worlds[self.world].imports.iter();
        imports
            .filter(|(_, item)| match item {
                WorldItem::Interface { id, .. } => {
                    !self.resolve.interfaces[*id].functions.is_empty()
                }
                WorldItem::Function(_) => true,
                WorldItem::Type { .. } => false,
            })
            .map(|(key, _)| self.resolve.name_world_key(key))
            .collect()
    }
}

/// A portable governor: its types, and the interfaces of ours that it takes types from.
pub(crate) struct Governor {
    pub(crate) resolve: Resolve,
    pub(crate) types: Vec<InterfaceId>,
}

impl Governor {
    /// # Errors
    /// It is none; why.
    pub(crate) fn of(governor: &[u8]) -> Result<Self, Error> {
        const GATE: &str = "thoth:governance/gate@0.1.0";
        let (resolve, world) =
            decode(governor).map_err(|error| Error::Governor(error.to_string()))?;
        let mut exports = resolve.worlds[world].exports.keys();
        if !exports.any(|key| resolve.name_world_key(key) == GATE) {
            return Err(Error::Governor(format!("it does not export `{GATE}`")));
        }
        let mut types = Vec::new();
        for (key, item) in &resolve.worlds[world].imports {
            let name = resolve.name_world_key(key);
            if !name.starts_with("thoth:") {
                continue;
            }
            match item {
                WorldItem::Interface { id, .. } if resolve.interfaces[*id].functions.is_empty() => {
                    types.push(*id);
                }
                _ => {
                    return Err(Error::Governor(format!(
                        "it imports `{name}`, which nobody offers"
                    )));
                }
            }
        }
        Ok(Self { resolve, types })
    }
}

/// A component's types.
///
/// # Errors
/// It is no component, or none that WIT can describe.
pub(crate) fn decode(component: &[u8]) -> Result<(Resolve, WorldId), Error> {
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    if component.starts_with(MODULE) {
        return Err(Error::NotAComponent(
            "it is a core module; build it for the target `wasm32-wasip2`, or make a component of \
             it with `wasm-tools component new`"
                .to_owned(),
        ));
    }
    if !component.starts_with(COMPONENT) {
        return Err(Error::NotAComponent(
            "it does not begin as a component does; name a .wasm file".to_owned(),
        ));
    }
    plain::check(component)?;
    match wit_component::decode(&undocumented(component)) {
        Ok(DecodedWasm::Component(resolve, world)) => Ok((resolve, world)),
        Ok(DecodedWasm::WitPackage(..)) => Err(Error::NotAComponent(
            "it is a WIT package, which has types and no code".to_owned(),
        )),
        Err(error) => Err(Error::NotAComponent(format!(
            "it cannot be described in WIT: {}",
            chain(error.as_ref())
        ))),
    }
}

/// The component with no documentation in it: where that is about a world of another name, as it is when
/// a guest links it into its core module, decoding would fail.
fn undocumented(component: &[u8]) -> Vec<u8> {
    const SECTION: &str = "package-docs";
    let mut bytes = component.to_vec();
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::CustomSection(section)) if section.name() == SECTION => {
                // The length of the name comes first, in one byte.
                let first = usize::try_from(section.range().start).unwrap_or(usize::MAX);
                if let Some(letter) = bytes.get_mut(first.saturating_add(1)) {
                    *letter = b'-';
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    bytes
}

fn exported(
    resolve: &Resolve,
    interface: Option<&WorldKey>,
    function: &Function,
) -> Result<Exported, Error> {
    let export = Export {
        interface: interface.map(|key| resolve.name_world_key(key)),
        function: function.name.clone(),
    };
    let why = match function.kind {
        FunctionKind::Freestanding => {
            return Ok(Exported {
                interface: interface.cloned(),
                function: function.clone(),
                export,
                tool: String::new(),
            });
        }
        FunctionKind::AsyncFreestanding => "it is an async function",
        FunctionKind::Method(_)
        | FunctionKind::Static(_)
        | FunctionKind::Constructor(_)
        | FunctionKind::AsyncMethod(_)
        | FunctionKind::AsyncStatic(_) => "it belongs to a resource",
    };
    Err(Error::ungovernable(&export, why))
}

/// Names the functions as the Thoth host does.
fn name(functions: &mut [Exported]) -> Result<(), Error> {
    let exports: Vec<&Export> = functions.iter().map(|function| &function.export).collect();
    let names = thoth_names::tool_names(&exports);
    for (function, name) in functions.iter_mut().zip(names) {
        function.tool = name.ok_or_else(|| {
            Error::ungovernable(
                &function.export,
                "its tool name is not unique or too long, so no policy could be about it",
            )
        })?;
    }
    Ok(())
}
