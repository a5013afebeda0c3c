//! Events on their way to the policy service where nothing keeps them durably: a queue in memory,
//! sent again within a call's deadline, and a count of what was lost.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::Config;
use crate::emit::{self, MAX_BATCH};
use crate::ports::Waiting;
use crate::types::{EmitError, Event, Retry};

/// The most events that wait for another try. The oldest is lost for one more.
const QUEUE_MAX: usize = 100;

/// How often one batch is sent, at most, before a call goes on without it.
const TRIES: u32 = 3;

/// Between the first try and the second; then twice as long, and so on.
const PAUSE: Duration = Duration::from_millis(100);

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Once: there will be another occasion.
    Once,
    /// Up to [`TRIES`] times.
    Retry,
}

/// Events that the policy service has not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Undelivered {
    queue: Vec<Event>,
    lost: u64,
}

impl Undelivered {
    pub(crate) fn push(&mut self, event: Event) {
        if self.queue.len() >= QUEUE_MAX {
            self.queue.remove(0);
            self.lost += 1;
        }
        self.queue.push(event);
    }

    /// How many events will never be delivered.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Gives an event up if it was not taken, and says whether that was so.
    pub(crate) fn give_up(&mut self, event_id: &str) -> bool {
        match self
            .queue
            .iter()
            .position(|event| event.event_id == event_id)
        {
            Some(index) => {
                self.queue.remove(index);
                self.lost += 1;
                true
            }
            None => false,
        }
    }

    /// Sends what there is, oldest first, all of it within the time of one question.
    ///
    /// # Errors
    /// Why the last batch was not taken. What may yet be taken stays.
    pub(crate) fn deliver<P: Waiting>(
        &mut self,
        config: &Config,
        ports: &mut P,
        effort: Effort,
    ) -> Result<(), String> {
        let end = ports.monotonic().saturating_add(config.timeout);
        let mut tries = 1;
        while !self.queue.is_empty() {
            let left = end.saturating_sub(ports.monotonic());
            if left.is_zero() {
                return Err("the policy service did not take them in time".to_string());
            }
            let count = self.queue.len().min(MAX_BATCH);
            let batch = self.queue.get(..count).unwrap_or_default();
            match emit::send(config, ports, batch, left) {
                Ok(_) => {
                    self.queue.drain(..count);
                    tries = 1;
                }
                Err(error) if error.retry == Retry::Never => {
                    self.queue.drain(..count);
                    self.lost += u64::try_from(count).unwrap_or(u64::MAX);
                    return Err(error.message);
                }
                Err(error) => {
                    let pause = pause(&error, tries);
                    let left = end.saturating_sub(ports.monotonic());
                    if effort == Effort::Once
                        || !may_pass(&error)
                        || tries == TRIES
                        || pause >= left
                    {
                        return Err(error.message);
                    }
                    ports.wait(pause);
                    tries += 1;
                }
            }
        }
        Ok(())
    }
}

/// Whether the policy service was just away or busy.
fn may_pass(error: &EmitError) -> bool {
    matches!(error.status, None | Some(408 | 429 | 500..=599))
}

fn pause(error: &EmitError, tries: u32) -> Duration {
    let asked = Duration::from_secs(error.retry_after_seconds.unwrap_or_default().into());
    asked.max(PAUSE * tries)
}
