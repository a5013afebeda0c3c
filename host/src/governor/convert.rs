//! Between the generated bindings and the types that the rest of the crate speaks.
//!
//! Field by field and case by case: a field or case that is added to the contract does not compile
//! here until somebody has thought about it.

use thoth_core::{
    Capture, Cause, Decision, EmitError, Event, EventType, Evidence, FailureCause, Hold, Mode,
    Outcome, Refusal, Retry, Session, ToolCall, ToolFailure, Verdict,
};

use super::bindings::exports::thoth::governance::events as wit_events;
use super::bindings::thoth::governance::types as wit;

pub(super) fn session(session: &Session) -> wit::Session {
    wit::Session {
        session_id: session.session_id.clone(),
        tenant_id: session.tenant_id.clone(),
        agent_id: session.agent_id.clone(),
        user_id: session.user_id.clone(),
        approved_scope: session.approved_scope.clone(),
        mode: match session.mode {
            Mode::Observe => wit::Mode::Observe,
            Mode::StepUp => wit::Mode::StepUp,
            Mode::Block => wit::Mode::Block,
            Mode::Progressive => wit::Mode::Progressive,
        },
        environment: session.environment.clone(),
        trace_id: session.trace_id.clone(),
        intent: session.intent.clone(),
        purpose: session.purpose.clone(),
        data_classification: session.data_classification.clone(),
        task_context: session.task_context.clone(),
        identity_binding: session.identity_binding.clone(),
        metadata: session.metadata.clone(),
        auth_context: session.auth_context.clone(),
        delegation_context: session.delegation_context.clone(),
        mcp_runtime_identity: session.mcp_runtime_identity.clone(),
        model: session.model.as_ref().map(|model| wit::Model {
            name: model.name.clone(),
            provider: model.provider.clone(),
            artifact_id: model.artifact_id.clone(),
            artifact_version: model.artifact_version.clone(),
        }),
        capture: match session.capture {
            Capture::Minimal => wit::Capture::Minimal,
            Capture::Full => wit::Capture::Full,
        },
        history: session.history.clone(),
    }
}

pub(super) fn call(call: &ToolCall) -> wit::ToolCall {
    wit::ToolCall {
        call_id: call.call_id.clone(),
        tool: call.tool.clone(),
        arguments: call.arguments.clone(),
    }
}

pub(super) fn hold_out(hold: &Hold) -> wit::Hold {
    wit::Hold {
        token: hold.token.clone(),
        call_id: hold.call_id.clone(),
        digest: hold.digest.clone(),
        reason: hold.reason.clone(),
        timeout_seconds: hold.timeout_seconds,
        approval_url: hold.approval_url.clone(),
        evidence: evidence_out(&hold.evidence),
    }
}

fn hold(hold: wit::Hold) -> Hold {
    Hold {
        token: hold.token,
        call_id: hold.call_id,
        digest: hold.digest,
        reason: hold.reason,
        timeout_seconds: hold.timeout_seconds,
        approval_url: hold.approval_url,
        evidence: evidence(hold.evidence),
    }
}

fn evidence_out(evidence: &Evidence) -> wit::Evidence {
    wit::Evidence {
        violation_id: evidence.violation_id.clone(),
        reason_code: evidence.reason_code.clone(),
        classification: evidence.classification.clone(),
        pack_id: evidence.pack_id.clone(),
        pack_version: evidence.pack_version.clone(),
        rule_version: evidence.rule_version,
        risk_score: evidence.risk_score,
        latency_ms: evidence.latency_ms,
        regulatory_regimes: evidence.regulatory_regimes.clone(),
        matched_rule_ids: evidence.matched_rule_ids.clone(),
        matched_control_ids: evidence.matched_control_ids.clone(),
        policy_references: evidence.policy_references.clone(),
        model_signals: evidence.model_signals.clone(),
        receipt: evidence.receipt.clone(),
        envelope_version: evidence.envelope_version.clone(),
    }
}

