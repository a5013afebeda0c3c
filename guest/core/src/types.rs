//! The values of `thoth:governance/types`, as Rust: one type for each WIT type, with the same names.
//!
//! What a field means is said once, in `wit/types.wit`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// How a decision is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Ask and record, but run whatever the answer is.
    Observe,
    /// A hint to the policy service: a human decides about what is out of scope.
    StepUp,
    /// A hint to the policy service: what is out of scope is blocked.
    #[default]
    Block,
    /// A hint to the policy service: mild at first, stricter with each violation.
    Progressive,
}

impl Mode {
    /// The mode as it goes on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::StepUp => "step_up",
            Self::Block => "block",
            Self::Progressive => "progressive",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A mode that is none of the four.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown enforcement mode `{0}`: use observe, step_up, block or progressive")]
pub struct UnknownMode(String);

impl FromStr for Mode {
    type Err = UnknownMode;

    /// Reads `observe`, `step_up` (or `step-up`), `block` or `progressive`, in any case and with
    /// blanks around it.
    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text.trim().to_ascii_lowercase().as_str() {
            "observe" => Ok(Self::Observe),
            "step_up" | "step-up" => Ok(Self::StepUp),
            "block" => Ok(Self::Block),
            "progressive" => Ok(Self::Progressive),
            // `shadow` too: SDKs send it on and enforce it as block, though it is announced as observe.
            _ => Err(UnknownMode(text.to_string())),
        }
    }
}

/// How much of a call its events tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Capture {
    /// Names, codes, sizes and times.
    #[default]
    Minimal,
    /// Arguments and context as well.
    Full,
}

impl Capture {
    /// The word for it in an event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Full => "full",
        }
    }
}

/// The model that asked for the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are documented in wit/types.wit")]
pub struct Model {
    pub name: Option<String>,
    pub provider: Option<String>,
    pub artifact_id: Option<String>,
    pub artifact_version: Option<String>,
}

/// On whose behalf calls are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are documented in wit/types.wit")]
pub struct Session {
    pub session_id: String,
    pub tenant_id: String,
    pub agent_id: String,
    pub user_id: String,
    pub approved_scope: Vec<String>,
    pub mode: Mode,
    pub environment: String,
    pub trace_id: String,
    pub intent: Option<String>,
    pub purpose: Option<String>,
    pub data_classification: Option<String>,
    pub task_context: Option<String>,
    pub identity_binding: Option<String>,
    pub metadata: Option<String>,
    pub auth_context: Option<String>,
    pub delegation_context: Option<String>,
    pub mcp_runtime_identity: Option<String>,
    pub model: Option<Model>,
    pub capture: Capture,
    pub history: Vec<String>,
}

impl Session {
    /// The correlation id of the run: the session's own id where none was given.
    #[must_use]
    pub fn trace(&self) -> &str {
        if self.trace_id.is_empty() {
            &self.session_id
        } else {
            &self.trace_id
        }
    }
}

/// One call of one tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are documented in wit/types.wit")]
pub struct ToolCall {
    pub call_id: String,
    pub tool: String,
    pub arguments: String,
}

/// Why a call did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the cases are documented in wit/types.wit")]
pub enum Cause {
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
}

impl Cause {
    /// Every cause, in the order of the contract.
    pub const ALL: [Self; 23] = [
        Self::Policy,
        Self::Deferred,
        Self::Denied,
        Self::Expired,
        Self::Unreachable,
        Self::Timeout,
        Self::Protocol,
        Self::Status,
        Self::Redirect,
        Self::ContentType,
        Self::Encoding,
        Self::Decode,
        Self::TooLarge,
        Self::Ambiguous,
        Self::Mismatch,
        Self::InvalidModify,
        Self::InvalidHold,
        Self::Tls,
        Self::InvalidArguments,
        Self::NotRecorded,
        Self::Configuration,
        Self::GovernorFault,
        Self::Budget,
    ];

