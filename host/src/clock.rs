//! A time limit that stands still while somebody else is waited for: a human, or a tool that has its
//! own limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The end of something, by the monotonic clock. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<Mutex<State>>);

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

/// When a clock that stands with no time left is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Clock {
    /// A clock that is over after so long.
    pub(crate) fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(State {
            end: after(now, limit),
            parked: 0,
            since: now,
        })))
    }

    /// Stops the clock until what this returns is dropped.
    pub(crate) fn park(&self) -> Parked {
        let mut state = self.state();
        if state.parked == 0 {
            state.since = Instant::now();
        }
        state.parked += 1;
        Parked(self.clone())
    }

    /// Lets it begin anew. What is limited by it already goes by a later end, not by an earlier one.
    pub(crate) fn restart(&self, limit: Duration) {
        self.state().end = after(Instant::now(), limit);
    }

    /// Whether the time is over.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.state();
        state.parked == 0 && Instant::now() >= state.end
    }

    /// When it will be over if nobody stops it.
    pub(crate) fn end(&self) -> Instant {
        let state = self.state();
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

    /// Nobody is told when a clock is stopped or goes on: it can only be over later for that, and who
    /// has slept until then looks again.
    async fn over(&self) {
        while let Some(earliest) = self.earliest() {
            sleep_until(earliest).await;
        }
    }

    /// The earliest that it can be over. `None` if it is.
    fn earliest(&self) -> Option<Instant> {
        let (state, now) = (*self.state(), Instant::now());
        match state.parked {
            0 => (now < state.end).then_some(state.end),
            _ => {
                let end = state.end + now.duration_since(state.since);
                Some(end.max(now + LOOK_AGAIN))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Far enough where the limit is beyond what the clock can tell.
fn after(now: Instant, limit: Duration) -> Instant {
    now.checked_add(limit)
        .unwrap_or(now + Duration::from_secs(u32::MAX.into()))
}

impl Drop for Parked {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.parked -= 1;
        if state.parked == 0 {
            let stood = state.since.elapsed();
            state.end += stood;
        }
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

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_stands_with_no_time_left_is_over_soon_after_it_goes_on() {
        let clock = Clock::new(Duration::ZERO);
        let parked = clock.park();
        let start = Instant::now();
        let limited = tokio::spawn({
            let clock = clock.clone();
            async move { clock.limit(std::future::pending::<()>()).await }
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!limited.is_finished());
        drop(parked);
        assert_eq!(limited.await.unwrap(), None);
        assert!(start.elapsed() <= Duration::from_secs(60) + LOOK_AGAIN);
    }
}
