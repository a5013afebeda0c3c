//! `POST /v1/events/batch`: takes behavioural events, each once.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{ApiError, reply};
use crate::call::Fields;
use crate::enforcer::Enforcer;
use crate::store::StoredEvent;

/// The most events in one batch. SDKs send ten.
const MAX_EVENTS: usize = 1000;

impl Enforcer {
    /// Takes `[…]` or `{"events": […]}`, all of it or nothing.
    pub(crate) fn events(&self, bytes: &[u8]) -> Result<Response<Bytes>, ApiError> {
        // A batch that is refused is lost, and a number of 64 bits in one event is no reason for that.
        let events = match crate::json::parse_told(bytes)? {
            Value::Array(events) => events,
            Value::Object(mut envelope) => match envelope.remove("events") {
                Some(Value::Array(events)) => events,
                _ => return Err(ApiError::invalid("`events` must be an array")),
            },
            _ => return Err(ApiError::invalid("the body must be an array or an object")),
        };
        if events.len() > MAX_EVENTS {
            let message = format!("a batch has at most {MAX_EVENTS} events");
            return Err(ApiError::invalid(message));
        }
        let events = events
            .into_iter()
            .enumerate()
            .map(|(index, event)| {
                self.stored(event).map_err(|error| {
                    let message = format!("event {index}: {}", error.message);
                    ApiError { message, ..error }
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let accepted = self.store().keep_events(&events)?;
        let duplicates = events.len() - accepted;
        Ok(reply(
            StatusCode::ACCEPTED,
            &json!({"accepted": accepted, "duplicates": duplicates}),
        ))
    }

    /// Checks only what an event is kept by: one that is refused is lost.
    fn stored(&self, event: Value) -> Result<StoredEvent, ApiError> {
        let Value::Object(event) = event else {
            return Err(ApiError::invalid("must be an object"));
        };
        let event = snake_case(event)?;
        let fields = Fields(&event);
        let tenant_id = fields.required_text("tenant_id")?;
        if !self.serves_tenant(&tenant_id) {
            return Err(ApiError::forbidden("this enforcer serves another tenant"));
        }
        let given_id = fields.text("event_id")?.filter(|id| !id.is_empty());
        let session_id = fields.required_text("session_id")?;
        let event_type = fields.required_text("event_type")?;
        let event = Value::Object(event);
        // The same event sent again has the same canonical text, so this id tells repetitions as well.
        let by_content = || {
            let canonical = thoth_core::json::canonical(&event);
            format!("sha256:{}", thoth_core::json::digest(&canonical))
        };
        Ok(StoredEvent {
            event_id: given_id.unwrap_or_else(by_content),
            tenant_id,
            session_id,
            event_type,
            body: event.to_string(),
        })
    }
}

/// Gives an event's own keys their snake case names; what is inside the values is left as it is.
fn snake_case(event: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    let mut renamed = Map::new();
    for (name, value) in event {
        let mut snake = String::with_capacity(name.len() + 4);
        for character in name.chars() {
            if character.is_ascii_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.push(character.to_ascii_lowercase());
        }
        if renamed.insert(snake, value).is_some() {
            let message = format!("field `{name}` comes in both spellings");
            return Err(ApiError::invalid(message));
        }
    }
    Ok(renamed)
}
