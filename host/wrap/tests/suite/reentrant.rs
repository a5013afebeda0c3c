//! The adapter has one arena and one set of slots for the call that runs, and so relies on a rule of the
//! component model: an instance is not entered while it is in a call. Hosts trap where somebody tries.

use wasmtime::Trap;

use thoth_wrap::{Options, wrap};

use crate::plain_host::{Plain, bytes};

/// Calls what it imports, which calls it.
const CALLS_BACK: &str = r#"(component
    (import "a:b/back" (instance $back (export "go" (func))))
    (alias export $back "go" (func $go))
    (core func $lowered (canon lower (func $go)))
    (core module $module
        (import "" "go" (func $go))
        (func (export "f") call $go))
    (core instance $instance (instantiate $module
        (with "" (instance (export "go" (func $lowered))))))
    (func (export "f") (canon lift (core func $instance "f"))))"#;

#[test]
fn a_call_from_within_a_call_traps_before_anybody_is_asked() {
    let tool = wat::parse_str(CALLS_BACK).unwrap();
    let wrapped = wrap(&tool, &bytes("test-gate"), &Options::default()).unwrap();
    let mut governed = Plain::new(&wrapped.bytes, &[("GATE", "allow")]);
    governed.on_import_call("f");
    let trapped = governed.call("f", &[]).unwrap_err();
    assert_eq!(
        trapped.downcast_ref::<Trap>(),
        Some(&Trap::CannotEnterComponent),
        "{trapped:?}"
    );
    assert_eq!(governed.notes(), "check f {}\n");
}
