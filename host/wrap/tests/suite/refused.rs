//! What cannot be governed is not wrapped, as a whole, and the error says what it is.

use thoth_wrap::{Options, error_map, wrap};

use crate::from_wit::component;
use crate::plain_host::bytes;

fn refusal(component: &[u8]) -> String {
    let wrapped = wrap(component, &bytes("test-gate"), &Options::default());
    wrapped.map(|_| ()).unwrap_err().to_string()
}

/// The refusal of a component with these items in an interface.
fn of_interface(items: &str) -> String {
    refusal(&component(&format!(
        "package a:b; interface i {{ good: func(); {items} }} world w {{ export i; }}"
    )))
}

#[test]
fn resources_are_refused() {
    for items in [
        "resource r { constructor(); }",
        "resource r { m: func(); }",
        "resource r { s: static func(); }",
        "resource r; f: func(r: borrow<r>);",
        "resource r; f: func() -> r;",
        "resource r; f: func() -> list<option<r>>;",
    ] {
        let refusal = of_interface(items);
        assert!(refusal.contains("resource"), "{items}: {refusal}");
        assert!(refusal.starts_with("`a:b/i#"), "{items}: {refusal}");
    }
}

#[test]
fn what_is_asynchronous_is_refused() {
    for (items, what) in [
        ("f: async func();", "an async function"),
        ("f: func(s: stream<u8>);", "a stream"),
        ("f: func() -> future<string>;", "a future"),
        ("record r { s: list<stream> } f: func(r: r);", "a stream"),
    ] {
        let refusal = of_interface(items);
        assert!(refusal.contains(what), "{items}: {refusal}");
    }
}

#[test]
fn names_of_the_governor_are_refused() {
    let gate = "package a:b; \
                world w { import thoth:governance/gate@0.1.0; export f: func(); } \
                package thoth:governance@0.1.0 { interface gate { done: func(); } }";
    let export = gate.replace("import", "export");
    for wit in [gate, &export] {
        let refusal = refusal(&component(wit));
        assert!(
            refusal.contains("`thoth:governance/gate@0.1.0`, which is the governor's"),
            "{refusal}"
        );
    }
}

#[test]
fn what_goes_by_another_name_than_its_own_is_refused() {
    for item in [
        r#"(import "env" (implements "wasi:cli/environment@0.2.6") (instance))"#,
        r#"(import "env" (implements "thoth:governance/gate@0.1.0") (instance))"#,
        r#"(import "env" (external-id "there") (instance))"#,
    ] {
        let refusal = refusal(&with(item));
        assert!(
            refusal.contains("goes by its own name only"),
            "{item}: {refusal}"
        );
    }
}

#[test]
fn code_that_comes_in_or_goes_out_is_refused() {
    for (item, what) in [
        (
            r#"(import "m" (core module))"#,
            "imports the core module `m`",
        ),
        (r#"(import "c" (component))"#, "imports the component `c`"),
        (
            r#"(core module $m) (export "m" (core module $m))"#,
            "`m` cannot be governed: it is a core module",
        ),
        (
            r#"(component $c) (export "c" (component $c))"#,
            "`c` cannot be governed: it is a component",
        ),
    ] {
        let refusal = refusal(&with(item));
        assert!(refusal.contains(what), "{item}: {refusal}");
    }
}

/// A component with a function to govern, and this item.
fn with(item: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component {item}
            (core module $f (func (export "f")))
            (core instance $i (instantiate $f))
            (func $f (canon lift (core func $i "f")))
            (export "f" (func $f)))"#
    ))
    .unwrap()
}

#[test]
fn an_environment_in_two_versions_is_refused() {
    // One of them would be the host's, with the governor's key in it.
    let refusal = refusal(&component(
        "package a:b; \
         world w { \
            import wasi:cli/environment@0.2.0; import wasi:cli/environment@0.3.0; export f: func(); } \
         package wasi:cli@0.2.0 { \
            interface environment { get-environment: func() -> list<tuple<string, string>>; } } \
         package wasi:cli@0.3.0 { \
            interface environment { get-environment: func() -> list<tuple<string, string>>; } }",
    ));
    assert!(refusal.contains("in two versions of WASI"), "{refusal}");
}

