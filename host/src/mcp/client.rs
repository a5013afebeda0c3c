//! One client of a server: the session that it has of its own, and what becomes of it when the client
//! is gone.

use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::session::Session;

/// How many clients of a server are not gone yet, with all that is recorded of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Clients(Arc<watch::Sender<usize>>);

/// One of them. When it is dropped, what it has under way is stopped and its session ends.
#[derive(Debug)]
pub(super) struct Client {
    session: OnceLock<Session>,
    gone: CancellationToken,
    present: Option<Present>,
}

/// Something that is waited for.
#[derive(Debug)]
struct Present(Clients);

impl Clients {
    /// One more. `gone` is cancelled when it is.
    pub(super) fn welcome(&self, gone: CancellationToken) -> Client {
        self.0.send_modify(|present| *present += 1);
        Client {
            session: OnceLock::new(),
            gone,
            present: Some(Present(self.clone())),
        }
    }

    /// Waits until none is there.
    pub(super) async fn all_gone(&self) {
        let mut present = self.0.subscribe();
        // The sender is ours, so there is an end to wait for.
        let _ = present.wait_for(|present| *present == 0).await;
    }
}

impl Client {
    /// Begins a session of its own. A second handshake does not begin a second history.
    pub(super) fn begin(&self, session: impl FnOnce() -> Session) {
        self.session.get_or_init(session);
    }

    /// The session of its own, if it has one.
    pub(super) fn session(&self) -> Option<&Session> {
        self.session.get()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.gone.cancel();
        let (session, present) = (self.session.take(), self.present.take());
        // Outside of a runtime nothing can be recorded, as if the process had been killed.
        if let (Some(session), Ok(runtime)) = (session, Handle::try_current()) {
            runtime.spawn(async move {
                session.end().await;
                drop(present);
            });
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.0.send_modify(|present| *present -= 1);
    }
}
