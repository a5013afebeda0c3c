//! Any bytes as a component: they are refused in one line, or they are what wasmparser takes for a
//! component, and what is listed of it keeps its bounds.
//!
//! Validation gets all bytes. Compiling is left to a jailed process in the host and bounds nothing
//! here, so that types are listed only of components with next to no code.
#![no_main]

#[path = "../../src/tool/admission.rs"]
#[allow(dead_code, reason = "nothing is read from a file here")]
mod admission;
#[path = "admission/error.rs"]
mod error;

use std::collections::HashSet;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use thoth_engine::{Compiler, Jail, Options};
use thoth_values::{Docs, Listing, limits, list};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wasmtime::Engine;

/// The most code that is compiled to see the types around it, in bytes and in functions.
const CODE: usize = 1 << 10;
const FUNCTIONS: u32 = 16;

struct Host {
    engine: Engine,
    compiler: Compiler,
    features: WasmFeatures,
}

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let engine = thoth_engine::engine().expect("an engine");
    Host {
        compiler: Compiler::new(&engine, Options::new(Jail::InProcess)),
        engine,
        features: features(),
    }
});

/// What `thoth_engine::engine` turns on, which it cannot be asked for. That all it compiles is valid
/// under these is asserted below.
fn features() -> WasmFeatures {
    let off = WasmFeatures::GC_TYPES
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::THREADS
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::MEMORY64;
    WasmFeatures::WASM3.difference(off)
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::CM_ASYNC
        | WasmFeatures::CM_MORE_ASYNC_BUILTINS
        | WasmFeatures::CM_ERROR_CONTEXT
}

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = admission::admit("tool", bytes) {
        line(&error.to_string());
        return;
    }
    let docs = Docs::read(bytes);
    let valid = Validator::new_with_features(HOST.features).validate_all(bytes);
    if !is_small(bytes) {
        return;
    }
    match HOST.compiler.component(bytes) {
        Err(error) => line(&error.to_string()),
        Ok(compiled) => {
            valid.expect("what compiles is valid");
            let ty = compiled.component.component_type();
            let missing = admission::missing(&ty, &HOST.engine);
            assert!(missing.iter().all(|name| !name.contains(char::is_control)));
            bounded(&list(&ty, &HOST.engine, &docs));
        }
    }
});

/// Whether compiling it is quick. What cannot be read further is not compiled further.
fn is_small(bytes: &[u8]) -> bool {
    let (mut code, mut functions) = (0, 0);
    for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
        if let Payload::CodeSectionStart { count, range, .. } = payload {
            code += range.len();
            functions += count;
        }
    }
    code <= CODE && functions <= FUNCTIONS
}

fn bounded(listing: &Listing) {
    let (functions, refused) = (&listing.functions, &listing.refused);
    assert!(functions.len() <= limits::FUNCTIONS);
    assert!(refused.len() <= limits::FUNCTIONS + 1);
    for one in refused {
        line(&one.why);
        assert!(!one.export.contains(char::is_control));
    }
    let mut names = HashSet::new();
    let mut all = 0;
    for function in functions {
        let name = &function.name;
        assert!(names.insert(name), "{name} is there twice");
        assert!((1..=limits::NAME).contains(&name.len()));
        let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        assert!(name.bytes().all(known), "{name}");
        if let Some(docs) = &function.docs {
            assert!(docs.len() <= limits::DOCS_ITEM + '…'.len_utf8());
            assert!(!docs.contains(|c: char| c.is_control() && c != '\n'));
        }
        for schema in [function.input_schema(), function.output_schema()] {
            let size = schema.to_string().len();
            assert!(size <= limits::SCHEMA);
            all += size;
        }
        // Whatever its types are, arguments that do not fit are refused in one line.
        for arguments in [serde_json::json!({}), serde_json::json!({"v": null})] {
            if let Err(misfit) = function.lower(&arguments) {
                assert!(!misfit.to_string().contains(char::is_control));
            }
        }
    }
    assert!(all <= limits::SCHEMAS);
}

/// What goes on one line of a terminal or a log: 500 characters, each of which may be escaped.
fn line(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.chars().count() < 6_000, "{text}");
}
