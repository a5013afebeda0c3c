//! The governed call: record, ask, and only on the policy service's word run; then record again.

use alloc::format;
use alloc::string::ToString;

use crate::answer::{Answer, Flaw};
use crate::arguments::Arguments;
use crate::config::{Config, ConfigError};
use crate::decision::{self, Asked};
use crate::emit;
use crate::events;
use crate::hold;
use crate::line::{Line, Step};
use crate::ports::{Outside, Ports, Recorder};
use crate::request;
use crate::time::uuid_v4;
use crate::types::{
    Cause, Decision, EmitError, Event, Evidence, Hold, Mode, OutboxError, Outcome, Receipt,
    Refusal, Session, ToolCall, Verdict,
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
    pub fn enforce<P: Outside>(
        &self,
        ports: &mut P,
        session: &Session,
        call: &ToolCall,
    ) -> Decision {
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
    pub fn resolve<P: Outside>(
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
        let mut line = Line::new(ports, session, call);
        match self.begin(&mut line, Arguments::parse(&call.arguments)) {
            Step::Cleared(permit, cleared) => {
                let result = line.call_tool(permit);
                line.close(cleared, result)
            }
            Step::Over(outcome) => outcome,
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
        let mut line = Line::new(ports, session, call);
        match self.come_back(&mut line, hold) {
            Step::Cleared(permit, cleared) => {
                let result = line.call_tool(permit);
                line.close(cleared, result)
            }
            Step::Over(outcome) => outcome,
        }
    }

    /// A governed call up to its decision: records it and asks.
    pub(crate) fn begin<P: Recorder>(
        &self,
        line: &mut Line<'_, P>,
        arguments: Result<Arguments, impl ToString>,
    ) -> Step {
        let arguments = match arguments {
            Ok(arguments) => arguments,
            Err(error) => {
                let flaw = Flaw::new(Cause::InvalidArguments, error.to_string());
                return Step::Over(line.refuse(None, flaw.into_answer()));
            }
        };
        if let Err(error) = line.record(Some(&arguments), events::pre) {
            return Step::Over(not_recorded(&error));
        }
        let answer = self.ask(line.ports, line.session, line.call, &arguments);
        match line.session.mode {
            Mode::Observe => line.clear(arguments, answer.decision, None),
            Mode::StepUp | Mode::Block | Mode::Progressive => line.act(arguments, answer),
        }
    }

    /// A held call up to its decision: asks once what became of the hold.
    pub(crate) fn come_back<P: Recorder>(&self, line: &mut Line<'_, P>, hold: &Hold) -> Step {
        let (session, call) = (line.session, line.call);
        let arguments = match Arguments::parse(&call.arguments) {
            Ok(arguments) => arguments,
            Err(error) => {
                let flaw = Flaw::new(Cause::InvalidArguments, error.to_string());
                return Step::Over(line.refuse(None, flaw.into_answer()));
            }
        };
        if let Err(flaw) = check_hold(session, call, &arguments, hold) {
            return Step::Over(line.refuse(Some(&arguments), flaw.into_answer()));
        }
        let mut answer = self.poll(line.ports, session, call, &arguments, hold);
        let waits = answer.undecided || matches!(answer.decision.verdict, Verdict::StepUp(_));
        if waits && hold.timeout_seconds == Some(0) {
            answer.decision.verdict = Verdict::Block(Cause::Expired);
            answer.decision.reason = "nobody decided in time".to_string();
        } else if answer.undecided {
            return Step::Over(Outcome::Pending(hold.clone()));
        }
        line.act(arguments, answer)
    }

    /// Delivers 1 to 10 events in one request, in the order given.
    ///
    /// # Errors
    /// The policy service did not take them. No event may be dropped for that.
    pub fn emit_events<P: Outside>(
        &self,
        ports: &mut P,
        events: &[Event],
    ) -> Result<Receipt, EmitError> {
        match &self.config {
            Ok(config) => emit::send(config, ports, events, config.timeout),
            Err(error) => Err(emit::unconfigured(error.to_string())),
        }
    }

    fn ask<P: Outside>(
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

    fn poll<P: Outside>(
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
