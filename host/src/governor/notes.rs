//! What the host adds to the events of a call: what it measured, which effect it is about, and what
//! only the log is to know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use thoth_core::Event;

use super::members::{Member, Written};

/// Members for the `metadata` of a call's events, and facts for its next record. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    // Names, and values as canonical JSON, in both.
    metadata: BTreeMap<&'static str, String>,
    facts: BTreeMap<&'static str, Arc<str>>,
}

impl Notes {
    /// Sets one, canonical JSON, for the events from here on. Its name is of those that JSON writes as
    /// they are.
    pub(crate) fn set(&self, name: &'static str, json: String) {
        self.lock().metadata.insert(name, json);
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

    /// The event with them.
    pub(crate) fn annotate(&self, mut event: Event) -> Event {
        if let Some(body) = self.annotated(&event.body, Written::read(&event.body).as_ref()) {
            event.body = body;
        }
        event
    }

    /// The body of an event with them. One that is not a JSON object with `metadata` stays as it is, and
    /// so does one that would be too long.
    pub(super) fn annotated(&self, body: &str, written: Option<&Written<'_>>) -> Option<String> {
        let noted = self.lock();
        if noted.metadata.is_empty() {
            return None;
        }
        let notes = &noted.metadata;
        let annotated = match written {
            Some(written) => added(body, written, notes),
            None => rewritten(body, notes),
        };
        annotated.filter(|annotated| annotated.len() <= thoth_core::events::MAX_EVENT_BYTES)
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text with the notes among the members of its `metadata`, in the order of their names; what was
/// there under a note's name gives way. All other bytes stay: the governor wrote them.
fn added(
    body: &str,
    written: &Written<'_>,
    notes: &BTreeMap<&'static str, String>,
) -> Option<String> {
    let metadata = body.get(written.metadata.clone())?;
    let mut text = String::with_capacity(body.len() + 512);
    text.push_str(body.get(..written.metadata.start)?);
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
    for Member { name, value } in &written.notes {
        while let Some((note, json)) = notes.next_if(|(note, _)| *note < name) {
            put(note, json);
        }
        match notes.next_if(|(note, _)| *note == name) {
            Some((note, json)) => put(note, json),
            None => put(name, metadata.get(value.clone())?),
        }
    }
    for (note, json) in notes {
        put(note, json);
    }
    text.push('}');
    text.push_str(body.get(written.metadata.end..)?);
    Some(text)
}

/// The same for any JSON.
fn rewritten(body: &str, notes: &BTreeMap<&'static str, String>) -> Option<String> {
    // Not by the strict reader: an answer's number may be beyond what that takes.
    let mut body: Value = serde_json::from_str(body).ok()?;
    let metadata = body.get_mut("metadata")?.as_object_mut()?;
    for (name, json) in notes {
        metadata.insert((*name).into(), serde_json::from_str(json).ok()?);
    }
    Some(thoth_core::json::canonical(&body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotated(notes: &Notes, body: &str) -> String {
        let annotated = notes.annotated(body, Written::read(body).as_ref());
        annotated.unwrap_or_else(|| body.into())
    }

    #[test]
    fn notes_are_added_to_the_metadata_and_nothing_else_changes() {
        let notes = Notes::default();
        let plain = r#"{"content":"metadata","metadata":{"risk_score":100000000000000000000}}"#;
        assert_eq!(annotated(&notes, plain), plain);
        notes.set("usage", r#"{"fuel":7}"#.into());
        assert_eq!(
            annotated(&notes, plain),
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
        assert_eq!(annotated(&notes, plain), plain);
        assert_eq!(
            notes.take_facts(),
            r#"{"limits":{"fuel":7},"tool_sha256":"ab"}"#
        );
        assert_eq!(notes.take_facts(), "");
    }

    #[test]
    fn an_event_that_cannot_be_annotated_stays_as_it_is() {
        let notes = Notes::default();
        notes.set("effect", "x".repeat(thoth_core::events::MAX_EVENT_BYTES));
        for body in ["", "7", r#"{"metadata":7}"#, r#"{"metadata":{}}"#] {
            assert_eq!(annotated(&notes, body), body);
        }
    }

    #[test]
    fn a_note_goes_to_its_place_among_the_names_and_over_an_old_one() {
        let notes = Notes::default();
        notes.set("effect", r#"{"a":"\"}","b":1}"#.into());
        notes.set("usage", r#"7"#.into());
        notes.set("zeal", r#"null"#.into());
        let body = r#"{"a":{"metadata":1},"metadata":{"duration_ms":3,"tool":"},","usage":{"x":"}"}},"z":1}"#;
        assert_eq!(
            annotated(&notes, body),
            r#"{"a":{"metadata":1},"metadata":{"duration_ms":3,"effect":{"a":"\"}","b":1},"tool":"},","usage":7,"zeal":null},"z":1}"#
        );
        assert_eq!(
            annotated(&notes, r#"{"metadata":{}}"#),
            r#"{"metadata":{"effect":{"a":"\"}","b":1},"usage":7,"zeal":null}}"#
        );
    }

    #[test]
    fn a_name_in_disguise_does_not_stand_beside_a_note() {
        let notes = Notes::default();
        notes.set("usage", r#"7"#.into());
        for body in [
            r#"{"metadata":{"us\u0061ge":1}}"#,
            r#"{"metadata":{"usage":1,"usage":2}}"#,
            r#"{"meta\u0064ata":{"usage":1}}"#,
            r#"{"metadata":{"usage":1},"metadata":{}}"#,
        ] {
            assert_eq!(annotated(&notes, body), r#"{"metadata":{"usage":7}}"#);
        }
    }
}
