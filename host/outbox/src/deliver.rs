//! The delivery loop: the oldest waiting events go first, and nothing overtakes them.

use std::future::Future;
use std::time::Duration;

use crate::error::one_line;
use crate::event::Event;
use crate::ledger::Settlement;
use crate::outbox::Outbox;
use crate::reader::{BATCH, Batch};
use crate::retry::Retry;
use crate::turn::Turn;

/// Takes events to one destination.
pub trait Carrier: Send + Sync {
    /// Tries once to deliver these events, which are from one to [`BATCH`], oldest first. Events that
    /// the destination has had before may come again, under the same ids.
    ///
    /// # Cancel safety
    /// The future may be dropped at any point; the same events then come again.
    fn send(&self, batch: &[Event]) -> impl Future<Output = Sent> + Send;
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The destination has every event of it.
    Accepted,
    /// Not now: try the same batch again. What is behind it waits.
    Later {
        /// When the destination wants to be asked again, if it said so.
        after: Option<Duration>,
        /// What went wrong, for people.
        why: String,
    },
    /// Never, for at least one event of it. The events are then sent one by one, and those refused
    /// alone are marked as rejected.
    Never {
        /// What the destination said, for people.
        why: String,
    },
}

/// Delivers what waits in the outbox, and what is appended later, until `shutdown` resolves.
///
/// Of all processes (and loops) that share a log, one delivers for a destination; this one waits for
/// its turn. A batch that is under way at shutdown may be delivered again by the next.
///
/// # Cancel safety
/// Safe: dropping the future is the same as a shutdown.
pub async fn deliver(
    outbox: Outbox,
    carrier: impl Carrier,
    policy: Retry,
    shutdown: impl Future<Output = ()>,
) {
    tokio::select! {
        biased;
        () = shutdown => {}
        () = run(&outbox, &carrier, &policy) => {}
    }
}

async fn run(outbox: &Outbox, carrier: &impl Carrier, policy: &Retry) {
    let mut turn = None;
    // Nothing waits up to and including this row.
    let mut done = 0;
    // Up to this row events go one by one: a batch that ended here was refused.
    let mut alone_through = 0;
    let mut failures: u32 = 0;
    let mut gathered = false;
    loop {
        if turn.is_none() {
            turn = Some(Turn::take(outbox.turn(), policy.turn).await);
        }
        let limit = if done < alone_through { 1 } else { BATCH };
        let batch = match outbox.batch(done, limit).await {
            Ok(batch) => batch,
            Err(why) => {
                failures = failures.saturating_add(1);
                postpone(outbox, policy.delay(failures, None), &why).await;
                continue;
            }
        };
        if batch.events.is_empty() {
            done = batch.through;
            let appended = outbox.signals().appended.notified();
            // Time-out or not, the next step is to look.
            let _ = tokio::time::timeout(policy.poll, appended).await;
            continue;
        }
        if !batch.full && !gathered && failures == 0 {
            let hurry = outbox.signals().hurry.notified();
            let _ = tokio::time::timeout(policy.gather, hurry).await;
            gathered = true;
            continue;
        }
        gathered = false;
        let sent = tokio::time::timeout(policy.attempt, carrier.send(&batch.events)).await;
        let refused = match sent {
            Ok(Sent::Accepted) => None,
            Ok(Sent::Never { .. }) if batch.events.len() > 1 => {
                alone_through = batch.through;
                continue;
            }
            Ok(Sent::Never { why }) => Some(one_line(&why)),
            Ok(Sent::Later { after, why }) => {
                failures = failures.saturating_add(1);
                // Another process may have more luck, with another key for instance. But when to come back
                // is said to all of them.
                if after.is_none() {
                    turn = None;
                }
                postpone(outbox, policy.delay(failures, after), &why).await;
                continue;
            }
            Err(_) => {
                failures = failures.saturating_add(1);
                postpone(outbox, policy.delay(failures, None), "no answer in time").await;
                continue;
            }
        };
        failures = 0;
        settle(outbox, policy, &batch, refused).await;
        done = batch.through;
    }
}

/// Waits before the same batch is tried again, and lets `status` say why.
async fn postpone(outbox: &Outbox, wait: Duration, why: &str) {
    // The reason is for people only; delivery goes on without it.
    let _ = outbox.trouble(why).await;
    tokio::time::sleep(wait).await;
}

/// Records the destination's answer, for as long as it takes: without the record the same events
/// would be sent again.
async fn settle(outbox: &Outbox, policy: &Retry, batch: &Batch, refused: Option<String>) {
    let settlement = Settlement {
        through: batch.through,
        events: i64::try_from(batch.events.len()).unwrap_or(i64::MAX),
        bytes: i64::try_from(batch.bytes).unwrap_or(i64::MAX),
        refused,
    };
    let mut failures: u32 = 0;
    while outbox.settle(settlement.clone()).await.is_err() {
        failures = failures.saturating_add(1);
        tokio::time::sleep(policy.delay(failures, None)).await;
    }
}
