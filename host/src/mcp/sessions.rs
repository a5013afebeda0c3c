//! The sessions of clients that have shaken hands over HTTP: how many there are, and which one goes when
//! there is no room for another.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{Extensions, RequestId};
use rmcp::transport::streamable_http_server::session::SessionManager as _;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The sessions of one server.
#[derive(Debug)]
pub(super) struct Sessions {
    open: Arc<LocalSessionManager>,
    most: usize,
    used: Mutex<HashMap<Arc<str>, Used>>,
    /// Room is made by one at a time.
    making_room: tokio::sync::Mutex<()>,
}

/// When a session was used last, and how many of its requests are under way.
#[derive(Debug)]
struct Used {
    last: Instant,
    under_way: usize,
    inside: Arc<Inside>,
}

/// What the requests of a session share.
#[derive(Debug, Default)]
struct Inside {
    /// Cancelled when the session ends.
    gone: CancellationToken,
    /// The ids of the requests that are being handled.
    ids: Mutex<HashSet<RequestId>>,
}

/// A request of a session that is under way.
#[derive(Debug)]
pub(super) struct InUse {
    sessions: Arc<Sessions>,
    id: Arc<str>,
    inside: Arc<Inside>,
}

/// Goes with a request to where it is handled. Its id is taken until then, whether or not the client waits.
#[derive(Debug, Clone)]
pub(super) struct Ticket(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    id: RequestId,
    inside: Arc<Inside>,
}

impl Sessions {
    pub(super) fn new(open: Arc<LocalSessionManager>, most: usize) -> Self {
        Self {
            open,
            most,
            used: Mutex::default(),
            making_room: Default::default(),
        }
    }

    /// Notes that a request of a session is under way, for as long as what comes back lives.
    pub(super) async fn enter(self: &Arc<Self>, id: &str) -> Option<InUse> {
        let open = self.open.sessions.read().await;
        let (id, _) = open.get_key_value(id)?;
        let mut used = self.used();
        let entry = used.entry(Arc::clone(id)).or_insert_with(Used::now);
        entry.under_way += 1;
        Some(InUse {
            sessions: Arc::clone(self),
            id: Arc::clone(id),
            inside: Arc::clone(&entry.inside),
        })
    }

    /// Makes room for a session that has just begun: where there are too many, those end that nobody has used
    /// for longest. `false` where all others have something under way: then it is the new one that ends.
    pub(super) async fn make_room(&self, new: &str) -> bool {
        let _alone = self.making_room.lock().await;
        loop {
            let oldest = {
                let open = self.open.sessions.read().await;
                let mut used = self.used();
                used.retain(|id, _| open.contains_key(id));
                if open.len() <= self.most {
                    return true;
                }
                for id in open.keys() {
                    used.entry(Arc::clone(id)).or_insert_with(Used::now);
                }
                let idle = used
                    .iter()
                    .filter(|(id, used)| used.under_way == 0 && ***id != *new);
                let oldest = idle.min_by_key(|(_, used)| used.last);
                oldest.map(|(id, used)| (Arc::clone(id), Arc::clone(&used.inside)))
            };
            let Some((id, inside)) = oldest else {
                let _gone = self.open.close_session(&new.into()).await;
                return false;
            };
            // Its client may have left something that runs.
            inside.gone.cancel();
            let _gone = self.open.close_session(&id).await;
        }
    }

    fn used(&self) -> MutexGuard<'_, HashMap<Arc<str>, Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    fn now() -> Self {
        Self {
            last: Instant::now(),
            under_way: 0,
            inside: Arc::default(),
        }
    }
}

impl InUse {
    /// The session has ended: what it has under way stops.
    pub(super) fn end(&self) {
        self.inside.gone.cancel();
    }

    /// Takes the id of a request. `None` while another one has it.
    pub(super) fn take(&self, id: RequestId) -> Option<Ticket> {
        let inside = Arc::clone(&self.inside);
        let is_new = inside.ids().insert(id.clone());
        is_new.then(|| Ticket(Arc::new(Taken { id, inside })))
    }

    /// Whether the session has ended meanwhile. One that ends is known for a moment more.
    pub(super) async fn is_over(&self) -> bool {
        /// Requests count from zero.
        const NO_REQUEST: u64 = u64::MAX;
        let open = self.sessions.open.sessions.read().await;
        match open.get(&self.id) {
            Some(session) => matches!(
                session.close_request_wise_channel(NO_REQUEST).await,
                Err(SessionError::SessionServiceTerminated)
            ),
            None => true,
        }
    }
}

impl Inside {
    fn ids(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.inside.ids().remove(&self.id);
    }
}

/// Waits until the session that a request came in has ended, if it came in one over HTTP.
pub(super) async fn ended(request: &Extensions) {
    let head = request.get::<http::request::Parts>();
    match head.and_then(|head| head.extensions.get::<Ticket>()) {
        Some(Ticket(taken)) => taken.inside.gone.cancelled().await,
        None => std::future::pending().await,
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(used) = self.sessions.used().get_mut(&self.id) {
            used.under_way = used.under_way.saturating_sub(1);
            used.last = Instant::now();
        }
    }
}
