//! A governor that is asked before a call and told after it: the two halves of a governed call, for
//! whoever runs the tool himself.
//!
//! It keeps what lies between the halves, and its events in memory, since no host keeps them for it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::Value;

use crate::arguments::{Arguments, ArgumentsError};
use crate::config::ConfigError;
use crate::exchange::{Fault, Request, Response};
use crate::governed::Governor;
use crate::json::body::Body;
use crate::line::{Cleared, Line, Step};
use crate::permit::Permit;
use crate::ports::{Outside, Recorder, Waiting};
use crate::request::MAX_HISTORY;
use crate::settings::{DEFAULT_BODY_TIMEOUT, Settings};
use crate::time::{Timestamp, uuid_v4};
use crate::types::{
    Cause, Event, EventType, Evidence, FailureCause, Hold, OutboxError, Outcome, Refusal, ToolCall,
    ToolFailure,
};
use crate::undelivered::{Effort, Undelivered};

/// Between two questions about a hold: this long at first, then longer, up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(250);
const POLL_MAX: Duration = Duration::from_secs(5);

/// What to do with a call.
#[derive(Debug)]
pub enum Ruling {
    /// Run it as the permit says, and tell what came of it under this ticket.
    Run(u64, Permit),
    /// Do not run it.
    Refuse(Refused),
}

/// Why a call does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub cause: Cause,
    /// When to try again, where that is known.
    pub retry_after_seconds: Option<u32>,
    /// What the caller is told: a JSON object.
    pub text: String,
}

/// How a call ended that was let run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It returned, and this is its result (JSON).
    Completed(String),
    /// It returned its error, and this is it (JSON).
    Failed(String),
    /// It returned, but not in JSON that can be told; why.
    Untold(String),
}

/// A portable governor: one session's calls.
#[derive(Debug)]
pub struct Gate {
    ready: Result<Ready, ConfigError>,
}

#[derive(Debug)]
struct Ready {
    settings: Settings,
    governor: Governor,
    undelivered: Undelivered,
    open: Vec<Open>,
    tickets: u64,
}

/// A call that was let run, and that nobody has told the end of.
#[derive(Debug)]
struct Open {
    ticket: u64,
    call: ToolCall,
    started: Duration,
    cleared: Cleared,
}

impl Gate {
    /// A governor with these settings. One with an error refuses every call, and says why.
    #[must_use]
    pub fn new(settings: Result<Settings, ConfigError>) -> Self {
        Self {
            ready: settings.map(|settings| Ready {
                governor: Governor::new(Ok(settings.config.clone())),
                settings,
                undelivered: Undelivered::default(),
                open: Vec::new(),
                tickets: 0,
            }),
        }
    }

    /// How long the body of a request may take to arrive.
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        let ready = self.ready.as_ref();
        ready.map_or(DEFAULT_BODY_TIMEOUT, |ready| ready.settings.body_timeout)
    }

    /// Nothing of before is running any more. A call whose end was not told is closed: its tool
    /// trapped, or was stopped.
    pub fn close_abandoned<P: Waiting>(&mut self, ports: &mut P) {
        if let Ok(ready) = &mut self.ready {
            for open in core::mem::take(&mut ready.open) {
                let never = ToolFailure {
                    cause: FailureCause::Trap,
                    message: "the call never came to its end".to_string(),
                    error: None,
                };
                ready.close(ports, open, Err(never));
            }
        }
    }

    /// Decides about a call before it runs. Total: whatever goes wrong is a refusal. Where the
    /// caller's arguments cannot be told, it says why; then nobody is asked.
    ///
    /// It takes at most the time of one question (`THOTH_TIMEOUT`) to decide, as much again to
    /// deliver events, and where a human must approve what `THOTH_STEP_UP_WAIT` allows.
    pub fn check<P: Waiting>(
        &mut self,
        ports: &mut P,
        tool: &str,
        arguments: Result<&str, &str>,
    ) -> Ruling {
        match &mut self.ready {
            Ok(ready) => ready.check(ports, tool, arguments),
            Err(error) => Ruling::Refuse(unconfigured(error)),
        }
    }

    /// Nothing ran, since the modified arguments do not fit the parameters. Closes the ticket, and
    /// returns what the caller is told.
    pub fn reject<P: Waiting>(&mut self, ports: &mut P, ticket: u64, why: &str) -> Refused {
        let failure = ToolFailure {
            cause: FailureCause::InvalidArguments,
            message: why.to_string(),
            error: None,
        };
        match &mut self.ready {
            Ok(ready) => match ready.take(ticket) {
                Some(open) => refused(&ready.close(ports, open, Err(failure)), None),
                None => fault("no such call is open"),
            },
            Err(error) => unconfigured(error),
        }
    }

    /// The call ran, and this came of it. Closes the ticket; an unknown one closes nothing.
    pub fn done<P: Waiting>(&mut self, ports: &mut P, ticket: u64, ended: Ended) {
        let failed = |cause, message: &str, error| {
            Err(ToolFailure {
                cause,
                message: message.to_string(),
                error,
            })
        };
        let result = match ended {
            Ended::Completed(result) => Ok(result),
            Ended::Failed(error) => failed(
                FailureCause::ToolError,
                "the tool returned its error",
                Some(error),
            ),
            Ended::Untold(why) => failed(FailureCause::LimitResult, &why, None),
        };
        if let Ok(ready) = &mut self.ready
            && let Some(open) = ready.take(ticket)
        {
            let tool = open.call.tool.clone();
            ready.close(ports, open, result);
            ready.remember(tool);
        }
    }
}

