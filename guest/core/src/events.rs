//! The events that a governed call leaves, as the wire has them.
//!
//! Minimal capture tells names, codes, sizes and times. Full capture, an operator's explicit choice,
//! adds arguments, context and reasons; never results.

mod by_host;

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use serde_json::{Map, Value};

use crate::arguments::Arguments;
use crate::json::body::Body;
use crate::request::{object, pending_history};
use crate::time::Timestamp;
use crate::types::{
    Capture, Cause, Decision, Event, EventType, Evidence, Mode, Session, ToolCall, ToolFailure,
    Verdict,
};

pub use by_host::{Local, broken, given_up, local};

/// The longest event, in bytes, so that ten of them fit into one request. An event that would be
/// longer tells less: full becomes minimal, and minimal leaves out the lists.
pub const MAX_EVENT_BYTES: usize = 96 * 1024;

/// How long an event is to be kept: 90 days.
const RETENTION_SECONDS: u64 = 7_776_000;

/// What an event is about, and its own name and time.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) session: &'a Session,
    pub(crate) call: &'a ToolCall,
    /// None where they could not be taken.
    pub(crate) arguments: Option<&'a Arguments>,
    pub(crate) uuid: &'a str,
    pub(crate) now: Timestamp,
    /// How many events were lost before this one.
    pub(crate) lost: u64,
}

/// What was decided, and how long the call took until now.
#[derive(Clone, Copy)]
pub(crate) struct Judged<'a> {
    pub(crate) decision: &'a Decision,
    pub(crate) duration: Duration,
}

/// A call is about to be decided on.
pub(crate) fn pre(scene: Scene<'_>) -> Event {
    write(scene, EventType::ToolCallPre, None, |_, _| {})
}

/// A call was refused.
pub(crate) fn block<'a>(scene: Scene<'a>, judged: Judged<'a>) -> Event {
    let decision = Some(judged.decision);
    write(
        scene,
        EventType::ToolCallBlock,
        decision,
        |metadata, detail| {
            add_decision(metadata, judged, detail);
        },
    )
}

/// A call ran, and gave a result (its JSON type and its size) or failed.
pub(crate) fn post<'a>(
    scene: Scene<'a>,
    judged: Judged<'a>,
    result: Result<(&'static str, usize), &ToolFailure>,
) -> Event {
    let decision = Some(judged.decision);
    write(
        scene,
        EventType::ToolCallPost,
        decision,
        |metadata, detail| {
            add_decision(metadata, judged, detail);
            if scene.session.mode == Mode::Observe
                && let Verdict::Block(cause) = judged.decision.verdict
            {
                metadata.set("would_have", cause.as_str());
            }
            match result {
                Ok((kind, size)) => {
                    metadata.set("result_type", kind);
                    metadata.set("result_size_bytes", u64::try_from(size).unwrap_or(u64::MAX));
                }
                Err(failure) => add_failure(metadata, failure),
            }
        },
    )
}

fn add_failure<'a>(metadata: &mut Body<'a>, failure: &ToolFailure) {
    metadata.set("tool_outcome", "failed");
    metadata.set("tool_failure_cause", failure.cause.as_str());
}

fn add_duration(metadata: &mut Body<'_>, duration: Duration) {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    metadata.set("duration_ms", milliseconds);
}

/// How much an event tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Full,
    Minimal,
    /// Minimal, without what the policy service can make long.
    Bare,
}

