//! The governed call: record, ask, and only on the policy service's word run; then record again.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use crate::answer::{Answer, Flaw};
use crate::arguments::Arguments;
use crate::config::{Config, ConfigError};
use crate::decision::{self, Asked};
use crate::emit;
use crate::events::{self, Judged, Scene};
use crate::hold;
use crate::json::{self, JsonErrorKind};
use crate::permit::Permit;
use crate::ports::Ports;
use crate::request;
use crate::time::uuid_v4;
use crate::types::{
    Cause, Decision, EmitError, Event, Evidence, FailureCause, Hold, Mode, OutboxError, Outcome,
    Receipt, Refusal, Session, ToolCall, ToolFailure, Verdict,
};

/// A governor: asks a policy service about calls, and runs what was allowed.
#[derive(Clone, Debug)]
pub struct Governor {
    config: Result<Config, ConfigError>,
}

impl Governor {
    /// A governor with this configuration. One with an error blocks every call, and says why.
    #[must_use]
    pub fn new(config: Result<Config, ConfigError>) -> Self {
        Self { config }
    }

    /// Decides about a call, without running it and without leaving an event. Total: whatever goes
    /// wrong is a block whose cause says what.
    pub fn enforce<P: Ports>(&self, ports: &mut P, session: &Session, call: &ToolCall) -> Decision {
        match Arguments::parse(&call.arguments) {
            Ok(arguments) => self.ask(ports, session, call, &arguments).decision,
            Err(error) => {
                Flaw::new(Cause::InvalidArguments, error.to_string())
                    .into_answer()
                    .decision
            }
        }
    }

    /// Asks once what became of a hold. `StepUp` with the same hold means that nobody has decided
    /// yet; anything that is not an answer for this hold and this call is a block. So is a policy
    /// service that is away or busy (`unreachable`, `timeout`, `status`), though the hold is as it
    /// was: ask again while it lasts.
    pub fn resolve<P: Ports>(
        &self,
        ports: &mut P,
        session: &Session,
        call: &ToolCall,
        hold: &Hold,
    ) -> Decision {
        match Arguments::parse(&call.arguments) {
            Ok(arguments) => match check_hold(session, call, &arguments, hold) {
                Ok(()) => self.poll(ports, session, call, &arguments, hold).decision,
                Err(flaw) => flaw.into_answer().decision,
            },
            Err(error) => {
                Flaw::new(Cause::InvalidArguments, error.to_string())
                    .into_answer()
                    .decision
            }
        }
    }

    /// One governed call, from its first event to its last.
    ///
    /// A call that is held comes back as `Pending`, at once, without an event of its own.
    pub fn wrap_tool<P: Ports>(
        &self,
        ports: &mut P,
        session: &Session,
        call: &ToolCall,
    ) -> Outcome {
        let started = ports.monotonic();
        let mut line = Line {
            ports,
            session,
            call,
            started,
        };
        let arguments = match Arguments::parse(&call.arguments) {
            Ok(arguments) => arguments,
            Err(error) => {
                return line.refuse(
                    None,
                    Flaw::new(Cause::InvalidArguments, error.to_string()).into_answer(),
                );
            }
        };
        if let Err(error) = line.record(Some(&arguments), events::pre) {
            return not_recorded(&error);
        }
        let answer = self.ask(line.ports, session, call, &arguments);
        match session.mode {
            Mode::Observe => {
                let permit = Permit::grant(call.tool.clone(), arguments.canonical().to_string());
                line.run(permit, &arguments, &answer.decision)
            }
            Mode::StepUp | Mode::Block | Mode::Progressive => line.act(&arguments, answer),
        }
    }

    /// Asks once about a held call, and runs it if it was approved. The call must be the one that
    /// was held, to the byte.
    ///
    /// A policy service that is away or busy (unreachable, too slow, 408, 429, 5xx) has not decided:
    /// the hold comes back as it was, `Pending`, and whoever keeps it bounds the waiting. Any other
    /// answer that is not an approval is a refusal. The session's mode has no say here: a held call
    /// runs on an approval only. Whoever keeps the hold sets its time to 0 to ask for the last time:
    /// a hold that is still undecided then has expired, and the call is refused.
    pub fn resume<P: Ports>(
        &self,
        ports: &mut P,
        session: &Session,
        call: &ToolCall,
        hold: &Hold,
    ) -> Outcome {
        let started = ports.monotonic();
        let mut line = Line {
            ports,
            session,
            call,
            started,
        };
        let arguments = match Arguments::parse(&call.arguments) {
            Ok(arguments) => arguments,
            Err(error) => {
                return line.refuse(
                    None,
                    Flaw::new(Cause::InvalidArguments, error.to_string()).into_answer(),
                );
            }
        };
        if let Err(flaw) = check_hold(session, call, &arguments, hold) {
            return line.refuse(Some(&arguments), flaw.into_answer());
        }
        let mut answer = self.poll(line.ports, session, call, &arguments, hold);
        let waits = answer.undecided || matches!(answer.decision.verdict, Verdict::StepUp(_));
        if waits && hold.timeout_seconds == Some(0) {
            answer.decision.verdict = Verdict::Block(Cause::Expired);
            answer.decision.reason = "nobody decided in time".to_string();
        } else if answer.undecided {
            return Outcome::Pending(hold.clone());
        }
        line.act(&arguments, answer)
    }

