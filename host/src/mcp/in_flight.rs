//! The requests of one client that are under way, and how many there may be.

use std::collections::HashMap;
use std::sync::Arc;

use rmcp::model::RequestId;
use tokio::sync::watch;

use super::frame::SAME_ID;

/// Requests under way at once; more are refused, not queued.
pub(super) const IN_FLIGHT_MAX: usize = 1_024;

/// What is said of one that is refused for that.
pub(super) const TOO_MANY: &str = "too many requests are under way: wait for answers";

/// The requests that were not answered yet; of the cancelled, which never are, those that somebody is still at.
/// Clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Arc<watch::Sender<Requests>>);

#[derive(Debug, Default)]
struct Requests {
    /// How many were let in.
    admitted: u64,
    under_way: HashMap<RequestId, UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    /// Tells it from a later request of the same id.
    nth: u64,
    cancelled: bool,
    /// Nobody is at it any more.
    done: bool,
}

/// Goes with a request to where it is handled, and with what is dropped there.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    _held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    id: RequestId,
    nth: u64,
    in_flight: InFlight,
}

impl InFlight {
    /// Lets a request in.
    ///
    /// # Errors
    /// Why it is not let in.
    pub(super) fn admit(&self, id: &RequestId) -> Result<Ticket, &'static str> {
        let mut admitted = Err(TOO_MANY);
        self.0.send_if_modified(|all| {
            if all.under_way.contains_key(id) {
                admitted = Err(SAME_ID);
            } else if all.under_way.len() < IN_FLIGHT_MAX {
                let nth = all.admitted;
                let new = UnderWay {
                    nth,
                    cancelled: false,
                    done: false,
                };
                all.admitted += 1;
                all.under_way.insert(id.clone(), new);
                admitted = Ok(nth);
            }
            admitted.is_ok()
        });
        let held = Held {
            id: id.clone(),
            nth: admitted?,
            in_flight: self.clone(),
        };
        Ok(Ticket {
            _held: Arc::new(held),
        })
    }

    /// An answer was written.
    pub(super) fn answered(&self, id: &RequestId) {
        self.0
            .send_if_modified(|all| all.under_way.remove(id).is_some());
    }

    /// It will not be answered: its place is free once nobody is at it.
    pub(super) fn cancelled(&self, id: &RequestId) {
        self.0.send_if_modified(|all| {
            let Some(request) = all.under_way.get_mut(id) else {
                return false;
            };
            request.cancelled = true;
            request.done && all.under_way.remove(id).is_some()
        });
    }

    /// Waits until nothing is under way.
    pub(super) async fn all_done(&self) {
        let mut all = self.0.subscribe();
        // The sender is ours, so there is an end to wait for.
        let _ = all.wait_for(|all| all.under_way.is_empty()).await;
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.borrow().under_way.len()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.in_flight.0.send_if_modified(|all| {
            let request = all.under_way.get_mut(&self.id);
            let Some(request) = request.filter(|request| request.nth == self.nth) else {
                return false;
            };
            request.done = true;
            request.cancelled && all.under_way.remove(&self.id).is_some()
        });
    }
}