fn evidence(evidence: wit::Evidence) -> Evidence {
    Evidence {
        violation_id: evidence.violation_id,
        reason_code: evidence.reason_code,
        classification: evidence.classification,
        pack_id: evidence.pack_id,
        pack_version: evidence.pack_version,
        rule_version: evidence.rule_version,
        risk_score: evidence.risk_score,
        latency_ms: evidence.latency_ms,
        regulatory_regimes: evidence.regulatory_regimes,
        matched_rule_ids: evidence.matched_rule_ids,
        matched_control_ids: evidence.matched_control_ids,
        policy_references: evidence.policy_references,
        model_signals: evidence.model_signals,
        receipt: evidence.receipt,
        envelope_version: evidence.envelope_version,
    }
}

pub(super) fn decision(decision: wit::Decision) -> Decision {
    Decision {
        verdict: match decision.verdict {
            wit::Verdict::Allow => Verdict::Allow,
            wit::Verdict::Modify(arguments) => Verdict::Modify(arguments),
            wit::Verdict::StepUp(held) => Verdict::StepUp(hold(held)),
            wit::Verdict::Defer(seconds) => Verdict::Defer(seconds),
            wit::Verdict::Block(why) => Verdict::Block(cause(why)),
        },
        reason: decision.reason,
        evidence: evidence(decision.evidence),
    }
}

pub(super) fn outcome(outcome: wit::Outcome) -> Outcome {
    match outcome {
        wit::Outcome::Completed(result) => Outcome::Completed(result),
        wit::Outcome::Failed(failure) => Outcome::Failed(ToolFailure {
            cause: failure_cause(failure.cause),
            message: failure.message,
            error: failure.error,
        }),
        wit::Outcome::Refused(refusal) => Outcome::Refused(Refusal {
            cause: cause(refusal.cause),
            reason: refusal.reason,
            retry_after_seconds: refusal.retry_after_seconds,
            evidence: evidence(refusal.evidence),
        }),
        wit::Outcome::Pending(held) => Outcome::Pending(hold(held)),
    }
}

fn cause(cause: wit::Cause) -> Cause {
    match cause {
        wit::Cause::Policy => Cause::Policy,
        wit::Cause::Deferred => Cause::Deferred,
        wit::Cause::Denied => Cause::Denied,
        wit::Cause::Expired => Cause::Expired,
        wit::Cause::Unreachable => Cause::Unreachable,
        wit::Cause::Timeout => Cause::Timeout,
        wit::Cause::Protocol => Cause::Protocol,
        wit::Cause::Status => Cause::Status,
        wit::Cause::Redirect => Cause::Redirect,
        wit::Cause::ContentType => Cause::ContentType,
        wit::Cause::Encoding => Cause::Encoding,
        wit::Cause::Decode => Cause::Decode,
        wit::Cause::TooLarge => Cause::TooLarge,
        wit::Cause::Ambiguous => Cause::Ambiguous,
        wit::Cause::Mismatch => Cause::Mismatch,
        wit::Cause::InvalidModify => Cause::InvalidModify,
        wit::Cause::InvalidHold => Cause::InvalidHold,
        wit::Cause::Tls => Cause::Tls,
        wit::Cause::InvalidArguments => Cause::InvalidArguments,
        wit::Cause::NotRecorded => Cause::NotRecorded,
        wit::Cause::Configuration => Cause::Configuration,
        wit::Cause::GovernorFault => Cause::GovernorFault,
        wit::Cause::Budget => Cause::Budget,
    }
}

