//! The bindings' values and the core's, one into the other. Every match is exhaustive and every record
//! is named field by field: what is added to the contract does not compile until it is here.

use thoth_core as core;

use crate::bindings::exports::thoth::governance::events as wit_events;
use crate::bindings::thoth::governance::{outbox, types as wit};

/// Turns a record into the one with the same fields on the other side.
macro_rules! record {
    ($from:path => $to:path { $($field:ident),* $(,)? }) => {
        impl From<$from> for $to {
            fn from(from: $from) -> Self {
                Self { $($field: from.$field),* }
            }
        }
    };
}

/// Turns an enum into the one with the same cases on the other side.
macro_rules! cases {
    ($from:path => $to:path { $($case:ident),* $(,)? }) => {
        impl From<$from> for $to {
            fn from(from: $from) -> Self {
                match from {
                    $(<$from>::$case => Self::$case),*
                }
            }
        }
    };
}

record!(wit::Model => core::Model {
    name,
    provider,
    artifact_id,
    artifact_version,
});

record!(wit::ToolCall => core::ToolCall {
    call_id,
    tool,
    arguments,
});

record!(wit::Evidence => core::Evidence {
    violation_id,
    reason_code,
    classification,
    pack_id,
    pack_version,
    rule_version,
    risk_score,
    latency_ms,
    regulatory_regimes,
    matched_rule_ids,
    matched_control_ids,
    policy_references,
    model_signals,
    receipt,
    envelope_version,
});

record!(core::Evidence => wit::Evidence {
    violation_id,
    reason_code,
    classification,
    pack_id,
    pack_version,
    rule_version,
    risk_score,
    latency_ms,
    regulatory_regimes,
    matched_rule_ids,
    matched_control_ids,
    policy_references,
    model_signals,
    receipt,
    envelope_version,
});

cases!(wit::Mode => core::Mode {
    Observe,
    StepUp,
    Block,
    Progressive,
});

cases!(wit::Capture => core::Capture {
    Minimal,
    Full,
});

cases!(core::Cause => wit::Cause {
    Policy,
    Deferred,
    Denied,
    Expired,
    Unreachable,
    Timeout,
    Protocol,
    Status,
    Redirect,
    ContentType,
    Encoding,
    Decode,
    TooLarge,
    Ambiguous,
    Mismatch,
    InvalidModify,
    InvalidHold,
    Tls,
    InvalidArguments,
    NotRecorded,
    Configuration,
    GovernorFault,
    Budget,
});

cases!(core::FailureCause => wit::FailureCause {
    UnknownTool,
    InvalidArguments,
    ToolError,
    Trap,
    Exit,
    Instantiation,
    HostFault,
    Cancelled,
    LimitTime,
    LimitFuel,
    LimitMemory,
    LimitStack,
    LimitTable,
    LimitInstances,
    LimitResources,
    LimitHostcall,
    LimitResult,
    LimitRequests,
    LimitTransfer,
});

cases!(wit::FailureCause => core::FailureCause {
    UnknownTool,
    InvalidArguments,
    ToolError,
    Trap,
    Exit,
    Instantiation,
    HostFault,
    Cancelled,
    LimitTime,
    LimitFuel,
    LimitMemory,
    LimitStack,
    LimitTable,
    LimitInstances,
    LimitResources,
    LimitHostcall,
    LimitResult,
    LimitRequests,
    LimitTransfer,
});

cases!(core::EventType => wit::EventType {
    ToolCallPre,
    ToolCallPost,
    ToolCallBlock,
});

cases!(wit::EventType => core::EventType {
    ToolCallPre,
    ToolCallPost,
    ToolCallBlock,
});

cases!(core::Retry => wit_events::Retry {
    Later,
    Never,
});

record!(core::Receipt => wit_events::Receipt {
    accepted,
});

