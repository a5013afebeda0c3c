//! What the caller of a function is told when its call is refused.

use serde_json::json;
use thoth_wrap::{Denial, Options, error_map, wrap};
use wasmtime::component::Val;

use crate::plain_host::{Plain, bytes, failed, text};

const REFUSAL: &str = r#"{"outcome":"refused"}"#;

fn with(map: &str) -> thoth_wrap::Wrapped {
    let options = Options {
        errors: error_map(map).unwrap(),
        ..Options::default()
    };
    wrap(&bytes("shapes"), &bytes("test-gate"), &options).unwrap()
}

fn denial(wrapped: &thoth_wrap::Wrapped, name: &str) -> Denial {
    let found = wrapped
        .functions
        .iter()
        .find(|function| function.name == name);
    found.unwrap().denial.clone()
}

fn refused(component: &[u8], function: &str, argument: Val) -> wasmtime::Result<Vec<Val>> {
    Plain::new(component, &[("GATE", "refuse")])
        .call(&format!("test:shapes/shapes@0.1.0#{function}"), &[argument])
}

fn ok() -> Val {
    Val::Result(Ok(None))
}

#[test]
fn errors_that_can_carry_a_text_are_guessed() {
    let wrapped = with("");
    let guessed = |error| Denial::Returns {
        error,
        guessed: true,
    };
    assert_eq!(
        denial(&wrapped, "fail_with_variant"),
        guessed(json!({ "tag": "access_denied", "val": "{refusal}" }))
    );
    assert_eq!(
        denial(&wrapped, "fail_with_record"),
        guessed(json!({ "code": 0, "message": "{refusal}", "hint": null }))
    );
    assert_eq!(
        denial(&wrapped, "echo_result"),
        Denial::Returns {
            error: json!("{refusal}"),
            guessed: false
        }
    );
    for trapping in [
        "fail_with_enum",
        "fail_bare",
        "fail_plain",
        "echo_u8",
        "nothing",
        "middle",
    ] {
        assert_eq!(denial(&wrapped, trapping), Denial::Traps, "{trapping}");
    }

    let result = refused(
        &wrapped.bytes,
        "fail-with-variant",
        Val::Result(Ok(Some(Box::new(text("x"))))),
    );
    let variant = Val::Variant("access-denied".to_owned(), Some(Box::new(text(REFUSAL))));
    assert_eq!(result.unwrap(), [failed(Some(variant))]);

    let result = refused(&wrapped.bytes, "fail-with-record", ok());
    let record = Val::Record(vec![
        ("code".to_owned(), Val::U32(0)),
        ("message".to_owned(), text(REFUSAL)),
        ("hint".to_owned(), Val::Option(None)),
    ]);
    assert_eq!(result.unwrap(), [failed(Some(record))]);
}

#[test]
fn a_map_says_what_is_returned() {
    let wrapped = with(
        "fail_with_record = { code = 403, message = 'refused: {refusal}', hint = 'ask {refusal}' }\n\
         fail_with_enum = 'dark_blue'\n\
         fail_bare = true\n\
         'test:shapes/shapes@0.1.0#fail-plain' = true\n\
         fail_with_variant = false\n",
    );
    let result = refused(&wrapped.bytes, "fail-with-record", ok());
    let record = Val::Record(vec![
        ("code".to_owned(), Val::U32(403)),
        ("message".to_owned(), text(&format!("refused: {REFUSAL}"))),
        (
            "hint".to_owned(),
            Val::Option(Some(Box::new(text(&format!("ask {REFUSAL}"))))),
        ),
    ]);
    assert_eq!(result.unwrap(), [failed(Some(record))]);

    let result = refused(
        &wrapped.bytes,
        "fail-with-enum",
        Val::Result(Ok(Some(Box::new(Val::U8(1))))),
    );
    assert_eq!(
        result.unwrap(),
        [failed(Some(Val::Enum("dark-blue".to_owned())))]
    );

    let result = refused(&wrapped.bytes, "fail-bare", ok());
    assert_eq!(result.unwrap(), [failed(None)]);
    let result = refused(
        &wrapped.bytes,
        "fail-plain",
        Val::Result(Ok(Some(Box::new(Val::Float64(1.0))))),
    );
    assert_eq!(result.unwrap(), [failed(None)]);

    assert_eq!(denial(&wrapped, "fail_with_variant"), Denial::Traps);
    refused(
        &wrapped.bytes,
        "fail-with-variant",
        Val::Result(Ok(Some(Box::new(text("x"))))),
    )
    .unwrap_err();
}

#[test]
fn a_component_can_be_called_again_after_a_refusal() {
    let wrapped = with("");
    let mut governed = Plain::new(&wrapped.bytes, &[("GATE", "refuse")]);
    for _ in 0..3 {
        let result = governed.call("test:shapes/shapes@0.1.0#fail-with-record", &[ok()]);
        assert!(matches!(result.unwrap()[..], [Val::Result(Err(_))]));
    }
}
