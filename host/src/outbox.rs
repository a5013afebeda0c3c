//! Between the governor's events and the durable log: keeping them, and sending them on.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};
use thoth_core::events::Local;
use thoth_core::{
    Cause, Event, EventType, Hold, Retry, Session, Timestamp, ToolCall, ToolFailure, Verdict,
};
use thoth_outbox::{AppendError, Carrier, Outbox, Sent};
use tokio::sync::watch;
use uuid::Uuid;

use crate::governor::{Claim, Governors};

/// Keeps events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) outbox: Outbox,
    /// How many calls and effects are on their way, and will have one more event.
    open: Arc<watch::Sender<usize>>,
}

/// Something that will have one more event. As long as it lives, [`Recorder::all_ended`] waits.
pub(crate) struct Open {
    recorder: Recorder,
}

impl Open {
    /// Keeps the event of something that was given up, after its future is gone, as [`Recorder::append_end`] does.
    pub(crate) fn end_later(self, event: Event, facts: String, began: bool) {
        // Outside of a runtime nothing can be appended; that it began is in the log.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let kept = self.recorder.append_end(event, facts, began).await;
                drop(self);
                kept
            });
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.recorder.open.send_modify(|open| *open -= 1);
    }
}

impl Recorder {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self {
            outbox,
            open: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Something begins that will have an event at its end, whatever happens.
    pub(crate) fn open(&self) -> Open {
        self.open.send_modify(|open| *open += 1);
        Open {
            recorder: self.clone(),
        }
    }

    /// Waits until nothing is on its way.
    pub(crate) async fn all_ended(&self) {
        let mut open = self.open.subscribe();
        // The sender is ours, so there is an end to wait for.
        let _ = open.wait_for(|open| *open == 0).await;
    }

    /// Returns once the event is durable. `facts` (canonical JSON, or nothing) stay in the log, as the
    /// reason does.
    pub(crate) async fn append(&self, event: Event, facts: String) -> Result<(), AppendError> {
        self.outbox.append(whole(event, facts)).await
    }

    /// As [`Self::append`], of how something ended: there is always room for that if the log has that it began.
    pub(crate) async fn append_end(
        &self,
        event: Event,
        facts: String,
        began: bool,
    ) -> Result<(), AppendError> {
        let event = whole(event, facts);
        match began {
            true => self.outbox.append_end(event).await,
            false => self.outbox.append(event).await,
        }
    }

    /// Keeps the record of where a session starts or ends, and has it delivered as the SDKs' services
    /// know it: as an event about a tool of that name. `told` stays in the log. Returns once it is durable.
    pub(crate) async fn session(
        &self,
        session: &Session,
        edge: Edge,
        told: Value,
    ) -> Result<(), AppendError> {
        let tenant = match session.tenant_id.as_str() {
            "" => "unknown",
            tenant => tenant,
        };
        let id = format!("{tenant}:{}", Uuid::new_v4());
        let (kind, tool, content) = edge.words();
        let now = now();
        let body = json!({
            "agent_id": session.agent_id,
            "approved_scope": session.approved_scope,
            "content": content,
            "enforcement_mode": session.mode.as_str(),
            "event_id": id,
            "event_type": EventType::ToolCallPost.as_str(),
            "metadata": {},
            "occurred_at": now.rfc3339(),
            "session_id": session.session_id,
            "session_tool_calls": session.history,
            "source_type": "agent_tool_call",
            "tenant_id": session.tenant_id,
            "tool_name": tool,
            "ttl": now.seconds.saturating_add(RETENTION),
            "user_id": session.user_id,
        });
        let event = thoth_outbox::Event {
            id,
            session_id: session.session_id.clone(),
            call_id: String::new(),
            event_type: kind.into(),
            body: thoth_core::json::canonical(&body),
            facts: thoth_core::json::canonical(&told),
        };
        match edge {
            Edge::Start => self.outbox.append(event).await,
            Edge::End => self.outbox.append_end(event).await,
        }
    }

    /// Keeps a record that nobody is told: of a hold or an approval. Returns once it is durable.
    pub(crate) async fn keep(&self, note: Note) -> Result<(), AppendError> {
        let event = thoth_outbox::Event {
            id: match note.id {
                Some(id) => format!("local:{id}"),
                None => format!("local:{}", Uuid::new_v4()),
            },
            session_id: note.session_id,
            call_id: note.call_id,
            event_type: note.kind.into(),
            body: thoth_core::json::canonical(&note.body),
            facts: String::new(),
        };
        self.outbox.keep(event).await
    }
}

/// How long a session's events are to be kept by who gets them, in seconds: 90 days.
const RETENTION: u64 = 7_776_000;

/// An end of a session.
#[derive(Clone, Copy)]
pub(crate) enum Edge {
    Start,
    End,
}

impl Edge {
    /// What the log calls it, the tool that it is told as, and what it says.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Start => ("SESSION_START", "session_start", "session started"),
            Self::End => ("SESSION_END", "session_end", "session ended"),
        }
    }
}

