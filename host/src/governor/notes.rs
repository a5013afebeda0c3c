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
        let Ok(mut body) = thoth_core::json::parse(event.body.as_bytes()) else {
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
