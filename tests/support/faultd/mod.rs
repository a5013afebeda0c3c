//! A policy service that does exactly what it is told, down to the byte.
//!
//! It takes one script for each request, remembers every request, and answers what it was told
//! nothing about as a healthy service does: enforcement with an ALLOW, events with a 202.

mod answer;
mod listener;
mod request;
mod script;
mod serve;
#[cfg(test)]
mod tests;
pub mod tls;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::Value;
use tokio::{net::TcpSocket, runtime::Runtime};

pub use answer::Answer;
use listener::Door;
pub use listener::{Listener, Refused};
pub use request::{Request, Site};
pub use script::{Reply, Step, chunked, response};

/// A request that has not come by then is not coming.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running service. It stops when it is dropped.
pub struct Faultd {
    address: SocketAddr,
    secure: bool,
    shared: Arc<Shared>,
    door: Arc<Door>,
    runtime: Option<Runtime>,
}

/// What the connections of one service share.
#[derive(Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    enforce: Replies,
    hold: Replies,
    events: Replies,
    other: Replies,
    requests: Vec<Request>,
    taken: Vec<Value>,
    waits: Vec<Duration>,
    connections: usize,
}

/// What to answer at one site: first the queue, then always the same.
#[derive(Default)]
struct Replies {
    queue: VecDeque<Reply>,
    then: Option<Reply>,
}

impl Faultd {
    /// A service on plain HTTP.
    #[must_use]
    pub fn start() -> Self {
        Self::listen(Listener::Plain)
    }

    /// A service whose connections are treated as `listener` says.
    ///
    /// # Panics
    ///
    /// If no port of the loopback interface can be had.
    #[must_use]
    pub fn listen(listener: Listener) -> Self {
        Self::on(listener::bound(), listener)
    }

