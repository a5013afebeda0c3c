//! What the host adds to the events of a call: what it measured, which effect it is about, and what
//! only the log is to know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use thoth_core::Event;

use super::members::{Member, members};

/// Members for the `metadata` of a call's events, and facts for its next record. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    metadata: BTreeMap<String, Value>,
    /// Names, and values as canonical JSON.
    facts: BTreeMap<&'static str, Arc<str>>,
}

impl Notes {
    /// Sets one, for the events from here on. Its name is of those that JSON writes as they are.
    pub(crate) fn set(&self, name: &str, value: Value) {
        self.lock().metadata.insert(name.into(), value);
    }

    /// Sets a fact, canonical JSON, for the next record only. It stays in the log.
    pub(crate) fn fact(&self, name: &'static str, json: impl Into<Arc<str>>) {
        self.lock().facts.insert(name, json.into());
    }

    /// Whether there is such a fact that no record has yet.
    pub(crate) fn has_fact(&self, name: &str) -> bool {
        self.lock().facts.contains_key(name)
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
        let notes = &noted.metadata;
        let annotated = added(&event.body, notes).or_else(|| rewritten(&event.body, notes));
        if let Some(annotated) = annotated
            && annotated.len() <= thoth_core::events::MAX_EVENT_BYTES
        {
            event.body = annotated;
        }
        event
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text with the notes among the members of its `metadata`, in the order of their names; what was
/// there under a note's name gives way. All other bytes stay: the governor wrote them.
/// `None` for a text that no governor of ours writes.
fn added(body: &str, notes: &BTreeMap<String, Value>) -> Option<String> {
    let metadata = members(body)?
        .into_iter()
        .find(|member| member.name == "metadata")?;
    let start = metadata.value.start;
    let old = members(body.get(metadata.value.clone())?)?;
    let mut text = String::with_capacity(body.len() + 512);
    text.push_str(body.get(..start)?);
    let mut separator = '{';
    let mut put = |name: &str, value: &str| {
        text.push(separator);
        separator = ',';
        text.push('"');
        text.push_str(name);
        text.push_str("\":");
        text.push_str(value);
    };
    let mut notes = notes.iter().peekable();
    let written = |value: &Value| thoth_core::json::canonical(value);
    for Member { name, value } in old {
        while let Some((note, add)) = notes.next_if(|(note, _)| note.as_str() < name) {
            put(note, &written(add));
        }
        match notes.next_if(|(note, _)| note.as_str() == name) {
            Some((note, add)) => put(note, &written(add)),
            None => put(name, body.get(start + value.start..start + value.end)?),
        }
    }
    for (note, add) in notes {
        put(note, &written(add));
    }
    text.push('}');
    text.push_str(body.get(metadata.value.end..)?);
    Some(text)
}

/// The same for any JSON.
fn rewritten(body: &str, notes: &BTreeMap<String, Value>) -> Option<String> {
    // Not by the strict reader: an answer's number may be beyond what that takes.
    let mut body: Value = serde_json::from_str(body).ok()?;
    let metadata = body.get_mut("metadata")?.as_object_mut()?;
    for (name, value) in notes {
        metadata.insert(name.clone(), value.clone());
    }
    Some(thoth_core::json::canonical(&body))
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

    #[test]
    fn a_note_goes_to_its_place_among_the_names_and_over_an_old_one() {
        let notes = Notes::default();
        notes.set("effect", json!({"b": 1, "a": "\"}"}));
        notes.set("usage", json!(7));
        notes.set("zeal", json!(null));
        let body = r#"{"a":{"metadata":1},"metadata":{"duration_ms":3,"tool":"},","usage":{"x":"}"}},"z":1}"#;
        assert_eq!(
            notes.annotate(event(body)).body,
            r#"{"a":{"metadata":1},"metadata":{"duration_ms":3,"effect":{"a":"\"}","b":1},"tool":"},","usage":7,"zeal":null},"z":1}"#
        );
        assert_eq!(
            notes.annotate(event(r#"{"metadata":{}}"#)).body,
            r#"{"metadata":{"effect":{"a":"\"}","b":1},"usage":7,"zeal":null}}"#
        );
    }

    #[test]
    fn a_name_in_disguise_does_not_stand_beside_a_note() {
        let notes = Notes::default();
        notes.set("usage", json!(7));
        for body in [
            r#"{"metadata":{"us\u0061ge":1}}"#,
            r#"{"metadata":{"usage":1,"usage":2}}"#,
            r#"{"meta\u0064ata":{"usage":1}}"#,
            r#"{"metadata":{"usage":1},"metadata":{}}"#,
        ] {
            assert_eq!(
                notes.annotate(event(body)).body,
                r#"{"metadata":{"usage":7}}"#
            );
        }
    }
}
