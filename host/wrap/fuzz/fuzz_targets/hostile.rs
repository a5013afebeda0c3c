//! Any component: it is refused in one line, or what comes out is valid, intact, and exports nothing but
//! the adapter's functions, as many as went in.
#![no_main]

#[path = "../../tests/suite/structure.rs"]
mod structure;

use std::sync::LazyLock;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use thoth_wrap::{Integrity, Options, verify, wrap};
use wasmparser::{Validator, WasmFeatures};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve, WorldId, WorldItem};

/// The first byte of what a component is generated from.
const GENERATED: u8 = 1;

/// A governor that nobody asks: nothing runs here.
static GATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../wit");
    let (package, _) = resolve.push_dir(wit).expect("the package");
    let world = resolve.select_world(&[package], Some("portable-governor"));
    component(&resolve, world.expect("the world")).expect("a component")
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    if *kind != GENERATED {
        return round(input, None);
    }
    if let Some((component, functions)) = generated(&mut Unstructured::new(rest)) {
        round(&component, Some(functions));
    }
});

fn round(component: &[u8], functions: Option<usize>) {
    let options = Options {
        keep_env: match component.len() % 2 {
            0 => Vec::new(),
            _ => vec!["LANG".to_owned()],
        },
        ..Options::default()
    };
    let wrapped = match wrap(component, &GATE, &options) {
        Ok(wrapped) => wrapped,
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains('\n'), "{line}");
            return;
        }
    };
    Validator::new_with_features(WasmFeatures::all())
        .validate_all(&wrapped.bytes)
        .expect("what was wrapped is valid");
    if component.len().is_multiple_of(8) {
        assert_eq!(verify(&wrapped.bytes, &wrapped.seal), Integrity::Intact);
    }
    structure::assert_governed(&wrapped.bytes);
    // Documentation of a world by another name cannot be decoded; what goes inside is left as it was.
    let documented = String::from_utf8_lossy(&wrapped.bytes).contains("package-docs");
    let (resolve, world) = match wit_component::decode(&wrapped.bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => panic!("what was wrapped is a component"),
        Err(_) if documented => return,
        Err(error) => panic!("what was wrapped has no WIT: {error:?}"),
    };
    let exported = exported(&resolve, world);
    assert_eq!(exported, wrapped.functions.len());
    assert!(functions.is_none_or(|functions| functions == exported));
}

/// A component of a WIT that nobody chose, and how many functions it exports.
fn generated(u: &mut Unstructured<'_>) -> Option<(Vec<u8>, usize)> {
    let mut config: wit_smith::Config = u.arbitrary().ok()?;
    // Whole components of these are refused, and little else would come.
    let is_plain = u.ratio(7, 8).ok()?;
    if is_plain {
        (config.async_, config.futures, config.streams) = (false, false, false);
        (config.error_context, config.max_resource_items) = (false, 0);
    }
    let wit = wit_smith::smith(&config, u).ok()?;
    let (resolve, package) = match wit_component::decode(&wit).ok()? {
        DecodedWasm::WitPackage(resolve, package) => (resolve, package),
        DecodedWasm::Component(..) => return None,
    };
    let worlds: Vec<WorldId> = resolve.packages[package].worlds.values().copied().collect();
    let world = *u.choose(&worlds).ok()?;
    Some((component(&resolve, world)?, exported(&resolve, world)))
}

fn component(resolve: &Resolve, world: WorldId) -> Option<Vec<u8>> {
    let mut module = wit_component::dummy_module(resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).ok()?;
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).ok()?.encode().ok()
}

fn exported(resolve: &Resolve, world: WorldId) -> usize {
    let exports = resolve.worlds[world].exports.values();
    exports
        .map(|item| match item {
            WorldItem::Function(_) => 1,
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.len(),
            WorldItem::Type { .. } => 0,
        })
        .sum()
}
