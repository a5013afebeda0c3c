//! Small components that stand in for an interface: with nothing behind it, or with part of it.
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, Module,
    TypeSection, ValType,
};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    Docs, InterfaceId, ManglingAndAbi, Resolve, Span, Stability, World, WorldItem, WorldKey,
};

use crate::encode;
use crate::error::Error;
use crate::splice;
use crate::surface::Surface;

const ENVIRONMENT: &[u8] = include_bytes!(env!("THOTH_ENVIRONMENT_WASM"));
const MANGLING: ManglingAndAbi = ManglingAndAbi::Standard32;
/// Where nothing but zeros is, and how much of it.
const ZEROS: i32 = 64;

/// What the component gets for the environment that it asks for: the names that it may see.
///
/// # Errors
/// The interface is not the one that is known.
pub(crate) fn environment(surface: &Surface, keep: &[String]) -> Result<Option<Vec<u8>>, Error> {
    let resolve = &surface.resolve;
    let imports = resolve.worlds[surface.world].imports.iter();
    let mut asked = imports.filter_map(|(key, item)| match item {
        WorldItem::Interface { id, .. } => {
            let name = resolve.name_world_key(key);
            let (interface, _version) = name.split_once('@').unwrap_or((&name, ""));
            (interface == "wasi:cli/environment").then_some(*id)
        }
        WorldItem::Function(_) | WorldItem::Type { .. } => None,
    });
    let Some(interface) = asked.next() else {
        return Ok(None);
    };
    if asked.next().is_some() {
        // One of them would be the host's, with all that the governor's environment holds.
        return Err(Error::Composition(
            "it asks for the environment in two versions of WASI, and only one can be answered"
                .into(),
        ));
    }
    match keep {
        [] => blank(resolve, interface),
        names => filtered(resolve, interface, names),
    }
    .map(Some)
}

/// A component that exports the interface, and whose functions return what zeros stand for: an empty
/// list, no value, zero.
///
/// # Errors
/// A function takes something, so that "nothing" could be the wrong answer, or cannot return it.
pub(crate) fn blank(resolve: &Resolve, interface: InterfaceId) -> Result<Vec<u8>, Error> {
    let mut resolve = resolve.clone();
    let key = WorldKey::Interface(interface);
    let mut types = TypeSection::new();
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    for (index, function) in resolve.interfaces[interface].functions.values().enumerate() {
        let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
        let answer = match signature.results.as_slice() {
            _ if !signature.params.is_empty() => None,
            [] => Some(None),
            [WasmType::Pointer] => Some(Some(ZEROS)),
            [WasmType::I32] => Some(Some(0)),
            _ => None,
        };
        let answer = answer.ok_or_else(|| {
            Error::Composition(format!(
                "`{}` of `{}` cannot be left blank",
                function.name,
                resolve.name_world_key(&key)
            ))
        })?;
        types.ty().function([], answer.map(|_| ValType::I32));
        functions.function(index as u32);
        let name = resolve.wasm_export_name(
            MANGLING,
            wit_parser::WasmExport::Func {
                interface: Some(&key),
                func: function,
                kind: wit_parser::WasmExportKind::Normal,
            },
        );
        exports.export(&name, ExportKind::Func, index as u32);
        let mut body = Function::new([]);
        if let Some(answer) = answer {
            body.instruction(&Instruction::I32Const(answer));
        }
        body.instruction(&Instruction::End);
        code.function(&body);
    }
    // Nothing is ever passed in.
    let realloc = functions.len();
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    functions.function(realloc);
    exports.export("cm32p2_realloc", ExportKind::Func, realloc);
    let mut body = Function::new([]);
    body.instruction(&Instruction::Unreachable);
    body.instruction(&Instruction::End);
    code.function(&body);

    let memories = encode::memory(1, Some(1));
    exports.export("cm32p2_memory", ExportKind::Memory, 0);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    component(&mut resolve, interface, module.finish(), false)
}

/// A component that exports `wasi:cli/environment` with these names of the environment that it imports,
/// and nothing else.
///
/// # Errors
/// The interface is of a version that is not known here.
fn filtered(resolve: &Resolve, interface: InterfaceId, names: &[String]) -> Result<Vec<u8>, Error> {
    let name = resolve.id_of(interface).unwrap_or_default();
    if !name.starts_with("wasi:cli/environment@0.2.") {
        return Err(Error::Refused(format!(
            "names of the environment can be kept in versions 0.2 of it only, and this is `{name}`"
        )));
    }
    let mut data = (names.len() as u32).to_le_bytes().to_vec();
    for name in names {
        data.extend((name.len() as u32).to_le_bytes());
        data.extend(name.as_bytes());
    }
    let module = splice::with_data(ENVIRONMENT, &data)?;
    component(&mut resolve.clone(), interface, module, true)
}

/// A component of a module that exports the interface, and may import it.
fn component(
    resolve: &mut Resolve,
    interface: InterfaceId,
    module: Vec<u8>,
    imports: bool,
) -> Result<Vec<u8>, Error> {
    let package = resolve.interfaces[interface].package;
    let mut world = World {
        name: "provider".to_owned(),
        imports: Default::default(),
        exports: Default::default(),
        package,
        docs: Docs::default(),
        stability: Stability::default(),
        includes: Vec::new(),
        span: Span::default(),
    };
    let item = WorldItem::Interface {
        id: interface,
        stability: Stability::default(),
        external_id: None,
        docs: Docs::default(),
        span: Span::default(),
    };
    if imports {
        let key = WorldKey::Interface(interface);
        world.imports.insert(key, item.clone());
    }
    world.exports.insert(WorldKey::Interface(interface), item);
    let world = resolve.worlds.alloc(world);
    if let Some(package) = package {
        let worlds = &mut resolve.packages[package].worlds;
        worlds.insert("provider".to_owned(), world);
    }
    encode::component(resolve, world, module)
}
