//! One record, as a line for people and as JSON for programs.

use std::time::Duration;

use serde_json::{Value, json};
use thoth_core::Timestamp;
use thoth_host::inert;
use thoth_host::log::{Delivery, Entry};

/// A record and what its texts say.
pub(super) struct Read {
    pub(super) entry: Entry,
    pub(super) body: Value,
    pub(super) facts: Value,
}

impl Read {
    /// What is not JSON reads as a text.
    pub(super) fn new(entry: Entry) -> Self {
        let read = |text: &str| {
            if text.is_empty() {
                return Value::Null;
            }
            // An object stands for its text only where the text can be made of it again, to be hashed.
            serde_json::from_str(text)
                .ok()
                .filter(|value| thoth_core::json::canonical(value) == text)
                .unwrap_or_else(|| text.into())
        };
        Self {
            body: read(&entry.event.body),
            facts: read(&entry.event.facts),
            entry,
        }
    }

    /// A text of the event.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.body
            .pointer(pointer)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    /// The record as `export` and `--json` have it. With the documentation's script it is enough to
    /// check the chain.
    pub(super) fn to_json(&self) -> Value {
        let Entry {
            index,
            appended_at,
            previous,
            hash,
            event,
            destination,
            delivery,
        } = &self.entry;
        let (delivery, why) = match delivery {
            Delivery::Kept => ("kept", None),
            Delivery::Waiting => ("waiting", None),
            Delivery::Delivered => ("delivered", None),
            Delivery::Refused(why) => ("refused", Some(why)),
        };
        let mut line = json!({
            "index": index,
            "appended_at": appended_at,
            "time": time(*appended_at),
            "previous_hash": previous.to_string(),
            "hash": hash.to_string(),
            "destination": destination,
            "delivery": delivery,
            "id": event.id,
            "session_id": event.session_id,
            "call_id": event.call_id,
            "event_type": event.event_type,
            "body": self.body,
            "facts": self.facts,
        });
        if let (Some(why), Some(members)) = (why, line.as_object_mut()) {
            members.insert("delivery_error".into(), why.clone().into());
        }
        line
    }

    /// The record as one line.
    pub(super) fn line(&self) -> String {
        let event = &self.entry.event;
        let metadata = |name: &str| self.text(&format!("/metadata/{name}"));
        let mut words = vec![
            time(self.entry.appended_at),
            format!("#{}", self.entry.index),
            kind(&event.event_type).into(),
        ];
        words.extend(self.text("/tool_name").map(str::to_owned));
        words.extend(super::story::target(&self.body));
        words.extend(metadata("authorization_decision").map(str::to_owned));
        words.extend(metadata("decision_reason_code").map(|code| format!("({code})")));
        words.extend(metadata("tool_failure_cause").map(|cause| format!("failed: {cause}")));
        if let Some(agent) = self.text("/agent_id") {
            let tenant = self.text("/tenant_id").unwrap_or("?");
            words.push(format!("by {agent}@{tenant}"));
        }
        if !event.call_id.is_empty() {
            words.push(format!("call {}", event.call_id));
        }
        // Agent and tool wrote some of this: it must not be able to drive the terminal.
        inert(&words.join("  "), 1_000)
    }
}

/// What happened, in a word.
fn kind(event_type: &str) -> &str {
    match event_type {
        "TOOL_CALL_PRE" => "asked",
        "TOOL_CALL_POST" => "ran",
        "TOOL_CALL_BLOCK" => "refused",
        other => other,
    }
}

/// Milliseconds of the Unix epoch as RFC 3339, in UTC with three decimals.
pub(super) fn time(millis: i64) -> String {
    let since = Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    let whole = Timestamp {
        seconds: since.as_secs(),
        nanoseconds: 0,
    };
    let text = whole.rfc3339();
    format!(
        "{}.{:03}Z",
        text.trim_end_matches('Z'),
        since.subsec_millis()
    )
}