/// A record that nobody is told.
pub(crate) struct Note {
    /// What it is known by; where it is none other's, a random one.
    id: Option<String>,
    kind: &'static str,
    session_id: String,
    call_id: String,
    body: Value,
}

impl Note {
    /// Of something in a session; `more` is what it says besides who the session is of.
    pub(crate) fn new(
        kind: &'static str,
        session: &Session,
        call: Option<&ToolCall>,
        more: Value,
    ) -> Self {
        let mut body = json!({
            "session_id": session.session_id,
            "tenant_id": session.tenant_id,
            "agent_id": session.agent_id,
            "user_id": session.user_id,
            "tool_name": call.map(|call| &call.tool),
            "enforcement_mode": session.mode.as_str(),
        });
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
            body.retain(|_, value| !value.is_null());
        }
        Self {
            id: None,
            kind,
            session_id: session.session_id.clone(),
            call_id: call.map(|call| call.call_id.clone()).unwrap_or_default(),
            body,
        }
    }
}

impl Note {
    /// Of an approval that is about to be used, by `claim`. There is one for a hold of a call: who comes
    /// second, in whatever process, cannot keep another one.
    pub(crate) fn approval(
        session: &Session,
        call: &ToolCall,
        hold: &Hold,
        claim: Option<&Claim>,
    ) -> Self {
        let key = json!([session.session_id, call.call_id, hold.token]);
        let id = thoth_core::json::digest(&thoth_core::json::canonical(&key));
        // Without a claim every use is another one.
        let used = claim.map_or_else(|| Uuid::new_v4().to_string(), Claim::digest);
        let told = json!({"digest": hold.digest, "use": used});
        Self {
            id: Some(format!("approval:{id}")),
            ..Self::new("APPROVAL", session, Some(call), told)
        }
    }
}

/// The longest reason that is kept, in bytes.
const REASON_MAX: usize = 2_000;

/// An event as the log has it.
fn whole(event: Event, facts: String) -> thoth_outbox::Event {
    thoth_outbox::Event {
        facts: with_reason(facts, &event.reason),
        id: event.event_id,
        session_id: event.session_id,
        call_id: event.call_id,
        event_type: event.event_type.as_str().into(),
        body: event.body,
    }
}

/// Facts with the reason of a decision among them.
fn with_reason(facts: String, reason: &str) -> String {
    if reason.is_empty() {
        return facts;
    }
    let mut all: Map<String, Value> = serde_json::from_str(&facts).unwrap_or_default();
    let kept = reason.get(..reason.floor_char_boundary(REASON_MAX));
    all.insert("reason".into(), kept.unwrap_or_default().into());
    thoth_core::json::canonical(&Value::Object(all))
}

impl Recorder {
    /// The last event of a call that the governor did not end: see [`thoth_core::events::broken`].
    pub(crate) fn broken(
        &self,
        session: &Session,
        call: &ToolCall,
        why: &str,
        ran: Option<&ToolFailure>,
    ) -> Event {
        self.ended(session, call, Cause::GovernorFault, why, ran)
    }

    /// The last event of a call that was given up while its tool ran: see
    /// [`thoth_core::events::given_up`].
    pub(crate) fn given_up(
        &self,
        session: &Session,
        call: &ToolCall,
        verdict: Option<Verdict>,
        duration: Duration,
    ) -> Event {
        let random = Uuid::new_v4().into_bytes();
        thoth_core::events::given_up(session, call, random, now(), verdict, duration)
    }

    /// The event of a call that is refused before anybody is asked.
    pub(crate) fn refused(
        &self,
        session: &Session,
        call: &ToolCall,
        cause: Cause,
        why: &str,
    ) -> Event {
        self.ended(session, call, cause, why, None)
    }

    fn ended(
        &self,
        session: &Session,
        call: &ToolCall,
        cause: Cause,
        why: &str,
        ran: Option<&ToolFailure>,
    ) -> Event {
        let random = Uuid::new_v4().into_bytes();
        thoth_core::events::broken(session, call, random, now(), cause, why, ran)
    }

    /// The event of a step that the host decides about: see [`thoth_core::events::local`].
    pub(crate) fn local(&self, session: &Session, call: &ToolCall, step: Local<'_>) -> Event {
        let random = Uuid::new_v4().into_bytes();
        thoth_core::events::local(session, call, random, now(), step)
    }
}

/// SHA-256 of a text as a JSON string of lower-case hex: for a fact.
pub(crate) fn quoted_digest(text: &str) -> String {
    format!("\"{}\"", thoth_core::json::digest(text))
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp {
        seconds: since.as_secs(),
        nanoseconds: since.subsec_nanos(),
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
                reason: String::new(),
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
