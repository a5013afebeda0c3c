//! Whatever a component exports, the whole exports the adapter's function in its place.

use thoth_wrap::{Options, wrap};

use crate::differential::every_kind;
use crate::from_wit::component;
use crate::plain_host::bytes;
use crate::structure::assert_governed;

fn wrapped(component: &[u8], keep_env: &[&str]) -> Vec<u8> {
    let options = Options {
        keep_env: keep_env.iter().map(|name| (*name).to_owned()).collect(),
        ..Options::default()
    };
    wrap(component, &bytes("test-gate"), &options)
        .unwrap()
        .bytes
}

#[test]
fn every_export_is_the_adapter_s() {
    for name in ["choir", "docs-search", "ledger", "shapes", "fetcher"] {
        assert_governed(&wrapped(&bytes(name), &[]));
        assert_governed(&wrapped(&bytes(name), &["LANG"]));
    }
    assert_governed(&wrapped(&component(&every_kind()), &[]));
    assert_governed(&wrapped(&wrapped(&bytes("choir"), &[]), &[]));
}

#[test]
fn an_environment_without_a_version_is_answered_inside_as_well() {
    let asking = component(
        "package a:b; world w { import wasi:cli/environment; export f: func(); } \
         package wasi:cli { interface environment { \
            get-environment: func() -> list<tuple<string, string>>; } }",
    );
    let whole = wrap(&asking, &bytes("test-gate"), &Options::default()).unwrap();
    assert_eq!(whole.reaches, ["wasi:cli/environment"]);
    assert!(!whole.imports.contains(&"wasi:cli/environment".to_owned()));
}

#[test]
#[should_panic(expected = "is not the adapter's")]
fn an_export_that_is_not_would_show() {
    // One without an adapter that has a part which asks: the composition of two, seen from inside out.
    let whole = wrapped(&bytes("choir"), &[]);
    let mut graph = wac_graph::CompositionGraph::new();
    let mut part = |name: &str, bytes| {
        let package = wac_graph::types::Package::from_bytes(name, None, bytes, graph.types_mut());
        let package = graph.register_package(package.unwrap()).unwrap();
        graph.instantiate(package)
    };
    let asking = component(
        "package a:b; world w { import thoth:governance/gate@0.1.0; export f: func(); } \
         package thoth:governance@0.1.0 { interface gate { done: func(); } }",
    );
    part("test:asking", asking);
    let around = part("test:whole", whole);
    let sing = graph.alias_instance_export(around, "sing").unwrap();
    graph.export(sing, "sing").unwrap();
    assert_governed(&graph.encode(wac_graph::EncodeOptions::default()).unwrap());
}