impl Ready {
    fn check<P: Waiting>(
        &mut self,
        ports: &mut P,
        tool: &str,
        arguments: Result<&str, &str>,
    ) -> Ruling {
        let call = ToolCall {
            call_id: uuid_v4(ports.random()),
            tool: tool.to_string(),
            arguments: arguments.unwrap_or_default().to_string(),
        };
        let (settings, mut held) = (&self.settings, None);
        let mut recorder = Memory {
            ports,
            settings,
            undelivered: &mut self.undelivered,
        };
        let mut line = Line::new(&mut recorder, &settings.session, &call);
        let (governor, started) = (&self.governor, line.started);
        let mut step = match arguments {
            Ok(arguments) => governor.begin(&mut line, Arguments::parse(arguments)),
            Err(why) => governor.begin(&mut line, Err(ArgumentsError::Untold(why.to_string()))),
        };
        let (mut pause, wait) = (POLL_MIN, settings.step_up_wait);
        let asked_at = line.ports.monotonic();
        let mut end = asked_at.saturating_add(wait);
        while let Step::Over(Outcome::Pending(hold)) = step {
            // What is held for less long is not waited for longer.
            if let Some(seconds) = hold.timeout_seconds {
                end = end.min(asked_at.saturating_add(Duration::from_secs(seconds.into())));
            }
            let left = end.saturating_sub(line.ports.monotonic());
            let mut asked = hold.clone();
            if left.is_zero() {
                // The last question: who is still undecided then is not waited for.
                asked.timeout_seconds = Some(0);
            } else {
                line.ports.wait(pause.min(left));
                pause = (pause * 2).min(POLL_MAX);
            }
            step = governor.come_back(&mut line, &asked);
            held = Some(hold);
        }
        match step {
            Step::Cleared(permit, cleared) => {
                self.deliver(ports, Effort::Once);
                self.tickets += 1;
                self.open.push(Open {
                    ticket: self.tickets,
                    call,
                    started,
                    cleared,
                });
                Ruling::Run(self.tickets, permit)
            }
            Step::Over(outcome) => {
                self.deliver(ports, Effort::Retry);
                Ruling::Refuse(refused(&outcome, held.as_ref()))
            }
        }
    }

    /// Records what came of a call, and delivers that.
    fn close<P: Waiting>(
        &mut self,
        ports: &mut P,
        open: Open,
        result: Result<String, ToolFailure>,
    ) -> Outcome {
        let mut recorder = Memory {
            ports,
            settings: &self.settings,
            undelivered: &mut self.undelivered,
        };
        let mut line = Line {
            ports: &mut recorder,
            session: &self.settings.session,
            call: &open.call,
            started: open.started,
        };
        let outcome = line.close(open.cleared, result);
        self.deliver(ports, Effort::Retry);
        outcome
    }

