//! Real components out of WIT: every function of the chosen world returns its first parameter.
//!
//! The trick is in the canonical ABI: a function whose parameters do not fit in sixteen core values
//! gets a pointer to them, and one whose result does not fit in one returns a pointer to it. So with
//! enough padding behind the first parameter, "return the argument you were given" is an identity
//! for every type. The padding is made of options, which callers leave out.
#![allow(dead_code, reason = "not every suite uses all of it")]

use anyhow::{Result, ensure};
use serde_json::Value;
use thoth_values::{Docs, Function, Lifted, Listing, list};
use wasmtime::component::{Component, Instance, Linker, Val};
use wasmtime::{Config, Engine, Store};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, SizeAlign, WorldItem};

/// Eight options are sixteen core values: with anything before them, one too many.
pub(crate) const PADDING: &str = "p1: option<u8>, p2: option<u8>, p3: option<u8>, p4: option<u8>, \
                           p5: option<u8>, p6: option<u8>, p7: option<u8>, p8: option<u8>";

/// The component of a WIT package with one world. Functions that cannot echo trap.
pub(crate) fn component(wit: &str) -> Vec<u8> {
    build(wit, false).unwrap()
}

/// The same, with the documentation of the package in it.
pub(crate) fn documented(wit: &str) -> Vec<u8> {
    build(wit, true).unwrap()
}

fn build(wit: &str, docs: bool) -> Result<Vec<u8>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit)?;
    let world = resolve.select_world(&[package], None)?;

    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve);

    let mut functions = Vec::new();
    for (key, item) in &resolve.worlds[world].exports {
        match item {
            WorldItem::Function(function) => functions.push((function.name.clone(), function)),
            WorldItem::Interface { id, .. } => {
                let name = resolve.name_world_key(key);
                for function in resolve.interfaces[*id].functions.values() {
                    functions.push((format!("{name}#{}", function.name), function));
                }
            }
            WorldItem::Type { .. } => {}
        }
    }
    let mut wat = String::from(ALLOCATOR);
    for (name, function) in functions {
        let signature = resolve.wasm_signature(AbiVariant::GuestExport, function);
        let body = match (signature.params.as_slice(), signature.results.as_slice()) {
            (_, []) => String::new(),
            // By pointer in, by value out: load it.
            ([_], [result]) if signature.indirect_params && !signature.retptr => {
                let size = function
                    .params
                    .first()
                    .map(|param| sizes.size(&param.ty).size_wasm32());
                let narrow = match size {
                    Some(1) => "8_u",
                    Some(2) => "16_u",
                    _ => "",
                };
                format!("local.get 0 {}.load{narrow}", core(*result))
            }
            ([param], [result]) if core(*param) == core(*result) => "local.get 0".to_owned(),
            _ => "unreachable".to_owned(),
        };
        let types = |types: &[WasmType]| {
            types
                .iter()
                .map(|ty| core(*ty))
                .collect::<Vec<_>>()
                .join(" ")
        };
        wat.push_str(&format!(
            "(func (export \"{name}\") (param {}) (result {}) {body})\n",
            types(&signature.params),
            types(&signature.results),
        ));
    }
    wat.push(')');

    let mut module = wat::parse_str(&wat)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let mut component = ComponentEncoder::default()
        .module(&module)?
        .validate(false)
        .encode()?;
    if docs {
        let metadata = wit_parser::PackageMetadata::extract(&resolve, package).encode()?;
        append_section(&mut component, "package-docs", &metadata);
    }
    Ok(component)
}

/// Adds a custom section at the end of a component or a core module.
pub(crate) fn append_section(binary: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut body = leb(name.len());
    body.extend(name.as_bytes());
    body.extend(data);
    binary.push(0);
    binary.extend(leb(body.len()));
    binary.extend(body);
}

/// Adds a core module at the end of a component.
pub(crate) fn append_module(component: &mut Vec<u8>, module: &[u8]) {
    component.push(1);
    component.extend(leb(module.len()));
    component.extend(module);
}

fn leb(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

fn core(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// Never frees: an instance lives for one call.
const ALLOCATOR: &str = r#"(module
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (drop (memory.grow (i32.shr_u (local.get 3) (i32.const 16))))
    (local.get $at))
"#;

/// A component with what the crate says about it, ready to be called.
pub(crate) struct Echo {
    engine: Engine,
    component: Component,
    pub(crate) listing: Listing,
}

impl Echo {
    pub(crate) fn new(wit: &str) -> Echo {
        Echo::from_bytes(&component(wit))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Echo {
        let mut config = Config::new();
        config.wasm_component_model_fixed_length_lists(true);
        config.wasm_component_model_map(true);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, bytes).unwrap();
        let listing = list(&component.component_type(), &engine, &Docs::read(bytes));
        Echo {
            engine,
            component,
            listing,
        }
    }

    /// A component of an interface `t` with one type and a function `echo` of it.
    pub(crate) fn of(types: &str, echoed: &str) -> Echo {
        Echo::new(&format!(
            "package test:echo; interface t {{ {types} echo: func(v: {echoed}, {PADDING}) -> {echoed}; }} \
             world w {{ export t; }}"
        ))
    }

    pub(crate) fn function(&self, name: &str) -> &Function {
        let found = self
            .listing
            .functions
            .iter()
            .find(|function| function.name == name);
        found.unwrap_or_else(|| panic!("no `{name}` in {:?}", self.listing))
    }

    /// Lowers, calls a fresh instance, lifts.
    pub(crate) fn call(&self, name: &str, arguments: &Value) -> Result<Lifted> {
        let function = self.function(name);
        let params = function.lower(arguments)?;
        let mut store = Store::new(&self.engine, ());
        let instance = Linker::new(&self.engine)
            .instantiate(&mut store, &self.component)
            .unwrap();
        let func = export(&mut store, &instance, function);
        let mut results = vec![Val::Bool(false); function.result_slots()];
        func.call(&mut store, &params, &mut results).unwrap();
        // What came back is what was lowered.
        let first: Vec<Val> = params.into_iter().take(results.len()).collect();
        ensure!(first == results, "{first:?} came back as {results:?}");
        Ok(function.lift(&results, 1 << 20)?)
    }

    /// What `echo` makes of one argument: its JSON, or the message.
    pub(crate) fn echo(&self, json: Value) -> Result<Lifted, String> {
        self.call("echo", &serde_json::json!({ "v": json }))
            .map_err(|error| error.to_string())
    }
}

fn export(
    store: &mut Store<()>,
    instance: &Instance,
    function: &Function,
) -> wasmtime::component::Func {
    let interface = function.export.interface.as_ref().map(|interface| {
        instance
            .get_export_index(&mut *store, None, interface)
            .unwrap()
    });
    let index = instance
        .get_export_index(&mut *store, interface.as_ref(), &function.export.function)
        .unwrap();
    instance.get_func(&mut *store, index).unwrap()
}