fn failure_cause(cause: wit::FailureCause) -> FailureCause {
    match cause {
        wit::FailureCause::UnknownTool => FailureCause::UnknownTool,
        wit::FailureCause::InvalidArguments => FailureCause::InvalidArguments,
        wit::FailureCause::ToolError => FailureCause::ToolError,
        wit::FailureCause::Trap => FailureCause::Trap,
        wit::FailureCause::Exit => FailureCause::Exit,
        wit::FailureCause::Instantiation => FailureCause::Instantiation,
        wit::FailureCause::HostFault => FailureCause::HostFault,
        wit::FailureCause::Cancelled => FailureCause::Cancelled,
        wit::FailureCause::LimitTime => FailureCause::LimitTime,
        wit::FailureCause::LimitFuel => FailureCause::LimitFuel,
        wit::FailureCause::LimitMemory => FailureCause::LimitMemory,
        wit::FailureCause::LimitStack => FailureCause::LimitStack,
        wit::FailureCause::LimitTable => FailureCause::LimitTable,
        wit::FailureCause::LimitInstances => FailureCause::LimitInstances,
        wit::FailureCause::LimitResources => FailureCause::LimitResources,
        wit::FailureCause::LimitHostcall => FailureCause::LimitHostcall,
        wit::FailureCause::LimitResult => FailureCause::LimitResult,
        wit::FailureCause::LimitRequests => FailureCause::LimitRequests,
        wit::FailureCause::LimitTransfer => FailureCause::LimitTransfer,
    }
}

pub(super) fn failure_out(failure: ToolFailure) -> wit::ToolFailure {
    wit::ToolFailure {
        cause: match failure.cause {
            FailureCause::UnknownTool => wit::FailureCause::UnknownTool,
            FailureCause::InvalidArguments => wit::FailureCause::InvalidArguments,
            FailureCause::ToolError => wit::FailureCause::ToolError,
            FailureCause::Trap => wit::FailureCause::Trap,
            FailureCause::Exit => wit::FailureCause::Exit,
            FailureCause::Instantiation => wit::FailureCause::Instantiation,
            FailureCause::HostFault => wit::FailureCause::HostFault,
            FailureCause::Cancelled => wit::FailureCause::Cancelled,
            FailureCause::LimitTime => wit::FailureCause::LimitTime,
            FailureCause::LimitFuel => wit::FailureCause::LimitFuel,
            FailureCause::LimitMemory => wit::FailureCause::LimitMemory,
            FailureCause::LimitStack => wit::FailureCause::LimitStack,
            FailureCause::LimitTable => wit::FailureCause::LimitTable,
            FailureCause::LimitInstances => wit::FailureCause::LimitInstances,
            FailureCause::LimitResources => wit::FailureCause::LimitResources,
            FailureCause::LimitHostcall => wit::FailureCause::LimitHostcall,
            FailureCause::LimitResult => wit::FailureCause::LimitResult,
            FailureCause::LimitRequests => wit::FailureCause::LimitRequests,
            FailureCause::LimitTransfer => wit::FailureCause::LimitTransfer,
        },
        message: failure.message,
        error: failure.error,
    }
}

pub(super) fn event_in(event: wit::Event) -> Event {
    Event {
        event_id: event.event_id,
        session_id: event.session_id,
        call_id: event.call_id,
        event_type: match event.event_type {
            wit::EventType::ToolCallPre => EventType::ToolCallPre,
            wit::EventType::ToolCallPost => EventType::ToolCallPost,
            wit::EventType::ToolCallBlock => EventType::ToolCallBlock,
        },
        body: event.body,
        reason: event.reason.unwrap_or_default(),
    }
}

pub(super) fn event_out(event: &Event) -> wit::Event {
    wit::Event {
        event_id: event.event_id.clone(),
        session_id: event.session_id.clone(),
        call_id: event.call_id.clone(),
        event_type: match event.event_type {
            EventType::ToolCallPre => wit::EventType::ToolCallPre,
            EventType::ToolCallPost => wit::EventType::ToolCallPost,
            EventType::ToolCallBlock => wit::EventType::ToolCallBlock,
        },
        body: event.body.clone(),
        // It is for who keeps the event.
        reason: None,
    }
}

pub(super) fn emit_error(error: wit_events::EmitError) -> EmitError {
    EmitError {
        cause: cause(error.cause),
        status: error.status,
        retry: match error.retry {
            wit_events::Retry::Later => Retry::Later,
            wit_events::Retry::Never => Retry::Never,
        },
        retry_after_seconds: error.retry_after_seconds,
        message: error.message,
    }
}
