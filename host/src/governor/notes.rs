//! What the host adds to the events of a call: what it measured, which effect it is about, and what
//! only the log is to know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use thoth_core::Event;

/// Members for the `metadata` of a call's events, and facts for its next record. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    metadata: Map<String, Value>,
    /// Names, and values as canonical JSON.
    facts: BTreeMap<&'static str, Arc<str>>,
}

impl Notes {
    /// Sets one, for the events from here on.
    pub(crate) fn set(&self, name: &str, value: Value) {
        self.lock().metadata.insert(name.into(), value);
    }

    /// Sets a fact, canonical JSON, for the next record only. It stays in the log.
    pub(crate) fn fact(&self, name: &'static str, json: impl Into<Arc<str>>) {
        self.lock().facts.insert(name, json.into());
    }

    /// The facts for a record, canonical JSON; empty where there are none.
    pub(crate) fn take_facts(&self) -> String {
        let facts = std::mem::take(&mut self.lock().facts);
        let mut text = String::new();
        for (name, json) in &facts {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push('"');
            text.push_str(name);
            text.push_str("\":");
            text.push_str(json);
        }
        if !text.is_empty() {
            text.push('}');
        }
        text
    }

    /// The event with them. An event that is not a JSON object with `metadata` stays as it is.
    pub(crate) fn annotate(&self, mut event: Event) -> Event {
        let noted = self.lock();
        if noted.metadata.is_empty() {
            return event;
        }
        // Not by the strict reader: an answer's number may be beyond what that takes.
        let Ok(mut body) = serde_json::from_str::<Value>(&event.body) else {
            return event;
        };
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            for (name, value) in &noted.metadata {
                metadata.insert(name.clone(), value.clone());
            }
            let annotated = thoth_core::json::canonical(&body);
            if annotated.len() <= thoth_core::events::MAX_EVENT_BYTES {
                event.body = annotated;
            }
        }
        event
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            reason: String::new(),
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
    fn facts_are_canonical_and_for_one_record_only() {
        let notes = Notes::default();
        assert_eq!(notes.take_facts(), "");
        notes.fact("tool_sha256", r#""ab""#);
        notes.fact("limits", r#"{"fuel":7}"#);
        let plain = r#"{"metadata":{}}"#;
        assert_eq!(notes.annotate(event(plain)).body, plain);
        assert_eq!(
            notes.take_facts(),
            r#"{"limits":{"fuel":7},"tool_sha256":"ab"}"#
        );
        assert_eq!(notes.take_facts(), "");
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
