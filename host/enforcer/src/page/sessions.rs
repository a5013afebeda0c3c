//! Who has opened the page: keys that this process gave out, and that end with it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::secret::Secret;
use crate::store::{StoreError, random_hex};

/// How long a page stays open without anybody proving anew who they are.
pub(crate) const LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// The oldest one ends when there are more.
const MAX_SESSIONS: usize = 32;

/// The sessions of the page, and the key in the link that opens one.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// Another one in each process, so that one in an old log opens nothing.
    link: Secret,
    open: Mutex<Vec<Session>>,
}

#[derive(Debug)]
struct Session {
    key: Secret,
    since: Instant,
}

impl Sessions {
    /// No session yet, and the key for a link.
    pub(crate) fn new() -> Result<(Self, String), StoreError> {
        let link = random_hex::<16>()?;
        let sessions = Self {
            link: Secret::new(&link),
            open: Mutex::default(),
        };
        Ok((sessions, link))
    }

    /// Whether this is the key in the link.
    pub(crate) fn is_link(&self, offered: &[u8]) -> bool {
        self.link.matches(offered)
    }

    /// Opens a session and gives its key.
    pub(crate) fn open(&self) -> Result<String, StoreError> {
        let key = random_hex::<16>()?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|session| session.since.elapsed() < LIFETIME);
        if open.len() >= MAX_SESSIONS {
            open.remove(0);
        }
        open.push(Session {
            key: Secret::new(&key),
            since: Instant::now(),
        });
        Ok(key)
    }

    /// Whether this is the key of an open session.
    pub(crate) fn admits(&self, offered: &[u8]) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open = open.iter();
        open.any(|session| session.since.elapsed() < LIFETIME && session.key.matches(offered))
    }
}
