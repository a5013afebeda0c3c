//! A governor's outside that answers from a script and remembers everything.

use std::collections::VecDeque;
use std::time::Duration;

use thoth_core::{
    Config, Event, Fault, FaultKind, Governor, Hold, OutboxError, Outcome, Outside, Permit, Ports,
    Recorder, Request, Response, Session, Timestamp, ToolCall, ToolFailure, Waiting,
};

pub(crate) const CALL_ID: &str = "91d4c0de-0000-4000-8000-000000000001";

#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) answers: VecDeque<Result<Response, Fault>>,
    pub(crate) requests: Vec<Request>,
    pub(crate) events: Vec<Event>,
    /// What ran: the canary of every fail-closed row.
    pub(crate) ran: Vec<(String, String)>,
    pub(crate) tool: Option<Result<String, ToolFailure>>,
    /// The append with this index fails.
    pub(crate) broken_append: Option<usize>,
    /// What happened, in order.
    pub(crate) order: Vec<&'static str>,
    pub(crate) appends: usize,
    pub(crate) chance: u8,
    pub(crate) clock: u64,
    /// How long was waited, each time.
    pub(crate) waits: Vec<Duration>,
}

impl Outside for Fake {
    fn exchange(&mut self, request: Request, _: Duration) -> Result<Response, Fault> {
        self.order.push("exchange");
        self.requests.push(request);
        self.answers
            .pop_front()
            .expect("an exchange that the test did not script")
    }

    fn now(&mut self) -> Timestamp {
        Timestamp {
            seconds: 1_767_323_045,
            nanoseconds: 678_901_230,
        }
    }

    fn monotonic(&mut self) -> Duration {
        self.clock += 6;
        Duration::from_millis(self.clock)
    }

    fn random(&mut self) -> [u8; 16] {
        self.chance += 1;
        [self.chance; 16]
    }
}

impl Waiting for Fake {
    fn wait(&mut self, duration: Duration) {
        self.clock += u64::try_from(duration.as_millis()).unwrap();
        self.waits.push(duration);
    }
}

impl Recorder for Fake {
    fn append(&mut self, event: Event) -> Result<(), OutboxError> {
        self.order.push("append");
        self.appends += 1;
        if self.broken_append == Some(self.appends - 1) {
            return Err(OutboxError::Full);
        }
        self.events.push(event);
        Ok(())
    }
}

impl Ports for Fake {
    fn call_tool(&mut self, permit: Permit) -> Result<String, ToolFailure> {
        self.order.push("tool");
        self.ran
            .push((permit.tool().into(), permit.arguments().into()));
        self.tool
            .clone()
            .unwrap_or_else(|| Ok("{\"found\":1}".into()))
    }
}

impl Fake {
    pub(crate) fn answering(answer: Result<Response, Fault>) -> Self {
        Self {
            answers: [answer].into(),
            ..Self::default()
        }
    }

    pub(crate) fn event_types(&self) -> Vec<&'static str> {
        self.events
            .iter()
            .map(|event| event.event_type.as_str())
            .collect()
    }

    pub(crate) fn metadata(&self, index: usize) -> serde_json::Value {
        let body: serde_json::Value = serde_json::from_str(&self.events[index].body).unwrap();
        body["metadata"].clone()
    }
}

pub(crate) fn ok(body: &str) -> Result<Response, Fault> {
    answer(200, &[("content-type", "application/json")], body)
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Response, Fault> {
    let header = |(name, value): &(&str, &str)| (name.to_string(), value.as_bytes().to_vec());
    Ok(Response {
        status,
        headers: headers.iter().map(header).collect(),
        body: body.as_bytes().to_vec(),
    })
}

pub(crate) fn fault(kind: FaultKind) -> Result<Response, Fault> {
    Err(Fault {
        kind,
        detail: "broken".into(),
    })
}

pub(crate) fn session() -> Session {
    Session {
        session_id: "2b9e".into(),
        tenant_id: "acme".into(),
        agent_id: "bot".into(),
        user_id: "u1".into(),
        approved_scope: vec!["look".into()],
        environment: "prod".into(),
        trace_id: "tr-9".into(),
        ..Session::default()
    }
}

pub(crate) fn call() -> ToolCall {
    ToolCall {
        call_id: CALL_ID.into(),
        tool: "look".into(),
        arguments: r#"{"q": "a", "n": 1.0}"#.into(),
    }
}

/// The canonical form of the arguments of [`call`].
pub(crate) const ARGUMENTS: &str = r#"{"n":1,"q":"a"}"#;

pub(crate) fn governor() -> Governor {
    let vars = [
        ("THOTH_API_URL", "https://enforce.acme.example/"),
        ("THOTH_API_KEY", "K"),
        ("THOTH_EVENT_INGEST_TOKEN", "I"),
        ("PATH", "/bin"),
    ];
    Governor::new(Config::from_vars(
        vars.map(|(name, value)| (name.into(), value.into())),
    ))
}

pub(crate) fn wrap(fake: &mut Fake) -> Outcome {
    governor().wrap_tool(fake, &session(), &call())
}

/// A hold of [`call`], as the governor makes it.
pub(crate) fn hold() -> Hold {
    let held = r#"{"decision":"STEP_UP","hold_token":"hold-7","violation_id":"v1","reason":"risky",
        "decision_reason_code":"needs_human","step_up_timeout_seconds":900,
        "approval_url":"https://acme.example/a"}"#;
    match wrap(&mut Fake::answering(ok(held))) {
        Outcome::Pending(hold) => hold,
        other => panic!("not held: {other:?}"),
    }
}