#[test]
fn what_has_nothing_to_govern_is_refused() {
    let refusal = refusal(&component(
        "package a:b; world w { export i: interface { type t = u8; } }",
    ));
    assert!(refusal.contains("exports no function"), "{refusal}");
}

#[test]
fn types_beyond_the_limits_are_refused() {
    let mut nested = "u8".to_owned();
    for _ in 0..32 {
        nested = format!("list<{nested}>");
    }
    let deep = of_interface(&format!("f: func(v: {nested});"));
    assert!(deep.contains("nest deeper than 31"), "{deep}");

    let fields: String = (0..1001).map(|at| format!("field{at}: u8,")).collect();
    let wide = of_interface(&format!("record r {{ {fields} }} f: func(r: r);"));
    assert!(wide.contains("1001 members, more than 1000"), "{wide}");

    let mut doubled = "record r0 { a: u8, b: u8 }".to_owned();
    for at in 1..14 {
        doubled.push_str(&format!("record r{at} {{ a: r{0}, b: r{0} }}", at - 1));
    }
    let large = of_interface(&format!("{doubled} f: func(r: r13);"));
    assert!(large.contains("more than 4096 parts"), "{large}");

    let long = "n".repeat(129);
    let name = of_interface(&format!("f: func({long}: u8);"));
    assert!(name.contains("no WIT name of at most 128 bytes"), "{name}");
}

#[test]
fn names_that_cannot_be_told_apart_are_refused() {
    let refusal = refusal(&component(
        "package a:b; world w { export a:c/i@1.0.0-a.b; export a:c/i@1.0.0-a-b; } \
         package a:c@1.0.0-a.b { interface i { go: func(); } } \
         package a:c@1.0.0-a-b { interface i { go: func(); } }",
    ));
    assert!(refusal.contains("not unique"), "{refusal}");
}

#[test]
fn other_files_are_refused_with_what_to_do() {
    for (bytes, expected) in [
        (&b"\0asm\x01\0\0\0"[..], "it is a core module; build it for"),
        (b"hello", "does not begin as a component does"),
        (b"", "does not begin as a component does"),
        (b"\0asm\x0d\0\x01\0\x07\xff", "cannot be described in WIT"),
        (b"\0asm\x0d\0\x01\0", "exports no function"),
    ] {
        let refusal = refusal(bytes);
        assert!(refusal.contains(expected), "{refusal}");
        assert!(!refusal.contains('\n'), "{refusal}");
    }
}

#[test]
fn a_truncated_component_is_refused() {
    let whole = bytes("shapes");
    for end in (0..whole.len()).step_by(whole.len() / 60) {
        let refusal = refusal(&whole[..end]);
        assert!(!refusal.is_empty() && !refusal.contains('\n'), "{refusal}");
    }
}

#[test]
fn what_does_not_govern_is_no_governor() {
    for governor in [&b"hello"[..], &bytes("docs-search")] {
        let error = wrap(&bytes("docs-search"), governor, &Options::default());
        let error = error.map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with("it is no portable governor: "), "{error}");
    }
}

#[test]
fn a_map_of_errors_that_does_not_fit_is_refused() {
    for (map, expected) in [
        (
            "nothing_such = true",
            "`nothing_such` is no function of the component; there are ",
        ),
        ("echo_u8 = true", "`echo_u8` returns no result"),
        ("fail_bare = 'x'", "its error has no value; write `true`"),
        ("fail_with_enum = '{refusal}'", "unknown case `{\\\"outcome"),
        (
            "fail_with_variant = { tag = 'nope' }",
            "the error.tag: unknown case `nope`",
        ),
        (
            "fail_with_record = { code = 1 }",
            "the error.message: missing",
        ),
        ("fail_with_record = true", "expected record"),
        ("[", "TOML"),
    ] {
        let refusal = error_map(map).and_then(|errors| {
            let options = Options {
                errors,
                ..Options::default()
            };
            wrap(&bytes("shapes"), &bytes("test-gate"), &options)
        });
        let refusal = refusal.map(|_| ()).unwrap_err().to_string();
        assert!(refusal.starts_with("errors: "), "{map}: {refusal}");
        assert!(refusal.contains(expected), "{map}: {refusal}");
    }
}
