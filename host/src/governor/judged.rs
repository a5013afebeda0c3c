//! What the last event of a call says of its decision: the outcome of a call that ran does not.

use serde::Deserialize;

use crate::telemetry::Judged;

use super::members::Written;

/// Reads it.
pub(super) fn of(event: &Written<'_>) -> Judged {
    let violation = event.member("violation_id");
    Judged {
        verdict: event.noted("authorization_decision").and_then(verdict),
        code: event.noted("decision_reason_code").and_then(text),
        violation: violation.and_then(text),
    }
}

fn text(value: &str) -> Option<String> {
    String::deserialize(&mut serde_json::Deserializer::from_str(value)).ok()
}

/// One of few words, so that there are few figures.
fn verdict(value: &str) -> Option<&'static str> {
    match value {
        r#""ALLOW""# => Some("allow"),
        r#""MODIFY""# => Some("modify"),
        r#""STEP_UP""# => Some("step_up"),
        r#""DEFER""# => Some("defer"),
        r#""BLOCK""# => Some("block"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decision_is_read_where_the_governor_writes_it() {
        let body = r#"{"content":"x","metadata":{"authorization_decision":"MODIFY","decision_reason_code":"r\"1"},"violation_id":"v"}"#;
        let judged = of(&Written::read(body).unwrap());
        assert_eq!(judged.verdict, Some("modify"));
        assert_eq!(judged.code.as_deref(), Some("r\"1"));
        assert_eq!(judged.violation.as_deref(), Some("v"));
        let bare = r#"{"metadata":{"authorization_decision":"PERHAPS"}}"#;
        let bare = of(&Written::read(bare).unwrap());
        assert_eq!((bare.verdict, bare.code), (None, None));
        assert!(Written::read("[]").is_none());
    }
}
