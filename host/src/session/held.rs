//! Coming back to a held call: in this process, by whoever keeps its arguments, or in the next process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use thoth_core::arguments::Arguments;
use thoth_core::{Cause, Outcome, ToolCall};
use tokio::time::Instant;

use super::run::{Run, UnderWay};
use super::{Call, CallError, POLL_MAX, POLL_MIN, Pending, Session, checked, patience, refused};
use crate::calling::{CallOptions, Held};
use crate::governor::{GivenUp, Use};
use crate::kept_hold::KeptHold;
use crate::tool::Tool;

impl Session {
    /// Goes on with a call that this session's log has as held, made by a process that has ended: asks
    /// once about it, as [`Self::resume`] does. Tool and arguments must be those that were held, and so
    /// is the call's id, whatever the options say.
    ///
    /// Of processes that pick up one call at the same time one runs it: the log keeps one use of an approval.
    ///
    /// # Cancel safety
    /// As [`Self::resume`].
    ///
    /// # Errors
    /// As [`Self::call`], and if the log has no such hold, it is for another call, or that has ended.
    pub async fn pick_up(
        &self,
        tool: &Tool,
        name: &str,
        arguments: &str,
        token: &str,
        options: CallOptions,
    ) -> Result<Call, CallError> {
        let (outbox, session, wanted) = (
            self.runtime.0.outbox.clone(),
            self.id().to_owned(),
            token.to_owned(),
        );
        let found = crate::tool::blocking(move || {
            let archive = outbox.archive().map_err(|error| error.to_string());
            Ok(archive.and_then(|archive| KeptHold::find(&archive, &session, &wanted)))
        });
        let found = found.await.map_err(|error| error.to_string());
        let kept = found.and_then(|found| found).map_err(CallError::Hold)?;
        if kept.tool != name {
            let why = format!("it is for the tool `{}`", kept.tool);
            return Err(CallError::Hold(why));
        }
        if kept.component != tool.sha256() {
            return Err(CallError::Hold("it is for another component".into()));
        }
        let (hold, age) = (kept.hold, kept.age);
        let (call, _) = checked(tool, name, arguments, Some(hold.call_id.clone()))?;
        let digest = Arguments::parse(arguments).map(|read| read.digest(&self.scope, &call));
        if digest.as_ref() != Ok(&hold.digest) {
            return Err(CallError::Hold("it is for other arguments".into()));
        }
        let used = Use::new(tool.sha256());
        let traced = self.traced(&options, &call);
        if let Err(why) = self.begin().await {
            return Ok(self.unrecorded(tool, call, why, traced));
        }
        traced.held();
        let pending = Outcome::Pending(hold);
        let kept = (used, traced);
        let call = self.report(tool, call, pending, &Mutex::default(), kept);
        Ok(match call.pending.clone() {
            Some(mut pending) => {
                let left = patience(&pending.held.hold).saturating_sub(age);
                pending.held.expires = Instant::now() + left;
                self.ask(pending, options).await
            }
            None => call,
        })
    }

    /// Asks once about a held call, and runs it if it was approved. A call that is not pending
    /// comes back as it is.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the call held, until its approval is being used; that ends it.
    pub async fn resume(&self, call: Call) -> Call {
        match call.pending.clone() {
            Some(pending) => self.ask(pending, CallOptions::default()).await,
            None => call,
        }
    }

    /// Asks once about a held call of this session, and runs it if it was approved. The arguments must
    /// be those that were held: a hold is for their digest, and anything else is refused.
    ///
    /// # Errors
    /// As [`Self::call`], and if the tool is not the one that was held.
    ///
    /// # Cancel safety
    /// As [`Self::resume`].
    pub async fn resume_held(
        &self,
        tool: &Tool,
        name: &str,
        arguments: &str,
        held: &Held,
        options: CallOptions,
    ) -> Result<Call, CallError> {
        if held.sha256 != tool.sha256() || held.name != name {
            return Err(CallError::OtherTool);
        }
        let (call, _) = checked(tool, name, arguments, Some(held.call_id.clone()))?;
        let (tool, held) = (tool.clone(), held.clone());
        Ok(self.ask(Pending { tool, call, held }, options).await)
    }

    /// Asks about a held call until it is decided, its hold expires, or `limit` is over: then it
    /// comes back as pending still. `None` waits for as long as the hold lasts, after which the
    /// call is refused as expired.
    ///
    /// # Cancel safety
    /// As [`Self::resume`].
    pub async fn wait(&self, mut call: Call, limit: Option<Duration>) -> Call {
        let given_up = limit.map(|limit| Instant::now() + limit);
        let mut pause = POLL_MIN;
        while let Some(pending) = call.pending.clone() {
            let now = Instant::now();
            if given_up.is_some_and(|end| now >= end) {
                break;
            }
            let expires = pending.held.expires;
            if now >= expires {
                call = self.ask(pending, CallOptions::default()).await;
                break;
            }
            let end = given_up.map_or(expires, |end| end.min(expires));
            tokio::time::sleep_until((now + pause).min(end)).await;
            pause = (pause * 2).min(POLL_MAX);
            call = self.ask(pending, CallOptions::default()).await;
        }
        call
    }

    /// Records of a held call that nobody came back to it in time, so that it has an end in the log.
    pub(crate) async fn expired(&self, held: Held) {
        let call = ToolCall {
            call_id: held.call_id,
            tool: held.name,
            arguments: String::new(),
        };
        let why = "nobody came back to the hold before it expired";
        let recorder = self.runtime.governors().recorder();
        let scope = self.now(&CallOptions::default());
        let event = recorder.refused(&scope, &call, Cause::Expired, why);
        // That it began is in the log.
        let _ = recorder.append_end(event, String::new(), true).await;
        held.traced.came_to(&refused(Cause::Expired, why.into()));
    }

    async fn ask(&self, pending: Pending, options: CallOptions) -> Call {
        let Pending {
            tool,
            call,
            mut held,
        } = pending;
        if Instant::now() >= held.expires {
            // The last question: who is still undecided then never will be.
            held.hold.timeout_seconds = Some(0);
        }
        let scope = self.now(&options);
        // As they were held: the governor refuses others.
        let asked = thoth_core::json::parse(call.arguments.as_bytes()).unwrap_or_default();
        let taken = Arc::clone(&held.taken);
        let told = options.onlookers(held.traced.clone());
        let run = Run::new(&self.runtime, &tool, &scope, &call, &asked, taken, told);
        let under_way = UnderWay::new(self, &run);
        let governors = self.runtime.governors();
        let dispatch = run.dispatch(held.used.claim(&scope, &call));
        let resumed = governors.resume(&scope, &call, &held.hold, dispatch, GivenUp::StaysHeld);
        let outcome = resumed.await;
        held.traced.came_to(&outcome);
        let kept = (held.used, held.traced);
        let mut report = self.report(&tool, call, outcome, under_way.traces(), kept);
        if let Some(again) = &mut report.pending {
            again.held.expires = held.expires;
            again.held.taken = held.taken;
        }
        report
    }
}
