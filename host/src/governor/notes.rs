//! What the host adds to the events of a call: what it measured, and which effect it is about.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use thoth_core::Event;

/// Members for the `metadata` of a call's events. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Map<String, Value>>>);

impl Notes {
    /// Sets one, for the events from here on.
    pub(crate) fn set(&self, name: &str, value: Value) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(name.into(), value);
    }

    /// The event with them. An event that is not a JSON object with `metadata` stays as it is.
    pub(crate) fn annotate(&self, mut event: Event) -> Event {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.is_empty() {
            return event;
        }
        // Not by the strict reader: an answer's number may be beyond what that takes.
        let Ok(mut body) = serde_json::from_str::<Value>(&event.body) else {
            return event;
        };
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            for (name, value) in notes.iter() {
                metadata.insert(name.clone(), value.clone());
            }
            let annotated = thoth_core::json::canonical(&body);
            if annotated.len() <= thoth_core::events::MAX_EVENT_BYTES {
                event.body = annotated;
            }
        }
        event
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use thoth_core::EventType;

    use super::*;

    fn event(body: &str) -> Event {
        Event {
            event_id: "acme:1".into(),
            session_id: "s".into(),
            call_id: "c".into(),
            event_type: EventType::ToolCallPost,
            body: body.into(),
        }
    }

    #[test]
    fn notes_are_added_to_the_metadata_and_nothing_else_changes() {
        let notes = Notes::default();
        let plain = r#"{"content":"metadata","metadata":{"risk_score":100000000000000000000}}"#;
        assert_eq!(notes.annotate(event(plain)).body, plain);
        notes.set("usage", json!({"fuel": 7}));
        assert_eq!(
            notes.annotate(event(plain)).body,
            r#"{"content":"metadata","metadata":{"risk_score":100000000000000000000,"usage":{"fuel":7}}}"#
        );
    }

    #[test]
    fn an_event_that_cannot_be_annotated_stays_as_it_is() {
        let notes = Notes::default();
        notes.set(
            "effect",
            "x".repeat(thoth_core::events::MAX_EVENT_BYTES).into(),
        );
        for body in ["", "7", r#"{"metadata":7}"#, r#"{"metadata":{}}"#] {
            assert_eq!(notes.annotate(event(body)).body, body);
        }
    }
}
