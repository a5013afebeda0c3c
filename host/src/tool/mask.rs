//! Keeps secrets out of what a tool gives back.

use serde_json::{Map, Value};
use thoth_core::ToolFailure;
use thoth_egress::Secrets;

/// Masks every secret in a result or a failure; says whether there was one.
pub(super) fn outcome(secrets: &Secrets, result: &mut Result<Value, ToolFailure>) -> bool {
    match result {
        Ok(value) => mask_value(secrets, value),
        Err(failure) => {
            let message = mask_text(secrets, &mut failure.message);
            failure.error.as_mut().map_or(message, |error| {
                match serde_json::from_str::<Value>(error) {
                    Ok(mut value) => {
                        let masked = mask_value(secrets, &mut value);
                        if masked {
                            *error = value.to_string();
                        }
                        masked | message
                    }
                    Err(_) => mask_text(secrets, error) | message,
                }
            })
        }
    }
}

/// Masks every secret in a value, in names too; says whether there was one.
pub(super) fn mask_value(secrets: &Secrets, value: &mut Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => mask_text(secrets, text),
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |masked, item| masked | mask_value(secrets, item)),
        Value::Object(members) => {
            let mut masked = false;
            for (mut name, mut value) in std::mem::replace(members, Map::new()) {
                masked |= mask_text(secrets, &mut name) | mask_value(secrets, &mut value);
                members.insert(name, value);
            }
            masked
        }
    }
}

fn mask_text(secrets: &Secrets, text: &mut String) -> bool {
    let (kept, masked) = secrets.mask(text.as_bytes());
    if masked {
        *text = String::from_utf8_lossy(&kept).into_owned();
    }
    masked
}
