//! The events that a host writes by itself: of steps that it decides about, and of calls whose governor did
//! not come to their end.

use alloc::string::{String, ToString};
use core::time::Duration;

use super::{Judged, Scene, add_duration, add_failure, block, post, pre, write};
use crate::time::{Timestamp, uuid_v4};
use crate::types::{
    Cause, Decision, Event, EventType, Evidence, FailureCause, Session, ToolCall, ToolFailure,
    Verdict,
};

/// A step of something that a host decides about by itself: an effect of a running tool that the
/// operator's grant allows, or does not.
#[derive(Clone, Copy, Debug)]
pub enum Local<'a> {
    /// It is about to happen.
    Requested,
    /// The grant does not allow it, and why. It did not happen.
    Refused(&'a str),
    /// It happened, and failed or not.
    Done {
        /// Why it failed, if it did.
        failed: Option<&'a str>,
        /// How long it took.
        duration: Duration,
    },
}

/// The event of such a step.
#[must_use]
pub fn local(
    session: &Session,
    call: &ToolCall,
    random: [u8; 16],
    now: Timestamp,
    local: Local<'_>,
) -> Event {
    let uuid = uuid_v4(random);
    let scene = scene(session, call, &uuid, now);
    let decision = |verdict, reason: &str, code: &str| Decision {
        verdict,
        reason: reason.to_string(),
        evidence: Evidence {
            reason_code: Some(code.to_string()),
            ..Evidence::default()
        },
    };
    match local {
        Local::Requested => pre(scene),
        Local::Refused(why) => {
            let decision = decision(Verdict::Block(Cause::Policy), why, "not_granted");
            let judged = Judged {
                decision: &decision,
                duration: Duration::ZERO,
            };
            block(scene, judged)
        }
        Local::Done { failed, duration } => {
            let decision = decision(Verdict::Allow, "", "granted");
            let judged = Judged {
                decision: &decision,
                duration,
            };
            let failure = failed.map(|why| ToolFailure {
                cause: FailureCause::ToolError,
                message: why.to_string(),
                error: None,
            });
            post(scene, judged, failure.as_ref().map_or(Ok(("null", 0)), Err))
        }
    }
}

/// The last event of a call that a host ended itself, and why: its governor failed, or nobody was to
/// be asked. The tool did not run, or it did and this is all that is known.
#[must_use]
pub fn broken(
    session: &Session,
    call: &ToolCall,
    random: [u8; 16],
    now: Timestamp,
    cause: Cause,
    reason: &str,
    ran: Option<&ToolFailure>,
) -> Event {
    let decision = Decision {
        verdict: Verdict::Block(cause),
        reason: reason.to_string(),
        evidence: Evidence::default(),
    };
    let uuid = uuid_v4(random);
    let scene = scene(session, call, &uuid, now);
    let judged = Judged {
        decision: &decision,
        duration: Duration::ZERO,
    };
    match ran {
        Some(failure) => post(scene, judged, Err(failure)),
        None => block(scene, judged),
    }
}

/// The last event of a call that its caller gave up while its tool ran. `verdict` is what let it run: none
/// where it ran whatever the answer was, as in observe mode.
#[must_use]
pub fn given_up(
    session: &Session,
    call: &ToolCall,
    random: [u8; 16],
    now: Timestamp,
    verdict: Option<Verdict>,
    duration: Duration,
) -> Event {
    let uuid = uuid_v4(random);
    let scene = scene(session, call, &uuid, now);
    let failure = ToolFailure {
        cause: FailureCause::Cancelled,
        message: String::new(),
        error: None,
    };
    let mut event = match verdict {
        Some(verdict) => {
            let decision = Decision {
                verdict,
                reason: String::new(),
                evidence: Evidence::default(),
            };
            let judged = Judged {
                decision: &decision,
                duration,
            };
            post(scene, judged, Err(&failure))
        }
        None => write(scene, EventType::ToolCallPost, None, |metadata, _| {
            add_duration(metadata, duration);
            add_failure(metadata, &failure);
        }),
    };
    event.reason = "the call was given up".to_string();
    event
}

fn scene<'a>(session: &'a Session, call: &'a ToolCall, uuid: &'a str, now: Timestamp) -> Scene<'a> {
    Scene {
        session,
        call,
        arguments: None,
        uuid,
        now,
        lost: 0,
    }
}
