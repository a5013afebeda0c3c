//! What a client that waits is told meanwhile.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use thoth_core::Timestamp;
use tokio::sync::mpsc;

use crate::calling::Stage;
use crate::tool::inert;

/// How often it is said again: a client's own time-out may begin anew with each.
const AGAIN: Duration = Duration::from_secs(10);

/// How long the last notification may hold up the answer.
const LAST: Duration = Duration::from_secs(1);

/// What is said of one request and not told yet; more is not told at all.
const SAID_MAX: usize = 64;

/// Where the progress of one request is said.
#[derive(Debug, Clone)]
pub(super) struct Progress(Option<mpsc::Sender<String>>);

/// Whom it is told.
#[derive(Debug)]
pub(super) struct Listener {
    said: mpsc::Receiver<String>,
    peer: Peer<RoleServer>,
    /// None where the client does not want to know.
    token: Option<ProgressToken>,
    count: f64,
}

/// The progress of a request.
pub(super) fn of(context: &RequestContext<RoleServer>) -> (Progress, Listener) {
    let (sender, said) = mpsc::channel(SAID_MAX);
    let token = context.meta.get_progress_token();
    let progress = Progress(token.is_some().then_some(sender));
    let listener = Listener {
        said,
        peer: context.peer.clone(),
        token,
        count: 0.0,
    };
    (progress, listener)
}

impl Progress {
    /// Says what is happening.
    pub(super) fn say(&self, what: impl Into<String>) {
        if let Some(said) = &self.0 {
            let _too_much = said.try_send(inert(&what.into(), 300));
        }
    }

    /// Says how far a call has come.
    pub(super) fn stage(&self, stage: Stage) {
        self.say(match stage {
            Stage::Deciding => "waiting for a decision",
            Stage::Running => "running",
            Stage::Parked => "running, and waiting for an approval of what the tool wants to do",
            Stage::Ended => "recording what came of it",
        });
    }

    /// Says that a human is waited for, so long at most.
    pub(super) fn waits(&self, left: Duration, reason: &str) {
        if self.0.is_some() {
            self.say(format!("waiting for approval until {}: {reason}", at(left)));
        }
    }
}

impl Listener {
    /// Notifies the client while something is done. All that was said is told before it is, and nothing
    /// after.
    pub(super) async fn during<T>(mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        if self.token.is_none() {
            return work.await;
        }
        let mut what = String::new();
        let done = loop {
            tokio::select! {
                biased;
                done = &mut work => break done,
                Some(said) = self.said.recv() => what = said,
                () = tokio::time::sleep(AGAIN) => {}
            }
            let mut told = pin!(self.tell(what.clone()));
            tokio::select! {
                done = &mut work => {
                    let _gone = tokio::time::timeout(LAST, told).await;
                    break done;
                }
                () = &mut told => {}
            }
        };
        let rest = async {
            while let Ok(said) = self.said.try_recv() {
                self.tell(said).await;
            }
        };
        let _gone = tokio::time::timeout(LAST, rest).await;
        done
    }

    async fn tell(&mut self, what: String) {
        let Some(token) = self.token.clone().filter(|_| !what.is_empty()) else {
            return;
        };
        self.count += 1.0;
        let progress = ProgressNotificationParam::new(token, self.count).with_message(what);
        // A client that is gone is noticed where its answer is due.
        let _gone = self.peer.notify_progress(progress).await;
    }
}

/// So long from now, by the wall clock, to the second.
fn at(left: Duration) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = (now.unwrap_or_default() + left).as_secs();
    Timestamp {
        seconds,
        nanoseconds: 0,
    }
    .rfc3339()
}