fn write<'a>(
    scene: Scene<'a>,
    event_type: EventType,
    decision: Option<&Decision>,
    add: impl Fn(&mut Body<'a>, Detail),
) -> Event {
    let tenant = match scene.session.tenant_id.as_str() {
        "" => "unknown",
        tenant => tenant,
    };
    let event_id = format!("{tenant}:{}", scene.uuid);
    let details: &[Detail] = match scene.session.capture {
        Capture::Full => &[Detail::Full, Detail::Minimal, Detail::Bare],
        Capture::Minimal => &[Detail::Minimal, Detail::Bare],
    };
    let mut body = String::new();
    for &detail in details {
        let mut metadata = metadata(scene, event_type, detail);
        add(&mut metadata, detail);
        body = event_body(scene, event_type, &event_id, decision, detail, metadata);
        if body.len() <= MAX_EVENT_BYTES {
            break;
        }
    }
    Event {
        event_id,
        session_id: scene.session.session_id.clone(),
        call_id: scene.call.call_id.clone(),
        event_type,
        body,
        reason: decision.map_or_else(String::new, |decision| decision.reason.clone()),
    }
}

fn event_body(
    scene: Scene<'_>,
    event_type: EventType,
    event_id: &str,
    decision: Option<&Decision>,
    detail: Detail,
    metadata: Body<'_>,
) -> String {
    let session = scene.session;
    let reason = decision.map_or("", |decision| &decision.reason);
    let violation = decision.and_then(|decision| decision.evidence.violation_id.as_deref());
    let content = match event_type {
        EventType::ToolCallPre => "tool invocation requested",
        EventType::ToolCallPost => "tool invocation completed",
        EventType::ToolCallBlock if detail == Detail::Full && !reason.is_empty() => reason,
        EventType::ToolCallBlock => "tool invocation blocked",
    };
    let occurred_at = scene.now.rfc3339();
    let mut body = Body::default();
    // In the order in which they are written.
    body.set_text("agent_id", Some(&session.agent_id));
    body.set("approved_scope", &*session.approved_scope);
    body.set("content", content);
    body.set("enforcement_mode", session.mode.as_str());
    body.set("event_id", event_id);
    body.set("event_type", event_type.as_str());
    body.set("metadata", metadata);
    body.set("occurred_at", &*occurred_at);
    body.set("session_id", &*session.session_id);
    body.set("session_tool_calls", pending_history(session, scene.call));
    body.set("source_type", "agent_tool_call");
    body.set("tenant_id", &*session.tenant_id);
    body.set_text("tool_name", Some(&scene.call.tool));
    body.set("ttl", scene.now.seconds.saturating_add(RETENTION_SECONDS));
    body.set("user_id", &*session.user_id);
    body.set_text("violation_id", violation);
    if detail == Detail::Full {
        add_context(&mut body, session);
    }
    body.canonical()
}

fn metadata<'a>(scene: Scene<'a>, event_type: EventType, detail: Detail) -> Body<'a> {
    let session = scene.session;
    let (capture, phase) = (
        match detail {
            Detail::Full => Capture::Full,
            Detail::Minimal | Detail::Bare => Capture::Minimal,
        },
        match event_type {
            EventType::ToolCallPre => "pre",
            EventType::ToolCallPost => "post",
            EventType::ToolCallBlock => "block",
        },
    );
    let mut metadata = Body::default();
    metadata.set("action_attestation_id", &*scene.call.call_id);
    metadata.set("enforcement_trace_id", session.trace());
    metadata.set("environment", &*session.environment);
    metadata.set("event_phase", phase);
    if scene.lost > 0 {
        metadata.set("events_lost_total", scene.lost);
    }
    metadata.set("sdk_language", "rust");
    metadata.set("telemetry_capture", capture.as_str());
    let mut tool_call = Body::default();
    tool_call.set("name", &*scene.call.tool);
    if let (Detail::Full, Some(arguments)) = (detail, scene.arguments) {
        tool_call.set("arguments", arguments.members());
        metadata.set("tool_args", arguments.members());
        add_context(&mut metadata, session);
    }
    metadata.set("tool_call", tool_call);
    metadata
}

/// Why and for whom, in full capture only.
fn add_context<'a>(body: &mut Body<'a>, session: &'a Session) {
    body.set_text("purpose", session.purpose.as_deref());
    body.set_text(
        "data_classification",
        session.data_classification.as_deref(),
    );
    // A context that cannot be read never got as far as a decision to allow.
    let context = object("task_context", &session.task_context).unwrap_or_default();
    body.set_object("task_context", context);
}

