//! A call that its caller may give up at any point, and the event that says so where that ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thoth_core::{Event, Session, ToolCall, Verdict};
use tokio::time::Instant;

use super::notes::Notes;
use super::state::{Active, GivenUp, Last, lock};
use crate::outbox::{Open, Recorder};

/// A call on its way. If it is given up before its end, an event says that, and whether its tool ran. A held
/// call that can be come back to does not end by that.
pub(super) struct Unfinished<'a> {
    recorder: &'a Recorder,
    session: &'a Session,
    call: &'a ToolCall,
    /// Whether the tool was started: the host lets a governor do that after an answer only, but for one
    /// that observes.
    ran: Arc<AtomicBool>,
    recorded: Arc<AtomicBool>,
    taken: Arc<AtomicBool>,
    given_up: GivenUp,
    observe: bool,
    last: Last,
    notes: Notes,
    begun: Instant,
    /// None once it has ended.
    open: Option<Open>,
}

/// What is known of a call at its end.
pub(super) struct Ended {
    /// Whether its tool was started.
    pub(super) ran: bool,
    /// Whether the log has that it began.
    pub(super) recorded: bool,
    pub(super) notes: Notes,
}

impl<'a> Unfinished<'a> {
    /// To be made before the future of the call, which is then dropped first and leaves its notes.
    pub(super) fn new(
        recorder: &'a Recorder,
        session: &'a Session,
        call: &'a ToolCall,
        active: &Active,
    ) -> Self {
        Self {
            recorder,
            session,
            call,
            ran: Arc::clone(&active.ran),
            recorded: Arc::clone(&active.recorded),
            taken: Arc::clone(&active.taken),
            given_up: active.given_up,
            observe: active.observe,
            last: Arc::clone(&active.last),
            notes: active.notes.clone(),
            begun: Instant::now(),
            open: Some(recorder.open()),
        }
    }

    /// What is known when its governor has come to an end.
    pub(super) fn ended(&self) -> Ended {
        Ended {
            ran: self.ran.load(Ordering::Acquire),
            recorded: self.recorded.load(Ordering::Acquire),
            notes: self.notes.clone(),
        }
    }

    /// Its last event: the governor's own, if it came to that. Who gives up from here on gives up a call
    /// that has this end.
    pub(super) fn last(&self, otherwise: impl FnOnce() -> (Event, String)) -> (Event, String) {
        lock(&self.last).get_or_insert_with(otherwise).clone()
    }

    /// Nothing is left to be said of it.
    pub(super) fn end(mut self) {
        self.open = None;
    }

    /// What let the tool run. An observed one would have run on a block as well, and which answer there was
    /// is the governor's to know.
    fn verdict(&self) -> Option<Verdict> {
        let is_modified = || self.notes.has_fact("ran_arguments_sha256");
        match self.observe {
            true => None,
            false if is_modified() => Some(Verdict::Modify(String::new())),
            false => Some(Verdict::Allow),
        }
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let recorded = self.recorded.load(Ordering::Acquire);
        if let Some((event, facts)) = lock(&self.last).take() {
            open.end_later(event, facts, recorded);
            return;
        }
        if self.given_up == GivenUp::StaysHeld && !self.taken.load(Ordering::Acquire) {
            return;
        }
        let event = if self.ran.load(Ordering::Acquire) {
            let duration = self.begun.elapsed();
            (self.recorder).given_up(self.session, self.call, self.verdict(), duration)
        } else {
            let why = "the call was given up";
            self.recorder.broken(self.session, self.call, why, None)
        };
        let event = self.notes.annotate(event);
        open.end_later(event, self.notes.take_facts(), recorded);
    }
}
