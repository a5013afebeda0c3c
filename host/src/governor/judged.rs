//! What the last event of a call says of its decision: the outcome of a call that ran does not.

use serde::Deserialize;
use thoth_core::{Event, EventType};

use crate::telemetry::Judged;

use super::members::members;

/// Reads it. An event that no governor of ours writes says nothing.
pub(super) fn of(event: &Event) -> Judged {
    match event.event_type {
        EventType::ToolCallPost => read(&event.body).unwrap_or_default(),
        EventType::ToolCallPre | EventType::ToolCallBlock => Judged::default(),
    }
}

fn read(body: &str) -> Option<Judged> {
    let mut judged = Judged::default();
    for member in members(body)? {
        let value = body.get(member.value)?;
        match member.name {
            "violation_id" => judged.violation = text(value),
            "metadata" => {
                for member in members(value)? {
                    let value = value.get(member.value)?;
                    match member.name {
                        "authorization_decision" => judged.verdict = verdict(value),
                        "decision_reason_code" => judged.code = text(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(judged)
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
        let judged = read(body).unwrap();
        assert_eq!(judged.verdict, Some("modify"));
        assert_eq!(judged.code.as_deref(), Some("r\"1"));
        assert_eq!(judged.violation.as_deref(), Some("v"));
        let bare = read(r#"{"metadata":{"authorization_decision":"PERHAPS"}}"#).unwrap();
        assert_eq!((bare.verdict, bare.code), (None, None));
        assert!(read("[]").is_none());
    }
}
