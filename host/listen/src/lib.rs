//! HTTP/1.1 on loopback, for clients of which none has to be trusted: bounded connections, heads and times,
//! and an end that lets answers under way finish.
//!
//! A connection without a whole request costs its client nothing, so nobody has a right to one: where there are
//! as many as there may be, a new one takes the place of the one that has been idle for longest.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod body;
mod places;

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

pub use crate::body::Heard;
use crate::body::Told;
use crate::places::{Place, Places};

const HEADERS_MAX: usize = 64;
const HEAD_MAX: usize = 32 << 10;

/// For the head of a request, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Before the next try when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How clients are served.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Connections at a time. Where a request is under way on every one, more wait in the kernel's queue.
    /// Default: 256.
    pub connections: usize,
    /// How long a client may take to read any of an answer, until its connection is closed. Default: 30 s.
    pub write_timeout: Duration,
    /// How long an answer may take once its client has closed its side of the connection; then it is given
    /// up. Default: as long as it needs.
    pub grace: Option<Duration>,
    /// How long answers under way may take once it is to end. Default: 5 s.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 256,
            write_timeout: Duration::from_secs(30),
            grace: None,
            drain: Duration::from_secs(5),
        }
    }
}

/// Answers requests until `stop` completes: heads of at most 64 headers and 32 KiB, within 30 s. Bodies are
/// for `service` to bound.
///
/// # Errors
/// The listener is not on a loopback address.
///
/// # Cancel safety
/// Dropping the future closes every connection.
pub async fn serve<S, F, B>(
    listener: TcpListener,
    options: Options,
    service: S,
    stop: impl Future<Output = ()>,
) -> io::Result<()>
where
    S: Fn(Request<Heard>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let address = listener.local_addr()?;
    if !is_loopback(address.ip()) {
        let why = format!(
            "`{address}` is not a loopback address: use 127.0.0.1, with a TLS proxy in front for others"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let places = Places::new(options.connections);
    let (ending, ended) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let (stream, peer) = listener.accept().await?;
            Ok::<_, io::Error>((stream, peer, places.take().await))
        };
        let next = tokio::select! {
            next = next => next,
            () = &mut stop => break,
        };
        while connections.try_join_next().is_some() {}
        match next {
            Ok((stream, peer, place)) if is_loopback(peer.ip()) => {
                let service = service.clone();
                connections.spawn(connection(stream, place, options, service, ended.clone()));
            }
            Ok((_, peer, _)) => tracing::warn!(%peer, "refused a peer that is not on loopback"),
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(ending);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What is left is aborted with the set.
    let _elapsed = tokio::time::timeout(options.drain, drained).await;
    Ok(())
}

/// Whether an address is one that only this machine reaches.
#[must_use]
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

async fn connection<S, F, B>(
    stream: TcpStream,
    place: Arc<Place>,
    options: Options,
    service: S,
    mut ended: watch::Receiver<()>,
) where
    S: Fn(Request<Heard>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Who reads no further until an answer is written does not see that nobody waits for it.
    let watched = match options.grace.map(|grace| Watched::new(&stream, grace)) {
        None => None,
        Some(Ok(watched)) => Some(watched),
        Some(Err(error)) => return tracing::warn!(%error, "could not watch a connection"),
    };
    // Who asks and does not read would keep its place for ever.
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(options.write_timeout));
    let own = Arc::clone(&place);
    let service = service_fn(move |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let heard = Heard::new(body, Arc::clone(&own));
        let answering =
            heard.map(|(body, under_way)| (service(Request::from_parts(head, body)), under_way));
        async move {
            let Some((answer, under_way)) = answering else {
                return pending().await;
            };
            Ok::<_, Infallible>(answer.await.map(|body| Told {
                body,
                _until_then: under_way,
            }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        // The sender is dropped, never used.
        _ = ended.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = place.given_away() => return,
        () = left(watched.as_ref()) => return,
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A connection once more, to see when its client leaves.
struct Watched {
    stream: TcpStream,
    grace: Duration,
}

impl Watched {
    fn new(stream: &TcpStream, grace: Duration) -> io::Result<Self> {
        let stream = stream.as_fd().try_clone_to_owned()?;
        let stream = TcpStream::from_std(stream.into())?;
        Ok(Self { stream, grace })
    }
}

/// Waits until a client has left, and a while longer for what it did not wait for. For ever where nobody
/// looks.
async fn left(watched: Option<&Watched>) {
    let Some(Watched { stream, grace }) = watched else {
        return pending().await;
    };
    while let Ok(ready) = stream.ready(Interest::READABLE).await {
        if ready.is_read_closed() {
            break;
        }
        // Until something new comes.
        let _seen = stream.try_io(Interest::READABLE, || {
            Err::<(), _>(io::ErrorKind::WouldBlock.into())
        });
    }
    tokio::time::sleep(*grace).await;
}

#[cfg(test)]
mod tests;
