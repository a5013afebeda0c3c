//! What the requests of one call share: the counters and the record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thoth_transport::Allowance;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::{Attempt, Attempts, Budget, Budgets, Described, Kind, Outcome, Policy, Refused};

/// Most attempts that wait to be taken for the log, those under way included.
const MAX_RECORDS: usize = 1024;

pub(crate) struct Shared {
    pub(crate) policy: Arc<Policy>,
    /// Bytes that may still be received.
    pub(crate) down: Allowance,
    /// One for each request that may be under way.
    pub(crate) turns: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    requests: u32,
    under_way: usize,
    request_bytes: usize,
    attempts: Attempts,
}

impl Shared {
    pub(crate) fn new(policy: Arc<Policy>) -> Self {
        let budgets = policy.budgets;
        Self {
            down: Allowance::new(budgets.response_bytes),
            turns: Semaphore::new(budgets.in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            policy,
            state: Mutex::default(),
        }
    }

    pub(crate) fn budgets(&self) -> Budgets {
        self.policy.budgets
    }

    pub(crate) fn requests(&self) -> u32 {
        self.state().requests
    }

    pub(crate) fn request_bytes(&self) -> usize {
        self.state().request_bytes
    }

    pub(crate) fn take_attempts(&self) -> Attempts {
        std::mem::take(&mut self.state().attempts)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's place in the record. Whatever becomes of it, dropping this writes it down.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    sent_at: Option<Instant>,
    // Only taken by the drop.
    attempt: Option<Attempt>,
}

impl Ticket {
    /// Counts one more request, if the budget and the record have room for it.
    pub(crate) fn new(shared: &Arc<Shared>, target: String) -> Result<Self, Refused> {
        let most = shared.budgets().requests;
        let mut state = shared.state();
        let full = if state.requests >= most {
            Some((
                Budget::Requests,
                format!("the call has made its {most} requests"),
            ))
        } else if state.attempts.ended.len() + state.under_way >= MAX_RECORDS {
            let problem = "the record of the call's requests is full".to_owned();
            Some((Budget::Records, problem))
        } else {
            None
        };
        if let Some((budget, problem)) = full {
            state.attempts.omitted += 1;
            return Err(Refused::new(Kind::Budget(budget), problem));
        }
        state.requests += 1;
        state.under_way += 1;
        let attempt = Attempt {
            number: state.requests,
            target,
            described: None,
            outcome: Outcome::Abandoned,
            request_bytes: 0,
            response_bytes: 0,
            masked: false,
            duration: Duration::ZERO,
        };
        drop(state);
        Ok(Self {
            shared: Arc::clone(shared),
            sent_at: None,
            attempt: Some(attempt),
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn number(&self) -> u32 {
        self.attempt.as_ref().map_or(0, |attempt| attempt.number)
    }

    pub(crate) fn set_target(&mut self, target: String) {
        self.edit(|attempt| attempt.target = target);
    }

    pub(crate) fn set_described(&mut self, described: Described) {
        self.edit(|attempt| attempt.described = Some(described));
    }

    /// The time of sending begins now.
    pub(crate) fn start(&mut self) {
        self.sent_at = Some(Instant::now());
    }

    /// Counts the bytes of the request, if there are as many left.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Refused> {
        let most = self.shared.budgets().request_bytes;
        let mut state = self.shared.state();
        match state.request_bytes.checked_add(bytes) {
            Some(sum) if sum <= most => state.request_bytes = sum,
            _ => {
                return Err(Refused::new(
                    Kind::Budget(Budget::RequestBytes),
                    format!("the call would send more than its {most} bytes"),
                ));
            }
        }
        drop(state);
        self.edit(|attempt| attempt.request_bytes = u64::try_from(bytes).unwrap_or(u64::MAX));
        Ok(())
    }

    pub(crate) fn answered(mut self, status: http::StatusCode, bytes: usize, masked: bool) {
        self.edit(|attempt| {
            attempt.outcome = Outcome::Answered(status);
            attempt.response_bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            attempt.masked = masked;
        });
    }

    pub(crate) fn refused(mut self, refused: Refused) -> Refused {
        let copy = refused.clone();
        self.edit(|attempt| attempt.outcome = Outcome::Refused(copy));
        refused
    }

    fn edit(&mut self, change: impl FnOnce(&mut Attempt)) {
        if let Some(attempt) = &mut self.attempt {
            change(attempt);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(mut attempt) = self.attempt.take() else {
            return;
        };
        attempt.duration = self.sent_at.map_or(Duration::ZERO, |sent| sent.elapsed());
        let mut state = self.shared.state();
        state.under_way = state.under_way.saturating_sub(1);
        state.attempts.ended.push(attempt);
    }
}
