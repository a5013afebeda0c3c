//! Places for connections: where all are taken, one that is idle is given to whoever comes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// As many places as there are.
pub(crate) struct Places {
    free: Arc<Semaphore>,
    idle: Mutex<Idle>,
    /// A connection became idle. Only who takes places listens.
    idled: Notify,
}

/// Connections without a request under way, by when that began.
#[derive(Default)]
struct Idle {
    next: u64,
    connections: BTreeMap<u64, Arc<Notify>>,
}

/// The place of one connection, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    /// INVARIANT: its number among the idle ones, if it is there. Changed under their lock only.
    since: AtomicU64,
    given_away: Arc<Notify>,
    /// Some, since nobody closes what it is of.
    _permit: Option<OwnedSemaphorePermit>,
}

/// A request under way, until it is dropped: its connection keeps its place.
pub(crate) struct Busy(Arc<Place>);

impl Places {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(places)),
            idle: Mutex::default(),
            idled: Notify::new(),
        })
    }

    /// A free place, or that of the connection which has been idle for longest. Where every one is busy, it
    /// waits. To be called by one at a time.
    ///
    /// # Cancel safety
    /// Dropping the future may leave a place free that an idle connection had.
    pub(crate) async fn take(self: &Arc<Self>) -> Arc<Place> {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                break Some(permit);
            }
            let longest = self.idle().connections.pop_first();
            let freed = Arc::clone(&self.free).acquire_owned();
            match longest {
                Some((_, given_away)) => {
                    given_away.notify_one();
                    break freed.await.ok();
                }
                None => tokio::select! {
                    permit = freed => break permit.ok(),
                    () = self.idled.notified() => {}
                },
            }
        };
        let place = Arc::new(Place {
            places: Arc::clone(self),
            since: AtomicU64::default(),
            given_away: Arc::default(),
            _permit: permit,
        });
        place.rest();
        place
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// A request begins. None if the place is given away already.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<Busy> {
        self.leave_idle().then(|| Busy(Arc::clone(self)))
    }

    /// Resolves when the connection has to make room.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn given_away(&self) {
        self.given_away.notified().await;
    }

    fn rest(&self) {
        let mut idle = self.places.idle();
        idle.next += 1;
        let since = idle.next;
        self.since.store(since, Ordering::Relaxed);
        let given_away = Arc::clone(&self.given_away);
        idle.connections.insert(since, given_away);
        drop(idle);
        self.places.idled.notify_one();
    }

    /// Whether it was idle until now.
    fn leave_idle(&self) -> bool {
        let mut idle = self.places.idle();
        let since = self.since.load(Ordering::Relaxed);
        idle.connections.remove(&since).is_some()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave_idle();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.rest();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    /// Whether something has come about already.
    fn is_there(future: impl Future) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(future).poll(&mut context).is_ready()
    }

    #[tokio::test]
    async fn the_connection_that_is_idle_for_longest_makes_room() {
        let places = Places::new(3);
        let (first, second) = (places.take().await, places.take().await);
        let _third = places.take().await;
        let busy = first.begin();
        assert!(busy.is_some());
        let mut next = pin!(places.take());
        assert!(!is_there(next.as_mut()), "its place is not free yet");
        assert!(is_there(second.given_away()) && !is_there(first.given_away()));
        assert!(second.begin().is_none(), "nothing begins there any more");
        drop(second);
        next.await;
    }

    #[tokio::test]
    async fn an_answer_makes_a_connection_the_last_to_go() {
        let places = Places::new(2);
        let (first, second) = (places.take().await, places.take().await);
        drop(first.begin());
        let mut next = pin!(places.take());
        assert!(!is_there(next.as_mut()));
        assert!(is_there(second.given_away()) && !is_there(first.given_away()));
    }

    #[tokio::test]
    async fn where_all_are_busy_the_first_that_is_done_makes_room() {
        let places = Places::new(1);
        let only = places.take().await;
        let busy = only.begin();
        let mut next = pin!(places.take());
        assert!(!is_there(next.as_mut()) && !is_there(only.given_away()));
        drop(busy);
        assert!(!is_there(next.as_mut()) && is_there(only.given_away()));
        drop(only);
        next.await;
    }

    #[tokio::test]
    async fn a_connection_that_ends_leaves_its_place() {
        let places = Places::new(1);
        drop(places.take().await);
        assert!(places.idle().connections.is_empty());
        let again = places.take().await;
        let _busy = again.begin();
        drop(again);
        assert!(!is_there(places.take()), "a request keeps it");
    }
}
