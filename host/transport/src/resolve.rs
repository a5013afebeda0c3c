//! From a name to addresses, in bounded time and with a bounded number of threads.

use std::fmt::Display;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::{io, thread};

use tokio::sync::{Semaphore, oneshot};

use crate::{Fault, Stage};

/// How many names may be looked up at a time.
///
/// A lookup holds a thread until the system gives up on it, long after the call that wanted it has
/// timed out; without a limit, a name server that hangs would pile them up.
const MAX_LOOKUPS: usize = 4;

/// A way to look a name up: the name and the port to the addresses. It may block; it runs on a
/// thread of its own.
pub type Lookup = Arc<dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Looks names up, each of them once whenever it is asked: nothing is kept.
pub(crate) struct Resolver {
    lookup: Lookup,
    slots: Arc<Semaphore>,
}

impl Resolver {
    /// The resolver of the system.
    pub(crate) fn system() -> Self {
        Self::new(Arc::new(|name, port| {
            Ok((name, port).to_socket_addrs()?.collect())
        }))
    }

    pub(crate) fn new(lookup: Lookup) -> Self {
        Self {
            lookup,
            slots: Arc::new(Semaphore::new(MAX_LOOKUPS)),
        }
    }

    /// The addresses of a name, each with the port.
    pub(crate) async fn addresses(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Fault> {
        let failed = |why: &dyn Display| {
            Fault::Unreachable(Stage::Resolve, format!("cannot resolve the host: {why}"))
        };
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|error| failed(&error))?;
        let (found, answer) = oneshot::channel();
        let (name, lookup) = (name.to_owned(), Arc::clone(&self.lookup));
        // A thread of its own, not one of the runtime's: a runtime waits for those when it ends, and
        // a name server that hangs would keep a finished program from ending.
        let work = move || {
            let addresses = lookup(&name, port);
            drop(slot);
            // Whoever asked may have timed out.
            let _ = found.send(addresses);
        };
        thread::Builder::new()
            .name("thoth-lookup".to_owned())
            .spawn(work)
            .map_err(|error| failed(&error))?;
        let mut addresses = answer
            .await
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))?;
        for address in &mut addresses {
            address.set_port(port);
        }
        Ok(addresses)
    }
}