    fn on(socket: TcpSocket, listener: Listener) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let shared = Arc::new(Shared::default());
        let secure = listener.is_secure();
        let door = Door::new(listener);
        let address = listener::spawn(
            runtime.handle(),
            socket,
            Arc::clone(&door),
            Arc::clone(&shared),
        );
        Self {
            address,
            secure,
            shared,
            door,
            runtime: Some(runtime),
        }
    }

    /// Forgets every script and treats new connections as `listener` says, on the same port.
    pub fn heal(&self, listener: Listener) {
        {
            let mut state = self.shared.lock();
            for site in [Site::Enforce, Site::Hold, Site::Events, Site::Other] {
                *state.at(site) = Replies::default();
            }
        }
        self.door.exchange(listener);
    }

    /// The base URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        let (scheme, host) = if self.secure {
            ("https", "localhost")
        } else {
            ("http", "127.0.0.1")
        };
        format!("{scheme}://{host}:{}", self.address.port())
    }

    /// Answers every request to `site` with `reply`, once what was queued is used up.
    pub fn always(&self, site: Site, reply: impl Into<Reply>) -> &Self {
        self.shared.lock().at(site).then = Some(reply.into());
        self
    }

    /// Answers the next request to `site` with `reply`; may be said again for the one after.
    pub fn next(&self, site: Site, reply: impl Into<Reply>) -> &Self {
        self.shared.lock().at(site).queue.push_back(reply.into());
        self
    }

    /// Answers every `POST /v1/enforce` with `reply`.
    pub fn enforce(&self, reply: impl Into<Reply>) -> &Self {
        self.always(Site::Enforce, reply)
    }

    /// Answers every `GET /v1/enforce/hold/{token}` with `reply`.
    pub fn hold(&self, reply: impl Into<Reply>) -> &Self {
        self.always(Site::Hold, reply)
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// Every request so far to one site.
    #[must_use]
    pub fn requests_to(&self, site: Site) -> Vec<Request> {
        self.requests()
            .into_iter()
            .filter(|request| request.site() == site)
            .collect()
    }

    /// The body of the only `POST /v1/enforce`.
    ///
    /// # Panics
    ///
    /// If there was not exactly one.
    #[must_use]
    pub fn enforce_body(&self) -> Value {
        let requests = self.requests_to(Site::Enforce);
        assert_eq!(requests.len(), 1, "enforcement requests");
        requests[0].json()
    }

    /// Events of calls that were answered with a 2xx, in the order of arrival, repetitions included.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let mut events = self.shared.lock().taken.clone();
        events.retain(|event| !is_of_session(event));
        events
    }

    /// The same of the starts and ends of sessions.
    #[must_use]
    pub fn session_events(&self) -> Vec<Value> {
        let mut events = self.shared.lock().taken.clone();
        events.retain(is_of_session);
        events
    }

    /// What kinds of events were answered with a 2xx, for one session, in the order of arrival.
    #[must_use]
    pub fn event_types(&self, session: &str) -> Vec<String> {
        let events = self.events();
        let of_session = events.iter().filter(|event| event["session_id"] == session);
        of_session
            .map(|event| event["event_type"].as_str().unwrap_or("?").to_owned())
            .collect()
    }

    /// Waits until so many requests to one site have arrived.
    ///
    /// # Panics
    ///
    /// If they do not.
    pub fn wait_for(&self, site: Site, count: usize) {
        let arrived = |state: &State| {
            state
                .requests
                .iter()
                .filter(|request| request.site() == site)
                .count()
                >= count
        };
        let waiting =
            self.shared
                .arrived
                .wait_timeout_while(self.shared.lock(), PATIENCE, |state| !arrived(state));
        let (_state, timeout) = waiting.unwrap_or_else(std::sync::PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "{count} requests to {site:?} did not arrive"
        );
    }

    /// Waits until `holds` does.
    ///
    /// # Panics
    ///
    /// If it never does.
    pub fn wait_until(&self, holds: impl Fn(&Self) -> bool) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(
                std::time::Instant::now() < deadline,
                "it did not come to hold"
            );
            std::thread::yield_now();
        }
    }

    /// How long each peer waited for an answer that never ended before it left.
    #[must_use]
    pub fn waits(&self) -> Vec<Duration> {
        self.shared.lock().waits.clone()
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }
}

impl Drop for Faultd {
    fn drop(&mut self) {
        // A test may be asynchronous itself, and must not be blocked.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn connected(&self) {
        self.lock().connections += 1;
    }

    fn waited(&self, wait: Duration) {
        self.lock().waits.push(wait);
    }

    /// Remembers a request and picks its reply.
    fn reply_to(&self, request: &Request) -> Reply {
        let mut state = self.lock();
        state.requests.push(request.clone());
        self.arrived.notify_all();
        let site = request.site();
        let replies = state.at(site);
        let told = replies.queue.pop_front().or_else(|| replies.then.clone());
        let reply = told.unwrap_or_else(|| healthy(site)).for_request(request);
        if site == Site::Events && reply.is_success() {
            state.taken.extend(request.events());
        }
        reply
    }
}

impl State {
    fn at(&mut self, site: Site) -> &mut Replies {
        match site {
            Site::Enforce => &mut self.enforce,
            Site::Hold => &mut self.hold,
            Site::Events => &mut self.events,
            Site::Other => &mut self.other,
        }
    }
}

/// Whether an event tells of a session, as the Go SDK words it.
#[must_use]
pub fn is_of_session(event: &Value) -> bool {
    matches!(
        event["tool_name"].as_str(),
        Some("session_start" | "session_end")
    )
}

fn healthy(site: Site) -> Reply {
    match site {
        Site::Enforce | Site::Hold => Answer::allow().into(),
        Site::Events => Reply::json(202, r#"{"accepted":true}"#),
        Site::Other => Reply::json(
            404,
            r#"{"error":{"code":"NOT_FOUND","message":"no such path"}}"#,
        ),
    }
}