fn add_decision<'a>(metadata: &mut Body<'a>, judged: Judged<'a>, detail: Detail) {
    add_duration(metadata, judged.duration);
    let decision = judged.decision;
    let evidence = &decision.evidence;
    metadata.set("authorization_decision", word(&decision.verdict));
    metadata.set_text("decision_reason_code", reason_code(decision));
    metadata.set_text("action_classification", evidence.classification.as_deref());
    metadata.set_text("pack_id", evidence.pack_id.as_deref());
    metadata.set_text("pack_version", evidence.pack_version.as_deref());
    metadata.set_text(
        "decision_envelope_version",
        evidence.envelope_version.as_deref(),
    );
    set_some(metadata, "rule_version", evidence.rule_version);
    set_some(metadata, "risk_score", evidence.risk_score);
    set_some(metadata, "latency_ms", evidence.latency_ms);
    match &decision.verdict {
        Verdict::Defer(seconds) => set_some(metadata, "defer_timeout_seconds", *seconds),
        Verdict::StepUp(hold) => {
            set_some(metadata, "step_up_timeout_seconds", hold.timeout_seconds);
        }
        Verdict::Allow | Verdict::Modify(_) | Verdict::Block(_) => {}
    }
    if detail == Detail::Bare {
        return;
    }
    metadata.set_list("regulatory_regimes", &evidence.regulatory_regimes);
    metadata.set_list("matched_rule_ids", &evidence.matched_rule_ids);
    metadata.set_list("matched_control_ids", &evidence.matched_control_ids);
    metadata.set_list("policy_references", &evidence.policy_references);
    if detail == Detail::Full {
        metadata.set_list("model_signals", &evidence.model_signals);
    }
    metadata.set_object("receipt", receipt(evidence, detail));
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "ALLOW",
        Verdict::Modify(_) => "MODIFY",
        Verdict::StepUp(_) => "STEP_UP",
        Verdict::Defer(_) => "DEFER",
        Verdict::Block(_) => "BLOCK",
    }
}

/// The policy service's code; where it made no decision, our own word for why there is none.
fn reason_code(decision: &Decision) -> Option<&str> {
    let code = decision.evidence.reason_code.as_deref();
    match decision.verdict {
        Verdict::Block(Cause::Policy) => code,
        Verdict::Block(cause) => code.or(Some(cause.as_str())),
        Verdict::Allow | Verdict::Modify(_) | Verdict::StepUp(_) | Verdict::Defer(_) => code,
    }
}

/// The receipt, or what of it identifies and proves the decision.
fn receipt(evidence: &Evidence, detail: Detail) -> Map<String, Value> {
    const KEPT: [&str; 6] = [
        "receipt_id",
        "decision_id",
        "signature",
        "signing_algorithm",
        "key_id",
        "schema_version",
    ];
    const KEPT_OF_DECISION: [&str; 3] =
        ["authorization_decision", "decision_reason_code", "outcome"];
    let receipt = object("receipt", &evidence.receipt).unwrap_or_default();
    if detail == Detail::Full {
        return receipt;
    }
    let mut kept = only(&receipt, &KEPT);
    if let Some(Value::Object(decision)) = receipt.get("decision") {
        let decision = only(decision, &KEPT_OF_DECISION);
        if !decision.is_empty() {
            kept.insert("decision".to_string(), decision.into());
        }
    }
    kept
}

/// The members with these names that are plain values.
fn only(members: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let mut kept = Map::new();
    for name in names {
        if let Some(value) = members.get(*name).filter(is_plain) {
            kept.insert(name.to_string(), value.clone());
        }
    }
    kept
}

fn is_plain(value: &&Value) -> bool {
    value.is_string() || value.is_number()
}

fn set_some(body: &mut Body<'_>, name: &'static str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.set(name, value.into());
    }
}