    /// Delivers 1 to 10 events in one request, in the order given.
    ///
    /// # Errors
    /// The policy service did not take them. No event may be dropped for that.
    pub fn emit_events<P: Ports>(
        &self,
        ports: &mut P,
        events: &[Event],
    ) -> Result<Receipt, EmitError> {
        match &self.config {
            Ok(config) => emit::send(config, ports, events),
            Err(error) => Err(emit::unconfigured(error.to_string())),
        }
    }

    fn ask<P: Ports>(
        &self,
        ports: &mut P,
        session: &Session,
        call: &ToolCall,
        arguments: &Arguments,
    ) -> Answer {
        let config = match &self.config {
            Ok(config) => config,
            Err(error) => return unconfigured(error),
        };
        let request_id = uuid_v4(ports.random());
        let now = ports.now();
        let request = match request::enforce(config, session, call, arguments, &request_id, now) {
            Ok(request) => request,
            Err(error) => return unconfigured(&error),
        };
        let asked = Asked {
            session,
            call,
            arguments,
            request_id: Some(&request_id),
        };
        decision::read(asked, ports.exchange(request, config.timeout))
    }

    fn poll<P: Ports>(
        &self,
        ports: &mut P,
        session: &Session,
        call: &ToolCall,
        arguments: &Arguments,
        hold: &Hold,
    ) -> Answer {
        let config = match &self.config {
            Ok(config) => config,
            Err(error) => return unconfigured(error),
        };
        let asked = Asked {
            session,
            call,
            arguments,
            request_id: None,
        };
        let request = request::poll(config, &hold.token);
        hold::read(asked, hold, ports.exchange(request, config.timeout))
    }
}

fn unconfigured(error: &impl ToString) -> Answer {
    Flaw::new(Cause::Configuration, error.to_string()).into_answer()
}

/// INVARIANT: an approval is used for the very call that was held. The digest is over who calls what
/// with which arguments; the id tells apart two calls that are the same in all of that.
fn check_hold(
    session: &Session,
    call: &ToolCall,
    arguments: &Arguments,
    hold: &Hold,
) -> Result<(), Flaw> {
    if !decision::is_token(&hold.token) {
        return Err(Flaw::new(Cause::InvalidHold, "the hold's token is not one"));
    }
    if hold.call_id != call.call_id || hold.digest != arguments.digest(session, call) {
        return Err(Flaw::new(Cause::Mismatch, "the hold is for another call"));
    }
    Ok(())
}

fn not_recorded(error: &OutboxError) -> Outcome {
    Outcome::Refused(Refusal {
        cause: Cause::NotRecorded,
        reason: format!("the call does not run, since it cannot be recorded: {error}"),
        retry_after_seconds: None,
        evidence: Evidence::default(),
    })
}

/// One call on its way: who calls what, since when, and the way out.
struct Line<'a, P> {
    ports: &'a mut P,
    session: &'a Session,
    call: &'a ToolCall,
    started: Duration,
}

impl<P: Ports> Line<'_, P> {
    /// Does what was decided. Every verdict is here, and only two of them make a permit.
    fn act(&mut self, arguments: &Arguments, answer: Answer) -> Outcome {
        let tool = self.call.tool.clone();
        match &answer.decision.verdict {
            Verdict::Allow => {
                let permit = Permit::grant(tool, arguments.canonical().to_string());
                self.run(permit, arguments, &answer.decision)
            }
            Verdict::Modify(modified) => {
                let permit = Permit::grant(tool, modified.clone());
                self.run(permit, arguments, &answer.decision)
            }
            Verdict::StepUp(hold) => Outcome::Pending(hold.clone()),
            Verdict::Defer(_) | Verdict::Block(_) => self.refuse(Some(arguments), answer),
        }
    }

    /// Runs what is permitted, and records that it ran.
    fn run(&mut self, permit: Permit, arguments: &Arguments, decision: &Decision) -> Outcome {
        let modified = permit.arguments() != arguments.canonical();
        let result = self
            .ports
            .call_tool(permit)
            .map_err(checked_error)
            .and_then(checked_result);
        if let (Err(failure), true) = (&result, modified)
            && failure.cause == FailureCause::InvalidArguments
        {
            // Nothing ran, and the policy service's arguments are why: its word was not usable.
            let reason = format!(
                "the modified arguments do not fit the tool: {}",
                failure.message
            );
            let mut flaw = Flaw::new(Cause::InvalidModify, reason).into_answer();
            flaw.decision.evidence = decision.evidence.clone();
            return self.refuse(Some(arguments), flaw);
        }
        let recorded = {
            let told = result.as_ref().map(|ran| (ran.kind, ran.text.len()));
            let duration = self.elapsed();
            self.record(Some(arguments), |scene| {
                events::post(scene, Judged { decision, duration }, told)
            })
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
    fn refuse(&mut self, arguments: Option<&Arguments>, answer: Answer) -> Outcome {
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
        let duration = self.elapsed();
        let recorded = self.record(arguments, |scene| {
            events::block(
                scene,
                Judged {
                    decision: &decision,
                    duration,
                },
            )
        });
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

    fn record(
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
        });
        self.ports.append(&event)
    }

    fn elapsed(&mut self) -> Duration {
        self.ports.monotonic().saturating_sub(self.started)
    }
}

/// A tool's result that is JSON, and its type.
struct Ran {
    kind: &'static str,
    text: String,
}

/// A result is JSON within the profile, or it is none: whoever reads it was promised that.
fn checked_result(text: String) -> Result<Ran, ToolFailure> {
    match json::parse(&text) {
        Ok(value) => Ok(Ran {
            kind: json::type_name(&value),
            text,
        }),
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
        error: failure.error.filter(|error| json::parse(error).is_ok()),
        ..failure
    }
}
