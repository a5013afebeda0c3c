//! One call on its way through a governor: cleared to run or over, and closed with what came of it.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use crate::answer::{Answer, Flaw};
use crate::arguments::Arguments;
use crate::events::{self, Judged, Scene};
use crate::json::{self, JsonErrorKind};
use crate::permit::Permit;
use crate::ports::{Ports, Recorder};
use crate::time::uuid_v4;
use crate::types::{
    Cause, Decision, Event, FailureCause, OutboxError, Outcome, Refusal, Session, ToolCall,
    ToolFailure, Verdict,
};

/// One call on its way: who calls what, since when, and the way out.
pub(crate) struct Line<'a, P> {
    pub(crate) ports: &'a mut P,
    pub(crate) session: &'a Session,
    pub(crate) call: &'a ToolCall,
    pub(crate) started: Duration,
}

/// How far a call got when it was decided on.
#[expect(
    clippy::large_enum_variant,
    reason = "one for each call, moved a few times only"
)]
pub(crate) enum Step {
    /// It may run. What came of it is for [`Line::close`].
    Cleared(Permit, Cleared),
    /// It does not run, at least not now.
    Over(Outcome),
}

/// A call that may run, until it is known what came of it.
#[derive(Debug)]
pub(crate) struct Cleared {
    arguments: Arguments,
    decision: Decision,
    modified: bool,
}

impl<'a, P: Recorder> Line<'a, P> {
    /// A call that starts now.
    pub(crate) fn new(ports: &'a mut P, session: &'a Session, call: &'a ToolCall) -> Self {
        let started = ports.monotonic();
        Self {
            ports,
            session,
            call,
            started,
        }
    }

    /// Does what was decided. Every verdict is here, and only two of them make a permit.
    pub(crate) fn act(&mut self, arguments: Arguments, answer: Answer) -> Step {
        match answer.decision.verdict {
            Verdict::Allow => self.clear(arguments, answer.decision, None),
            Verdict::Modify(ref modified) => {
                let modified = modified.clone();
                self.clear(arguments, answer.decision, Some(modified))
            }
            Verdict::StepUp(hold) => Step::Over(Outcome::Pending(hold)),
            Verdict::Defer(_) | Verdict::Block(_) => {
                Step::Over(self.refuse(Some(&arguments), answer))
            }
        }
    }

    /// Lets a call run, with other arguments where the decision has them.
    pub(crate) fn clear(
        &self,
        arguments: Arguments,
        decision: Decision,
        other: Option<String>,
    ) -> Step {
        let other = other.filter(|other| other != arguments.canonical());
        let modified = other.is_some();
        let granted = other.unwrap_or_else(|| arguments.canonical().to_string());
        let permit = Permit::grant(self.call.tool.clone(), granted, modified);
        let cleared = Cleared {
            arguments,
            decision,
            modified,
        };
        Step::Cleared(permit, cleared)
    }

    /// Records what came of a call that was let run.
    pub(crate) fn close(
        &mut self,
        cleared: Cleared,
        result: Result<String, ToolFailure>,
    ) -> Outcome {
        let Cleared {
            arguments,
            decision,
            modified,
        } = cleared;
        let result = result.map_err(checked_error).and_then(checked_result);
        if let (Err(failure), true) = (&result, modified)
            && failure.cause == FailureCause::InvalidArguments
        {
            // Nothing ran, and the policy service's arguments are why: its word was not usable.
            let reason = format!(
                "the modified arguments do not fit the tool: {}",
                failure.message
            );
            let mut flaw = Flaw::new(Cause::InvalidModify, reason).into_answer();
            flaw.decision.evidence = decision.evidence;
            return self.refuse(Some(&arguments), flaw);
        }
        let recorded = {
            let told = result.as_ref().map(|ran| (ran.kind, ran.text.len()));
            let judged = Judged {
                decision: &decision,
                duration: self.elapsed(),
            };
            self.record(Some(&arguments), |scene| events::post(scene, judged, told))
        };
        match (recorded, result) {
            (Ok(()), Ok(ran)) => Outcome::Completed(ran.text),
            (Ok(()), Err(failure)) => Outcome::Failed(failure),
            // The tool ran, but nothing durable says so. To report success would be to lose it.
            (Err(error), _) => Outcome::Failed(ToolFailure {
                cause: FailureCause::HostFault,
                message: format!("the tool ran, but that could not be recorded: {error}"),
                error: None,
            }),
        }
    }

    /// Refuses the call, and records that it did not run.
    pub(crate) fn refuse(&mut self, arguments: Option<&Arguments>, answer: Answer) -> Outcome {
        let decision = answer.decision;
        let (cause, retry_after_seconds) = match &decision.verdict {
            Verdict::Defer(seconds) => (Cause::Deferred, *seconds),
            Verdict::Block(cause @ (Cause::Status | Cause::Unreachable)) => {
                (*cause, answer.retry_after_seconds)
            }
            Verdict::Block(cause) => (*cause, None),
            // Not refused by anybody: a fault of ours must not run either.
            Verdict::Allow | Verdict::Modify(_) | Verdict::StepUp(_) => {
                (Cause::GovernorFault, None)
            }
        };
        let judged = Judged {
            decision: &decision,
            duration: self.elapsed(),
        };
        let recorded = self.record(arguments, |scene| events::block(scene, judged));
        let mut reason = decision.reason;
        if let Err(error) = recorded {
            reason = format!("{reason} (and that could not be recorded: {error})");
        }
        Outcome::Refused(Refusal {
            cause,
            reason,
            retry_after_seconds,
            evidence: decision.evidence,
        })
    }

    pub(crate) fn record(
        &mut self,
        arguments: Option<&Arguments>,
        write: impl FnOnce(Scene<'_>) -> Event,
    ) -> Result<(), OutboxError> {
        let uuid = uuid_v4(self.ports.random());
        let now = self.ports.now();
        let event = write(Scene {
            session: self.session,
            call: self.call,
            arguments,
            uuid: &uuid,
            now,
            lost: self.ports.lost(),
        });
        self.ports.append(event)
    }

    fn elapsed(&mut self) -> Duration {
        self.ports.monotonic().saturating_sub(self.started)
    }
}

impl<P: Ports> Line<'_, P> {
    /// Runs what is permitted.
    pub(crate) fn call_tool(&mut self, permit: Permit) -> Result<String, ToolFailure> {
        self.ports.call_tool(permit)
    }
}

/// A tool's result that is JSON, and its type.
struct Ran {
    kind: &'static str,
    text: String,
}

/// A result is JSON within the profile, or it is none: whoever reads it was promised that.
fn checked_result(text: String) -> Result<Ran, ToolFailure> {
    match json::check(&text) {
        Ok(kind) => Ok(Ran { kind, text }),
        Err(error) => Err(ToolFailure {
            cause: match error.kind {
                JsonErrorKind::TooLong => FailureCause::LimitResult,
                JsonErrorKind::TooDeep
                | JsonErrorKind::DuplicateName(_)
                | JsonErrorKind::NulInName
                | JsonErrorKind::IntegerTooLarge
                | JsonErrorKind::NotCanonical
                | JsonErrorKind::NumberTooLarge
                | JsonErrorKind::NotUtf8
                | JsonErrorKind::Syntax(_) => FailureCause::ToolError,
            },
            message: format!("the tool ran, but its result is not usable JSON: {error}"),
            error: None,
        }),
    }
}

/// A tool's own error is passed on only if it is JSON; its message always is.
fn checked_error(failure: ToolFailure) -> ToolFailure {
    ToolFailure {
        error: failure.error.filter(|error| json::check(error).is_ok()),
        ..failure
    }
}
