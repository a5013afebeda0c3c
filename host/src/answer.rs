//! From what came of a governed call to what a model is told, so that it can go on from there.

use serde_json::{Map, Value};
use thoth_core::{Cause, Evidence, FailureCause, Hold, Outcome, Refusal, ToolFailure};

use crate::session::{Call, CallError};
use crate::tool::inert;

/// The longest sentence about an outcome, in characters.
const SENTENCE_MAX: usize = 2_000;

/// What a model is told of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// The tool's result, as JSON text.
    Result(String),
    /// Anything else, in a sentence and as an object with what to do next.
    Error(Map<String, Value>),
}

impl Answer {
    /// Of a call that was made.
    pub(crate) fn of(call: &Call) -> Self {
        match &call.outcome {
            Outcome::Completed(result) => Self::Result(result.clone()),
            Outcome::Failed(failure) => Self::failed(call, failure),
            Outcome::Refused(refusal) => Self::refused(call, refusal),
            Outcome::Pending(hold) => Self::pending(call, hold),
        }
    }

    /// Of one that was not made, for its arguments do not fit.
    pub(crate) fn misfit(tool: &str, error: &CallError) -> Self {
        let next = "correct the arguments and call again";
        Self::not_made(
            tool,
            FailureCause::InvalidArguments,
            &error.to_string(),
            next,
        )
    }

    /// Of one that was not made.
    pub(crate) fn not_made(tool: &str, cause: FailureCause, reason: &str, next: &str) -> Self {
        let mut object = Map::new();
        object.insert("outcome".into(), "failed".into());
        object.insert("tool".into(), inert(tool, 128).into());
        object.insert("cause".into(), cause.as_str().into());
        Self::error(object, reason, next)
    }

    fn failed(call: &Call, failure: &ToolFailure) -> Self {
        let mut object = object("failed", call);
        object.insert("cause".into(), failure.cause.as_str().into());
        if let Some(error) = &failure.error {
            let error = serde_json::from_str(error).unwrap_or_else(|_| error.as_str().into());
            object.insert("error".into(), error);
        }
        Self::error(object, &failure.message, after_failure(failure.cause))
    }

    fn refused(call: &Call, refusal: &Refusal) -> Self {
        let mut object = object("refused", call);
        object.insert("cause".into(), refusal.cause.as_str().into());
        grounds(&mut object, &refusal.evidence);
        if let Some(seconds) = refusal.retry_after_seconds {
            object.insert("retry_after_seconds".into(), seconds.into());
        }
        let reason = match refusal.reason.as_str() {
            "" => "no reason was given",
            reason => reason,
        };
        Self::error(object, reason, &after_refusal(refusal))
    }

    fn pending(call: &Call, hold: &Hold) -> Self {
        let mut object = object("pending", call);
        object.insert("hold_token".into(), hold.token.as_str().into());
        if let Some(url) = &hold.approval_url {
            object.insert("approval_url".into(), url.as_str().into());
        }
        grounds(&mut object, &hold.evidence);
        let next = "it has not run and a human is asked: tell the user where to approve it";
        Self::error(object, &hold.reason, next)
    }

    fn error(mut object: Map<String, Value>, reason: &str, next: &str) -> Self {
        object.insert("reason".into(), inert(reason, SENTENCE_MAX).into());
        object.insert("next".into(), next.into());
        Self::Error(object)
    }
}

fn object(outcome: &str, call: &Call) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("outcome".into(), outcome.into());
    object.insert("tool".into(), call.tool.as_str().into());
    object.insert("call_id".into(), call.call_id.as_str().into());
    object
}

/// What the policy service chose to tell, and no more of its evidence.
pub(crate) fn grounds(object: &mut Map<String, Value>, evidence: &Evidence) {
    for (key, value) in [
        ("violation_id", &evidence.violation_id),
        ("decision_reason_code", &evidence.reason_code),
        ("action_classification", &evidence.classification),
    ] {
        if let Some(value) = value {
            object.insert(key.into(), value.as_str().into());
        }
    }
}

/// What an agent can do about a refusal.
pub(crate) fn after_refusal(refusal: &Refusal) -> String {
    let again = |what: &str| match refusal.retry_after_seconds {
        Some(seconds) => format!("{what} in {seconds} s or later"),
        None => format!("{what} later"),
    };
    match refusal.cause {
        Cause::Policy => {
            "do not repeat this call as it is; call with other arguments that the reason \
                          allows, or ask the user"
                .into()
        }
        Cause::Deferred => again("call again with the same arguments"),
        Cause::Denied => "a human said no: do not call again with these arguments".into(),
        Cause::Expired => {
            "nobody decided in time; call again to ask anew, and tell the user".into()
        }
        Cause::InvalidArguments => "correct the arguments and call again".into(),
        Cause::Budget => {
            "no call of this session runs any more; tell the user, who can begin a new one".into()
        }
        Cause::InvalidModify | Cause::InvalidHold | Cause::Configuration => {
            "do not repeat this call; tell the user, whose operator must look at it".into()
        }
        Cause::NotRecorded | Cause::GovernorFault => {
            "nothing runs while this lasts; tell the user, whose operator must look at it".into()
        }
        Cause::Unreachable
        | Cause::Timeout
        | Cause::Protocol
        | Cause::Status
        | Cause::Redirect
        | Cause::ContentType
        | Cause::Encoding
        | Cause::Decode
        | Cause::TooLarge
        | Cause::Ambiguous
        | Cause::Mismatch
        | Cause::Tls => again(
            "the policy service could not decide, so nothing ran; tell the user, or call again",
        ),
    }
}

/// What an agent can do about a failure.
pub(crate) fn after_failure(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::UnknownTool | FailureCause::InvalidArguments => {
            "correct the call and call again"
        }
        FailureCause::ToolError => "read the tool's error, and call with what it asks for",
        FailureCause::LimitTime
        | FailureCause::LimitFuel
        | FailureCause::LimitMemory
        | FailureCause::LimitStack
        | FailureCause::LimitTable
        | FailureCause::LimitInstances
        | FailureCause::LimitResources
        | FailureCause::LimitHostcall
        | FailureCause::LimitResult
        | FailureCause::LimitRequests
        | FailureCause::LimitTransfer => "the tool hit a limit: ask it for less at once",
        FailureCause::Trap | FailureCause::Exit | FailureCause::Instantiation => {
            "the tool broke; it may have had effects, so do not simply repeat the call"
        }
        FailureCause::HostFault | FailureCause::Cancelled => {
            "it is not known how far the tool came; do not simply repeat the call"
        }
    }
}
