//! Components out of WIT, without a compiler. A function whose parameters are too many to be passed flat
//! gets their address and returns that: its first parameter, whatever its type. Any other one traps.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{
    ManglingAndAbi, Resolve, WasmExport, WasmExportKind, WasmImport, WorldItem, WorldKey,
};

/// Eight options are sixteen core values: with anything before them, one too many.
pub(crate) const PADDING: &str = "p1: option<u8>, p2: option<u8>, p3: option<u8>, p4: option<u8>, \
                                  p5: option<u8>, p6: option<u8>, p7: option<u8>, p8: option<u8>";

const MANGLING: ManglingAndAbi = ManglingAndAbi::Standard32;

/// Never frees: tests call it a few times.
const ALLOCATOR: &str = r#"
  (memory (export "cm32p2_memory") 2)
  (global $next (mut i32) (i32.const 1024))
  (func (export "cm32p2_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (drop (memory.grow (i32.shr_u (local.get 3) (i32.const 16))))
    (local.get $at))
"#;

/// The component of a WIT package's only world; other packages may be nested in it.
pub(crate) fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve {
        all_features: true,
        ..Resolve::default()
    };
    let package = resolve.push_source("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();

    let functions = |item: &WorldItem| match item {
        WorldItem::Function(function) => vec![function.clone()],
        WorldItem::Interface { id, .. } => resolve.interfaces[*id]
            .functions
            .values()
            .cloned()
            .collect(),
        WorldItem::Type { .. } => Vec::new(),
    };
    let within = |key: &WorldKey, item: &WorldItem| match item {
        WorldItem::Interface { .. } => Some(key.clone()),
        _ => None,
    };
    let mut wat = String::from("(module");
    for (key, item) in &resolve.worlds[world].imports {
        for func in &functions(item) {
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, func);
            let interface = within(key, item);
            let (module, name) = resolve.wasm_import_name(
                MANGLING,
                WasmImport::Func {
                    interface: interface.as_ref(),
                    func,
                },
            );
            let (params, results) = (types(&signature.params), types(&signature.results));
            wat.push_str(&format!(
                "(import \"{module}\" \"{name}\" (func (param {params}) (result {results})))\n"
            ));
        }
    }
    wat.push_str(ALLOCATOR);
    for (key, item) in &resolve.worlds[world].exports {
        for func in &functions(item) {
            let signature = resolve.wasm_signature(AbiVariant::GuestExport, func);
            let interface = within(key, item);
            let name = resolve.wasm_export_name(
                MANGLING,
                WasmExport::Func {
                    interface: interface.as_ref(),
                    func,
                    kind: WasmExportKind::Normal,
                },
            );
            let body = match (signature.indirect_params, signature.retptr) {
                (true, true) => "local.get 0",
                _ => "unreachable",
            };
            let (params, results) = (types(&signature.params), types(&signature.results));
            wat.push_str(&format!(
                "(func (export \"{name}\") (param {params}) (result {results}) {body})\n"
            ));
        }
    }
    wat.push(')');
    let mut module = wat::parse_str(&wat).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).unwrap().encode().unwrap()
}

fn types(types: &[WasmType]) -> String {
    let names = types.iter().map(|ty| match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    });
    names.collect::<Vec<_>>().join(" ")
}
