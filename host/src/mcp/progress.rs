//! What a client that waits is told meanwhile.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use thoth_core::Timestamp;
use tokio::sync::watch;

use crate::calling::Stage;
use crate::tool::inert;

/// How often it is said again: a client's own time-out may begin anew with each.
const AGAIN: Duration = Duration::from_secs(10);

/// How long the last notification may hold up the answer.
const LAST: Duration = Duration::from_secs(1);

/// The progress of one request.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// None where the client does not want to know.
    told: Option<watch::Sender<String>>,
    peer: Peer<RoleServer>,
    token: Option<ProgressToken>,
}

impl Progress {
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Self {
        let token = context.meta.get_progress_token();
        Self {
            told: token.is_some().then(|| watch::Sender::new(String::new())),
            peer: context.peer.clone(),
            token,
        }
    }

    /// Says what is happening.
    pub(super) fn say(&self, what: impl Into<String>) {
        if let Some(told) = &self.told {
            let what = inert(&what.into(), 300);
            told.send_if_modified(|said| {
                let changed = *said != what;
                *said = what;
                changed
            });
        }
    }

    /// Says how far a call has come.
    pub(super) fn stage(&self, stage: Stage) {
        self.say(match stage {
            Stage::Deciding => "waiting for a decision",
            Stage::Running => "running",
            Stage::Parked => "running, and waiting for an approval of what the tool wants to do",
        });
    }

    /// Says that a human is waited for, so long at most.
    pub(super) fn waits(&self, left: Duration, reason: &str) {
        if self.told.is_some() {
            self.say(format!("waiting for approval until {}: {reason}", at(left)));
        }
    }

    /// Notifies the client while something is done. No notification comes after it is.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let (Some(told), Some(token)) = (&self.told, &self.token) else {
            return work.await;
        };
        let mut told = told.subscribe();
        told.mark_changed();
        let mut work = pin!(work);
        let mut count = 0.0;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                // The sender is ours, so there is always another change to wait for.
                _ = told.changed() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
            let what = told.borrow_and_update().clone();
            if what.is_empty() {
                continue;
            }
            count += 1.0;
            let progress = ProgressNotificationParam::new(token.clone(), count).with_message(what);
            let mut notified = pin!(self.peer.notify_progress(progress));
            tokio::select! {
                done = &mut work => {
                    let _gone = tokio::time::timeout(LAST, notified).await;
                    return done;
                }
                _told_or_gone = &mut notified => {}
            }
        }
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
