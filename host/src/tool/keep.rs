//! What of a call's arguments and result the log keeps besides their digests.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use thoth_egress::Secrets;
use thoth_grants::Keep;

use super::mask;

/// The most that is kept of one text of arguments or result, in bytes.
const KEPT_MAX: usize = 16 << 10;

/// The operator's choice for one tool.
pub(crate) struct Keeper {
    keep: Keep,
    secrets: Option<Arc<Secrets>>,
}

impl Keeper {
    pub(super) fn new(keep: Keep, secrets: Option<Arc<Secrets>>) -> Self {
        Self { keep, secrets }
    }

    /// What is kept of a value, as canonical JSON; nothing by default.
    pub(crate) fn kept(&self, value: &Value) -> Option<String> {
        let mut kept = match self.keep {
            Keep::Digest => return None,
            Keep::Masked => masked(value),
            Keep::Full => value.clone(),
        };
        if let Some(secrets) = &self.secrets {
            mask::mask_value(secrets, &mut kept);
        }
        let text = thoth_core::json::canonical(&kept);
        if text.len() <= KEPT_MAX {
            return Some(text);
        }
        Some(json!({"too_long_bytes": text.len()}).to_string())
    }
}

/// The value with the length of each text in its place.
fn masked(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => format!("<{} characters>", text.chars().count()).into(),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), masked(value)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(keep: Keep, value: &Value) -> Option<String> {
        Keeper::new(keep, None).kept(value)
    }

    #[test]
    fn by_default_nothing_is_kept_and_masked_keeps_no_text() {
        let value = json!({"to": "ann", "amount": 7, "more": [true, null, "é€"]});
        assert_eq!(kept(Keep::Digest, &value), None);
        let masked = kept(Keep::Masked, &value).unwrap();
        assert_eq!(
            masked,
            r#"{"amount":7,"more":[true,null,"<2 characters>"],"to":"<3 characters>"}"#
        );
        let full = kept(Keep::Full, &value).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&full).unwrap(), value);
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        let long = kept(Keep::Full, &"x".repeat(KEPT_MAX).into()).unwrap();
        assert_eq!(long, format!(r#"{{"too_long_bytes":{}}}"#, KEPT_MAX + 2));
    }
}
