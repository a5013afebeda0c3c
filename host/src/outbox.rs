//! Between the governor's events and the durable log: keeping them, and sending them on.

use std::sync::Arc;
use std::time::Duration;

use thoth_core::{Event, EventType, Retry};
use thoth_outbox::{AppendError, Carrier, Outbox, Sent};

use crate::governor::Governors;

/// Keeps events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recorder(pub(crate) Outbox);

impl Recorder {
    /// Returns once the event is durable.
    pub(crate) async fn append(&self, event: Event) -> Result<(), AppendError> {
        let event = thoth_outbox::Event {
            id: event.event_id,
            session_id: event.session_id,
            call_id: event.call_id,
            event_type: event.event_type.as_str().into(),
            body: event.body,
        };
        self.0.append(event).await
    }
}

/// Takes batches from the log to the policy service, through the governor.
pub(crate) struct Courier(pub(crate) Arc<Governors>);

impl Carrier for Courier {
    async fn send(&self, batch: &[thoth_outbox::Event]) -> Sent {
        let mut events = Vec::with_capacity(batch.len());
        for event in batch {
            // The type is in the body as well, and only the body goes on the wire. A type of another
            // version must not keep its event here.
            let event_type = match event.event_type.as_str() {
                "TOOL_CALL_PRE" => EventType::ToolCallPre,
                "TOOL_CALL_BLOCK" => EventType::ToolCallBlock,
                _ => EventType::ToolCallPost,
            };
            events.push(Event {
                event_id: event.id.clone(),
                session_id: event.session_id.clone(),
                call_id: event.call_id.clone(),
                event_type,
                body: event.body.clone(),
            });
        }
        match self.0.emit(&events).await {
            Ok(_accepted) => Sent::Accepted,
            Err(error) => match error.retry {
                Retry::Never => Sent::Never { why: error.message },
                Retry::Later => Sent::Later {
                    after: error
                        .retry_after_seconds
                        .map(|seconds| Duration::from_secs(seconds.into())),
                    why: error.message,
                },
            },
        }
    }
}
