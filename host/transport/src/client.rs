//! The client: checks a request, finds a connection for it, holds it to its deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use tokio::time::{Instant, timeout_at};

use crate::connection::Connection;
use crate::dial::Dialer;
use crate::outgoing::Outgoing;
use crate::pool::Pool;
use crate::{Allowance, ClientError, Fault, Options, Origin};

/// A pooled HTTP/1.1 client for one [`Origin`]. Clones share connections and limits.
///
/// Connections belong to the tokio runtime that opened them: use a client, with all of its clones,
/// inside one runtime.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    origin: Origin,
    host: HeaderValue,
    options: Options,
    dialer: Dialer,
    pool: Pool,
    opened: AtomicU64,
}

impl Client {
    /// Makes a client; reads the CA file if there is one, opens no connection.
    ///
    /// Authorities of the public web are trusted, and those of [`Options::ca_file`]. The system's
    /// store is not: it is found by environment variables.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the CA file cannot be read or has something but certificates.
    pub fn new(origin: Origin, options: Options) -> Result<Self, ClientError> {
        let host = HeaderValue::from_str(origin.authority())
            .map_err(|_| rustls::Error::General("the host is no header value".to_owned()))?;
        let shared = Shared {
            host,
            dialer: Dialer::new(origin.clone(), &options)?,
            pool: Pool::new(options.idle, options.max_idle),
            origin,
            options,
            opened: AtomicU64::new(0),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Sends one request and gives back one whole response, whatever its status is.
    ///
    /// The target is a path under the origin's base path, or a URL of the origin itself. `Host` and
    /// the other headers of the connection are set here; those of the caller are dropped. Redirects
    /// and upgrades come back as they are, and are never followed. Head, headers and body are
    /// bounded by [`Options`]; trailers are dropped.
    ///
    /// `deadline` covers everything: resolving, connecting, the TLS handshake, sending, and the
    /// response to its last byte. Resolving and connecting may take three quarters of the time.
    ///
    /// **A request may arrive twice.** If a connection that was used before fails without one byte
    /// of a response, the request is sent once more, on a new connection: the server may have closed
    /// the old one for its idleness. So a request must mean the same when it is sent twice; Thoth's
    /// carry an id. On a new connection nothing is ever repeated.
    ///
    /// # Errors
    ///
    /// A [`Fault`]. After one, the connection is closed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes its connection; no other request is affected. The server may have
    /// got the request.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<Response<Bytes>, Fault> {
        let shared = &*self.shared;
        let outgoing = Outgoing::new(request, &shared.origin, &shared.host, &shared.options)?;
        if Instant::now() >= deadline {
            return Err(Fault::Timeout);
        }
        while let Some(mut connection) = shared.pool.take() {
            if !connection.is_ready().await {
                continue;
            }
            match shared.exchange(&mut connection, &outgoing, deadline).await {
                // The server may have closed it while it lay idle: once more, on a new one.
                Err(Fault::Unreachable(..) | Fault::Tls(_)) if !connection.was_heard() => break,
                Err(fault) => return Err(fault),
                Ok(response) => return Ok(shared.finish(connection, response).await),
            }
        }
        let mut connection = shared.open(deadline).await?;
        let response = shared
            .exchange(&mut connection, &outgoing, deadline)
            .await?;
        Ok(shared.finish(connection, response).await)
    }

    /// The origin that this client sends to.
    pub fn origin(&self) -> &Origin {
        &self.shared.origin
    }

    /// How many TCP connections were opened so far, by all clones.
    pub fn connections_opened(&self) -> u64 {
        self.shared.opened.load(Relaxed)
    }
}

impl Shared {
    async fn open(&self, deadline: Instant) -> Result<Connection, Fault> {
        // Who has a deadline of its own shortly before this one is to hear that nothing was reached.
        let now = Instant::now();
        let connected = now + deadline.saturating_duration_since(now) * 3 / 4;
        let tcp = self.dialer.connect(connected).await?;
        self.opened.fetch_add(1, Relaxed);
        let secure = async {
            let carrier = self.dialer.secure(tcp).await?;
            Connection::new(carrier, &self.options).await
        };
        timeout_at(deadline, secure)
            .await
            .unwrap_or(Err(Fault::Timeout))
    }

    async fn exchange(
        &self,
        connection: &mut Connection,
        outgoing: &Outgoing,
        deadline: Instant,
    ) -> Result<Response<Bytes>, Fault> {
        let allowance = Allowance::new(self.options.max_response);
        let exchange = connection.exchange(outgoing.to_request(), &allowance);
        timeout_at(deadline, exchange)
            .await
            .unwrap_or(Err(Fault::Timeout))
    }

    /// Keeps the connection if it can take another request, and closes it if not.
    async fn finish(
        &self,
        mut connection: Connection,
        response: Response<Bytes>,
    ) -> Response<Bytes> {
        if connection.is_ready().await {
            self.pool.put(connection);
        }
        response
    }
}