    /// The cause for programs, in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Deferred => "deferred",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::ContentType => "content_type",
            Self::Encoding => "encoding",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
            Self::Ambiguous => "ambiguous",
            Self::Mismatch => "mismatch",
            Self::InvalidModify => "invalid_modify",
            Self::InvalidHold => "invalid_hold",
            Self::Tls => "tls",
            Self::InvalidArguments => "invalid_arguments",
            Self::NotRecorded => "not_recorded",
            Self::Configuration => "configuration",
            Self::GovernorFault => "governor_fault",
            Self::Budget => "budget",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the policy service gave as grounds.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields are documented in wit/types.wit")]
pub struct Evidence {
    pub violation_id: Option<String>,
    pub reason_code: Option<String>,
    pub classification: Option<String>,
    pub pack_id: Option<String>,
    pub pack_version: Option<String>,
    pub rule_version: Option<i64>,
    pub risk_score: Option<f64>,
    pub latency_ms: Option<f64>,
    pub regulatory_regimes: Vec<String>,
    pub matched_rule_ids: Vec<String>,
    pub matched_control_ids: Vec<String>,
    pub policy_references: Vec<String>,
    pub model_signals: Vec<String>,
    pub receipt: Option<String>,
    pub envelope_version: Option<String>,
}

/// A call that waits for a human.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields are documented in wit/types.wit")]
pub struct Hold {
    pub token: String,
    pub call_id: String,
    pub digest: String,
    pub reason: String,
    pub timeout_seconds: Option<u32>,
    pub approval_url: Option<String>,
    pub evidence: Evidence,
}

/// What to do with a call.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the contract's shape, and a decision is moved a few times only"
)]
pub enum Verdict {
    /// Run it with the arguments as given.
    Allow,
    /// Run it with these arguments (canonical JSON, an object) instead.
    Modify(String),
    /// Do not run it until the hold is resolved.
    StepUp(Hold),
    /// Do not run it now; try again after so many seconds.
    Defer(Option<u32>),
    /// Do not run it.
    Block(Cause),
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What to do.
    pub verdict: Verdict,
    /// Why, for a human to read; may be empty.
    pub reason: String,
    /// The grounds.
    pub evidence: Evidence,
}

/// Why a tool that was allowed to run gave no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the cases are documented in wit/types.wit")]
pub enum FailureCause {
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
}

impl FailureCause {
    /// The cause for programs, in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTool => "unknown_tool",
            Self::InvalidArguments => "invalid_arguments",
            Self::ToolError => "tool_error",
            Self::Trap => "trap",
            Self::Exit => "exit",
            Self::Instantiation => "instantiation",
            Self::HostFault => "host_fault",
            Self::Cancelled => "cancelled",
            Self::LimitTime => "limit_time",
            Self::LimitFuel => "limit_fuel",
            Self::LimitMemory => "limit_memory",
            Self::LimitStack => "limit_stack",
            Self::LimitTable => "limit_table",
            Self::LimitInstances => "limit_instances",
            Self::LimitResources => "limit_resources",
            Self::LimitHostcall => "limit_hostcall",
            Self::LimitResult => "limit_result",
            Self::LimitRequests => "limit_requests",
            Self::LimitTransfer => "limit_transfer",
        }
    }
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A tool that gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolFailure {
    /// What happened.
    pub cause: FailureCause,
    /// The same in words.
    pub message: String,
    /// The tool's own error (JSON), where it returned one.
    pub error: Option<String>,
}

/// A call that did not run.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Why.
    pub cause: Cause,
    /// The same in words.
    pub reason: String,
    /// When to try again. Only for `Deferred`, `Status` and `Unreachable`.
    pub retry_after_seconds: Option<u32>,
    /// The grounds.
    pub evidence: Evidence,
}

/// What came of a governed call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It ran, and this is its result (JSON).
    Completed(String),
    /// It was allowed, and gave no result.
    Failed(ToolFailure),
    /// It did not run.
    Refused(Refusal),
    /// It has not run: a human is asked.
    Pending(Hold),
}

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// A call is about to be decided on.
    ToolCallPre,
    /// A call ran; it may have failed.
    ToolCallPost,
    /// A call was refused.
    ToolCallBlock,
}

impl EventType {
    /// The type as it goes on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToolCallPre => "TOOL_CALL_PRE",
            Self::ToolCallPost => "TOOL_CALL_POST",
            Self::ToolCallBlock => "TOOL_CALL_BLOCK",
        }
    }
}

/// One thing that happened, to be delivered at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unique, and the same for every attempt to deliver it.
    pub event_id: String,
    /// The session it belongs to.
    pub session_id: String,
    /// The call it belongs to.
    pub call_id: String,
    /// What kind it is.
    pub event_type: EventType,
    /// The event as it goes on the wire, a JSON object.
    pub body: String,
    /// Why it was decided so, in the policy service's words; may be empty. Not for the wire.
    pub reason: String,
}

/// Why an event could not be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// The log is at its cap.
    #[error("the event log is full")]
    Full,
    /// The log cannot be written, and why.
    #[error("the event log cannot be written: {0}")]
    Unavailable(String),
}

/// What to do with a batch that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Send the same batch again, later.
    Later,
    /// Sending it again will not help.
    Never,
}

/// A batch that the policy service took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// How many events were in it.
    pub accepted: u32,
}

/// A batch that the policy service did not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EmitError {
    /// What went wrong.
    pub cause: Cause,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// Whether to try again.
    pub retry: Retry,
    /// How long the policy service asked to wait.
    pub retry_after_seconds: Option<u32>,
    /// The same in words.
    pub message: String,
}