impl From<wit::Session> for core::Session {
    fn from(from: wit::Session) -> Self {
        Self {
            session_id: from.session_id,
            tenant_id: from.tenant_id,
            agent_id: from.agent_id,
            user_id: from.user_id,
            approved_scope: from.approved_scope,
            mode: from.mode.into(),
            environment: from.environment,
            trace_id: from.trace_id,
            intent: from.intent,
            purpose: from.purpose,
            data_classification: from.data_classification,
            task_context: from.task_context,
            identity_binding: from.identity_binding,
            metadata: from.metadata,
            auth_context: from.auth_context,
            delegation_context: from.delegation_context,
            mcp_runtime_identity: from.mcp_runtime_identity,
            model: from.model.map(Into::into),
            capture: from.capture.into(),
            history: from.history,
        }
    }
}

impl From<wit::Hold> for core::Hold {
    fn from(from: wit::Hold) -> Self {
        Self {
            token: from.token,
            call_id: from.call_id,
            digest: from.digest,
            reason: from.reason,
            timeout_seconds: from.timeout_seconds,
            approval_url: from.approval_url,
            evidence: from.evidence.into(),
        }
    }
}

impl From<core::Hold> for wit::Hold {
    fn from(from: core::Hold) -> Self {
        Self {
            token: from.token,
            call_id: from.call_id,
            digest: from.digest,
            reason: from.reason,
            timeout_seconds: from.timeout_seconds,
            approval_url: from.approval_url,
            evidence: from.evidence.into(),
        }
    }
}

impl From<core::Decision> for wit::Decision {
    fn from(from: core::Decision) -> Self {
        Self {
            verdict: from.verdict.into(),
            reason: from.reason,
            evidence: from.evidence.into(),
        }
    }
}

impl From<core::Refusal> for wit::Refusal {
    fn from(from: core::Refusal) -> Self {
        Self {
            cause: from.cause.into(),
            reason: from.reason,
            retry_after_seconds: from.retry_after_seconds,
            evidence: from.evidence.into(),
        }
    }
}

impl From<core::ToolFailure> for wit::ToolFailure {
    fn from(from: core::ToolFailure) -> Self {
        Self {
            cause: from.cause.into(),
            message: from.message,
            error: from.error,
        }
    }
}

impl From<wit::ToolFailure> for core::ToolFailure {
    fn from(from: wit::ToolFailure) -> Self {
        Self {
            cause: from.cause.into(),
            message: from.message,
            error: from.error,
        }
    }
}

impl From<core::Event> for wit::Event {
    fn from(from: core::Event) -> Self {
        Self {
            event_id: from.event_id,
            session_id: from.session_id,
            call_id: from.call_id,
            event_type: from.event_type.into(),
            body: from.body,
            reason: Some(from.reason).filter(|reason| !reason.is_empty()),
        }
    }
}

impl From<wit::Event> for core::Event {
    fn from(from: wit::Event) -> Self {
        Self {
            event_id: from.event_id,
            session_id: from.session_id,
            call_id: from.call_id,
            event_type: from.event_type.into(),
            body: from.body,
            reason: from.reason.unwrap_or_default(),
        }
    }
}

impl From<core::EmitError> for wit_events::EmitError {
    fn from(from: core::EmitError) -> Self {
        Self {
            cause: from.cause.into(),
            status: from.status,
            retry: from.retry.into(),
            retry_after_seconds: from.retry_after_seconds,
            message: from.message,
        }
    }
}

impl From<core::Verdict> for wit::Verdict {
    fn from(from: core::Verdict) -> Self {
        match from {
            core::Verdict::Allow => Self::Allow,
            core::Verdict::Modify(arguments) => Self::Modify(arguments),
            core::Verdict::StepUp(hold) => Self::StepUp(hold.into()),
            core::Verdict::Defer(seconds) => Self::Defer(seconds),
            core::Verdict::Block(cause) => Self::Block(cause.into()),
        }
    }
}

impl From<core::Outcome> for wit::Outcome {
    fn from(from: core::Outcome) -> Self {
        match from {
            core::Outcome::Completed(result) => Self::Completed(result),
            core::Outcome::Failed(failure) => Self::Failed(failure.into()),
            core::Outcome::Refused(refusal) => Self::Refused(refusal.into()),
            core::Outcome::Pending(hold) => Self::Pending(hold.into()),
        }
    }
}

impl From<outbox::OutboxError> for core::OutboxError {
    fn from(from: outbox::OutboxError) -> Self {
        match from {
            outbox::OutboxError::Full => Self::Full,
            outbox::OutboxError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}
