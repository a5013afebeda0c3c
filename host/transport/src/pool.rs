//! Connections that wait for their next request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::Connection;

/// A stack of idle connections: the one used last is taken first, so that surplus ones grow old.
///
/// Nothing runs in the background: old connections are closed when the pool is next used.
pub(crate) struct Pool {
    // INVARIANT: ordered by `since`, oldest first, because connections are only pushed at the end.
    idle: Mutex<Vec<Idle>>,
    lifetime: Duration,
    max: usize,
}

struct Idle {
    connection: Connection,
    since: Instant,
}

impl Pool {
    pub(crate) fn new(lifetime: Duration, max: usize) -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
            lifetime,
            max,
        }
    }

    /// The connection that was used last, unless it has been idle for too long.
    pub(crate) fn take(&self) -> Option<Connection> {
        let (connection, _expired) = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let expired = self.expire(&mut idle);
            (idle.pop(), expired)
        };
        connection.map(|idle| idle.connection)
    }

    /// Keeps a connection for later; over the limit, it is closed.
    pub(crate) fn put(&self, connection: Connection) {
        let _expired = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let expired = self.expire(&mut idle);
            if idle.len() < self.max {
                // Read the clock under the lock: the order of the stack is the order of time.
                idle.push(Idle {
                    connection,
                    since: Instant::now(),
                });
            }
            expired
        };
    }

    /// Takes out what is too old; the caller drops it after the lock, since closing is a system call.
    fn expire(&self, idle: &mut Vec<Idle>) -> Vec<Idle> {
        let old = idle.partition_point(|entry| entry.since.elapsed() >= self.lifetime);
        idle.drain(..old).collect()
    }
}
