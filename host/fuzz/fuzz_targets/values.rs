//! A letter that chooses a function, then any JSON text: it is refused in one line, or it comes back
//! out of a call as the same JSON.
#![no_main]

#[path = "values/fixture.rs"]
mod fixture;
#[path = "../../values/tests/support/mod.rs"]
mod support;

use std::sync::LazyLock;

use fixture::{ECHOED, FLAGS};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use support::Echo;
use thoth_values::{Function, LiftError, Lifted};

/// The fixture never frees and its memory is small, so that only short texts are called with.
const CALLED_WITH: usize = 512;

static ECHO: LazyLock<Echo> = LazyLock::new(|| Echo::new(&fixture::wit()));

fuzz_target!(|text: &str| {
    let mut letters = text.chars();
    let Some(letter) = letters.next() else { return };
    let Ok(json) = serde_json::from_str::<Value>(letters.as_str()) else {
        return;
    };
    let at = letter as usize % ECHOED.len();
    let name = format!("echo_{at}");
    let function = ECHO.function(&name);

    round(&name, function, ECHOED[at], &json, text.len());
    round(
        &name,
        function,
        ECHOED[at],
        &json!({ "v": json }),
        text.len(),
    );
});

fn round(name: &str, function: &Function, ty: &str, arguments: &Value, size: usize) {
    let vals = match function.lower(arguments) {
        Ok(vals) => vals,
        Err(misfit) => {
            assert_eq!(function.check(arguments), Err(misfit.clone()));
            let line = misfit.to_string();
            assert!(
                !line.contains(char::is_control) && line.chars().count() < 1_000,
                "{line}"
            );
            return;
        }
    };
    let back = lift(function, &vals[..1], usize::MAX).expect("what was lowered lifts");
    let given = arguments.get("v").unwrap_or(&Value::Null);
    assert!(same(given, &back, ty.contains("f32")), "{given} is {back}");

    let again = function
        .lower(&json!({ "v": back }))
        .expect("what was lifted lowers");
    assert_eq!(again[0], vals[0]);
    assert_eq!(lift(function, &again[..1], usize::MAX), Ok(back.clone()));

    let written = back.to_string();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), back);
    let bytes = written.len();
    assert_eq!(lift(function, &vals[..1], bytes), Ok(back.clone()));
    assert_eq!(
        lift(function, &vals[..1], bytes - 1),
        Err(LiftError::TooLarge { max: bytes - 1 })
    );

    if size <= CALLED_WITH {
        let called = ECHO
            .call(name, arguments)
            .expect("what was lowered is taken");
        assert_eq!(called, Lifted::Completed(back));
    }
}

fn lift(
    function: &Function,
    vals: &[wasmtime::component::Val],
    max: usize,
) -> Result<Value, LiftError> {
    match function.lift(vals, max)? {
        Lifted::Completed(json) => Ok(json),
        Lifted::ToolError(json) => panic!("no function has a result at its top: {json}"),
    }
}

/// Whether the second is the first in the form that the crate writes.
fn same(given: &Value, back: &Value, single: bool) -> bool {
    match (given, back) {
        (Value::Number(given), Value::Number(back)) => {
            let (Some(given), Some(back)) = (given.as_f64(), back.as_f64()) else {
                return false;
            };
            given == back || (single && given as f32 == back as f32)
        }
        // 64 bits as text, which are written as a number where one holds them.
        (Value::String(given), Value::Number(back)) => *given == back.to_string(),
        (Value::Array(given), Value::Array(back)) => {
            let pairs = given.iter().zip(back);
            given.len() == back.len()
                && (pairs
                    .into_iter()
                    .all(|(given, back)| same(given, back, single))
                    || flags(given).is_some_and(|given| Some(given) == flags(back)))
        }
        (Value::Object(given), Value::Object(back)) => {
            given.keys().all(|key| back.contains_key(key))
                && back.iter().all(|(key, back)| {
                    // What is left out is null.
                    same(given.get(key).unwrap_or(&Value::Null), back, single)
                })
        }
        (given, back) => given == back,
    }
}

/// The flags that an array names, in one order.
fn flags(items: &[Value]) -> Option<Vec<&str>> {
    let names = items.iter().map(Value::as_str);
    let mut names = names.collect::<Option<Vec<&str>>>()?;
    names.sort_unstable();
    names
        .iter()
        .all(|name| FLAGS.contains(name))
        .then_some(names)
}