    fn deliver<P: Waiting>(&mut self, ports: &mut P, effort: Effort) {
        // What was not taken waits for the next occasion, or is counted.
        let _kept = self
            .undelivered
            .deliver(&self.settings.config, ports, effort);
    }

    fn take(&mut self, ticket: u64) -> Option<Open> {
        let index = self.open.iter().position(|open| open.ticket == ticket)?;
        Some(self.open.swap_remove(index))
    }

    fn remember(&mut self, tool: String) {
        let history = &mut self.settings.session.history;
        if history.len() >= MAX_HISTORY {
            history.remove(0);
        }
        history.push(tool);
    }
}

/// An outside with a log in memory.
struct Memory<'a, P> {
    ports: &'a mut P,
    settings: &'a Settings,
    undelivered: &'a mut Undelivered,
}

impl<P: Waiting> Recorder for Memory<'_, P> {
    fn append(&mut self, event: Event) -> Result<(), OutboxError> {
        let required = self.settings.require_events && event.event_type == EventType::ToolCallPre;
        let event_id = event.event_id.clone();
        self.undelivered.push(event);
        if required {
            let delivered =
                self.undelivered
                    .deliver(&self.settings.config, self.ports, Effort::Retry);
            if self.undelivered.give_up(&event_id) {
                let why = delivered.err().unwrap_or_default();
                return Err(OutboxError::Unavailable(why));
            }
        }
        Ok(())
    }

    fn lost(&self) -> u64 {
        self.undelivered.lost()
    }
}

impl<P: Waiting> Outside for Memory<'_, P> {
    fn exchange(&mut self, request: Request, timeout: Duration) -> Result<Response, Fault> {
        self.ports.exchange(request, timeout)
    }

    fn now(&mut self) -> Timestamp {
        self.ports.now()
    }

    fn monotonic(&mut self) -> Duration {
        self.ports.monotonic()
    }

    fn random(&mut self) -> [u8; 16] {
        self.ports.random()
    }
}

impl<P: Waiting> Waiting for Memory<'_, P> {
    fn wait(&mut self, duration: Duration) {
        self.ports.wait(duration);
    }
}

fn unconfigured(error: &ConfigError) -> Refused {
    refused_by_us(Cause::Configuration, error.to_string())
}

fn fault(reason: &str) -> Refused {
    refused_by_us(Cause::GovernorFault, reason.to_string())
}

fn refused_by_us(cause: Cause, reason: String) -> Refused {
    let refusal = Refusal {
        cause,
        reason,
        retry_after_seconds: None,
        evidence: Evidence::default(),
    };
    refusal_of(&refusal, None)
}

/// What a caller is told about a call that did not run.
fn refused(outcome: &Outcome, held: Option<&Hold>) -> Refused {
    match outcome {
        Outcome::Refused(refusal) => refusal_of(refusal, held),
        Outcome::Failed(failure) => refused_by_us(Cause::InvalidArguments, failure.message.clone()),
        // Neither is an answer to a call that did not run. It did not run all the same.
        Outcome::Completed(_) | Outcome::Pending(_) => fault("the governor lost the call"),
    }
}

fn refusal_of(refusal: &Refusal, held: Option<&Hold>) -> Refused {
    let evidence = &refusal.evidence;
    let mut body = Body::default();
    body.set("outcome", "refused");
    body.set("cause", refusal.cause.as_str());
    body.set("reason", &*refusal.reason);
    body.set_text("violation_id", evidence.violation_id.as_deref());
    body.set_text("reason_code", evidence.reason_code.as_deref());
    if let Some(seconds) = refusal.retry_after_seconds {
        body.set("retry_after_seconds", u64::from(seconds));
    }
    if let Some(hold) = held {
        body.set("hold_token", &*hold.token);
        body.set_text("approval_url", hold.approval_url.as_deref());
    }
    Refused {
        cause: refusal.cause,
        retry_after_seconds: refusal.retry_after_seconds,
        text: body.canonical(),
    }
}

/// The arguments of a call as JSON, without the members that have no value.
#[must_use]
pub fn arguments_of(members: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> String {
    let mut body = Body::default();
    for (name, value) in members {
        if let Some(value) = value {
            body.set(name, value);
        }
    }
    body.canonical()
}
