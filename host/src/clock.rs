//! A time limit that stands still while somebody else is waited for: a human, or a tool that has its
//! own limit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The end of something, by the monotonic clock. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug)]
struct State {
    end: Instant,
    /// How many keep it standing, and since when.
    parked: usize,
    since: Instant,
}

/// Keeps a clock standing until it is dropped.
#[derive(Debug)]
pub(crate) struct Parked(Clock);

impl Clock {
    /// A clock that is over after so long.
    pub(crate) fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self(Arc::new(watch::Sender::new(State {
            // Far enough where the limit is beyond what the clock can tell.
            end: now
                .checked_add(limit)
                .unwrap_or(now + Duration::from_secs(u32::MAX.into())),
            parked: 0,
            since: now,
        })))
    }

    /// Stops the clock until what this returns is dropped.
    pub(crate) fn park(&self) -> Parked {
        self.0.send_modify(|state| {
            if state.parked == 0 {
                state.since = Instant::now();
            }
            state.parked += 1;
        });
        Parked(self.clone())
    }

    /// Lets it begin anew.
    pub(crate) fn restart(&self, limit: Duration) {
        let fresh = *Self::new(limit).0.borrow();
        self.0.send_modify(|state| state.end = fresh.end);
    }

    /// Whether the time is over.
    pub(crate) fn is_over(&self) -> bool {
        let state = *self.0.borrow();
        state.parked == 0 && Instant::now() >= state.end
    }

    /// When it will be over if nobody stops it.
    pub(crate) fn end(&self) -> Instant {
        let state = *self.0.borrow();
        match state.parked {
            0 => state.end,
            _ => state.end + state.since.elapsed(),
        }
    }

    /// Runs a future for as long as there is time; `None` if that was not enough.
    ///
    /// # Cancel safety
    /// As the future's own.
    pub(crate) async fn limit<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.over() => None,
        }
    }

    async fn over(&self) {
        let mut changes = self.0.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            // The sender is ours, so there is always another change to wait for.
            if state.parked > 0 {
                let _ = changes.changed().await;
                continue;
            }
            tokio::select! {
                () = sleep_until(state.end) => return,
                _ = changes.changed() => {}
            }
        }
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| {
            state.parked -= 1;
            if state.parked == 0 {
                state.end += state.since.elapsed();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_does_not_pass_while_it_is_parked() {
        let clock = Clock::new(Duration::from_secs(10));
        let start = Instant::now();
        let parked = clock.park();
        tokio::time::advance(Duration::from_secs(60)).await;
        let again = clock.park();
        drop(parked);
        assert!(!clock.is_over());
        tokio::time::advance(Duration::from_secs(60)).await;
        drop(again);
        assert_eq!(clock.limit(std::future::pending::<()>()).await, None);
        assert_eq!(start.elapsed().as_secs(), 130);
        assert!(clock.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_in_time_is_let_through() {
        let clock = Clock::new(Duration::from_secs(10));
        let work = tokio::time::sleep(Duration::from_secs(9));
        assert_eq!(clock.limit(work).await, Some(()));
        assert_eq!(clock.limit(async { 7 }).await, Some(7));
    }
}
