//! Components that give the items of an interface their names there.
//!
//! An instance of a component cannot be put together with methods in it, since each of these must be by
//! the name of a resource that is exported beside it: a component has to export both. `wit-component` puts
//! such a one around every interface that it exports, with all types and functions as its imports. Here
//! it is taken from there.
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use std::collections::HashSet;

use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, Module,
    TypeSection, ValType,
};
use wasmparser::{Parser, Payload};
use wit_parser::abi::AbiVariant;
use wit_parser::{
    FunctionKind, IndexMap, InterfaceId, ManglingAndAbi, Resolve, TypeId, WasmExport,
    WasmExportKind, WorldItem, WorldKey,
};

use crate::encode;
use crate::error::Error;
use crate::relay::{World, core};
use crate::world::depend;

const MANGLING: ManglingAndAbi = ManglingAndAbi::Standard32;

/// The component that names what is in an interface.
pub(crate) struct Island {
    /// The component.
    pub(crate) bytes: Vec<u8>,
    /// The types that it imports: under which name, and which.
    pub(crate) types: Vec<(String, TypeId)>,
}

/// The name under which an island imports a function.
pub(crate) fn import(function: &wit_parser::Function) -> String {
    match function.kind {
        FunctionKind::Freestanding | FunctionKind::AsyncFreestanding => {
            format!("import-func-{}", function.name)
        }
        _ => {
            let name = function.name.replace('[', "");
            format!("import-{}", name.replace([']', '.', ' '], "-"))
        }
    }
}

/// The island of an interface among these imports.
///
/// # Errors
/// It does not encode.
pub(crate) fn island(
    resolve: &Resolve,
    imports: &IndexMap<WorldKey, WorldItem>,
    interface: InterfaceId,
) -> Result<Island, Error> {
    let mut resolve = resolve.clone();
    let mut needed = HashSet::new();
    depend(&resolve, interface, &mut needed);
    let mut imports = imports.clone();
    imports
        .retain(|_, item| matches!(item, WorldItem::Interface { id, .. } if needed.contains(id)));
    let world = World {
        imports,
        ours: Vec::new(),
        exports: Some(interface),
    };
    let world = world.add(&mut resolve);
    let whole = encode::component(&resolve, world, module(&resolve, interface))?;
    let mut found = None;
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(&whole) {
        match payload.map_err(Error::composition)? {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentSection {
                unchecked_range: range,
                ..
            } if depth == 1 => {
                found = whole.get(range.start as usize..range.end as usize);
            }
            _ => {}
        }
    }
    let bytes = found.ok_or_else(|| Error::Composition("nothing names an interface".to_owned()))?;
    needed.insert(interface);
    Ok(Island {
        bytes: bytes.to_vec(),
        types: types(&resolve, bytes, &needed)?,
    })
}

/// Which types an island imports.
fn types(
    resolve: &Resolve,
    island: &[u8],
    from: &HashSet<InterfaceId>,
) -> Result<Vec<(String, TypeId)>, Error> {
    let mut types = Vec::new();
    for payload in Parser::new(0).parse_all(island) {
        let Payload::ComponentImportSection(section) = payload.map_err(Error::composition)? else {
            continue;
        };
        for import in section {
            let name = import.map_err(Error::composition)?.name.name;
            let Some(plain) = name.strip_prefix("import-type-") else {
                continue;
            };
            // Of two by one name, the second one has a number behind it.
            let numbered = plain.trim_end_matches(|digit: char| digit.is_ascii_digit());
            let found = |name| {
                let mut roots: Vec<TypeId> = Vec::new();
                for interface in from {
                    let id = resolve.interfaces[*interface].types.get(name);
                    roots.extend(id.map(|id| root(resolve, *id)));
                }
                roots.dedup();
                roots
            };
            let exact = found(plain);
            let mut roots = if exact.is_empty() {
                found(numbered)
            } else {
                exact
            };
            roots.sort();
            roots.dedup();
            let [only] = roots[..] else {
                return Err(Error::Composition(format!("`{plain}` is not one type")));
            };
            types.push((name.to_owned(), only));
        }
    }
    Ok(types)
}

/// The type that stands behind other names for it.
pub(crate) fn root(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let wit_parser::TypeDefKind::Type(wit_parser::Type::Id(other)) = resolve.types[id].kind {
        id = other;
    }
    id
}

/// A core module that exports every function, and can do nothing.
fn module(resolve: &Resolve, interface: InterfaceId) -> Vec<u8> {
    let mut types = TypeSection::new();
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let mut define = |name: &str, params: Vec<ValType>, results: Vec<ValType>| {
        exports.export(name, ExportKind::Func, functions.len());
        functions.function(types.len());
        types.ty().function(params, results);
        let mut body = Function::new([]);
        body.instruction(&Instruction::Unreachable);
        body.instruction(&Instruction::End);
        code.function(&body);
    };
    let key = WorldKey::Interface(interface);
    for func in resolve.interfaces[interface].functions.values() {
        let signature = resolve.wasm_signature(AbiVariant::GuestExport, func);
        let export = WasmExport::Func {
            interface: Some(&key),
            func,
            kind: WasmExportKind::Normal,
        };
        let name = resolve.wasm_export_name(MANGLING, export);
        let [params, results] =
            [&signature.params, &signature.results].map(|types| types.iter().map(core).collect());
        define(&name, params, results);
    }
    define("cm32p2_realloc", vec![ValType::I32; 4], vec![ValType::I32]);
    exports.export("cm32p2_memory", ExportKind::Memory, 0);
    let memories = encode::memory(0, None);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    module.finish()
}
