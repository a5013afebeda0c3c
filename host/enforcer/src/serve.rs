//! The loopback carrier: HTTP/1.1 for any Thoth SDK on this machine.

mod live;

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use thoth_listen::Heard;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use self::live::Live;
use crate::api::ApiError;
use crate::api::route::{Audience, Route};
use crate::enforcer::{Enforcer, MAX_BODY};

/// An answer, or one that goes on.
type Body = Either<Full<Bytes>, Live>;

const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request waits for its turn to be decided; clients wait for little longer.
const TURN_TIMEOUT: Duration = Duration::from_secs(4);
/// Requests that are read and decided at once, if the machine does not tell its cores.
const TURNS: usize = 4;

/// Serves an enforcer on a loopback address until `shutdown` completes.
///
/// At most 256 connections, of which an idle one makes room for the next; bodies of 1 MiB, 30 seconds for a
/// request's head and 10 for its body; as many requests are decided at once as the machine has cores, and
/// others wait for up to 4 seconds. Only
/// loopback peers are served, and only requests whose `Host` (and `Origin`, if there is one) is a
/// loopback name: that keeps web pages out that reach this port through a browser.
///
/// # Errors
///
/// If the listener is not on a loopback address.
///
/// # Cancel safety
///
/// Dropping the future closes every connection; a decision under way is still recorded.
pub async fn serve(
    listener: TcpListener,
    enforcer: Arc<Enforcer>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_to(Whom::All, listener, enforcer, turns(), shutdown).await
}

/// As [`serve`], for approvers only: the page and what it asks. For agents there is nothing here, so the
/// enforcer needs no key for them.
///
/// # Errors
///
/// If the listener is not on a loopback address.
///
/// # Cancel safety
///
/// As [`serve`].
pub async fn serve_approvals(
    listener: TcpListener,
    enforcer: Arc<Enforcer>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_to(Whom::Approvers, listener, enforcer, turns(), shutdown).await
}

/// Who is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    All,
    Approvers,
}

/// As many decide at once as there are cores.
fn turns() -> Semaphore {
    Semaphore::new(available_parallelism().map_or(TURNS, NonZero::get))
}

async fn serve_to(
    whom: Whom,
    listener: TcpListener,
    enforcer: Arc<Enforcer>,
    turns: Semaphore,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let turns = Arc::new(turns);
    let (stop, stopped) = watch::channel(());
    let service = move |request| {
        let served = Served {
            whom,
            enforcer: Arc::clone(&enforcer),
            turns: Arc::clone(&turns),
        };
        let answer = respond(request, served, stopped.clone());
        async {
            answer
                .await
                .unwrap_or_else(|error| whole(error.into_response()))
        }
    };
    let shutdown = async {
        shutdown.await;
        // Streams end with it.
        drop(stop);
    };
    thoth_listen::serve(
        listener,
        thoth_listen::Options::default(),
        service,
        shutdown,
    )
    .await
}

/// What a request has to do with.
struct Served {
    whom: Whom,
    enforcer: Arc<Enforcer>,
    /// Of those who want it to decide.
    turns: Arc<Semaphore>,
}

async fn respond(
    request: Request<Heard>,
    Served {
        whom,
        enforcer,
        turns,
    }: Served,
    stopped: watch::Receiver<()>,
) -> Result<Response<Body>, ApiError> {
    let (head, body) = request.into_parts();
    require_loopback_names(&head.uri, &head.headers)?;
    let route = Route::find(&head.method, head.uri.path()).ok();
    match (route.as_ref().map(Route::is_for), whom) {
        (Some(Audience::Agents), Whom::Approvers) => {
            return Err(ApiError::not_found("only approvers are served here"));
        }
        (Some(Audience::Agents), Whom::All) | (None, _) => {}
        (Some(Audience::Approvers | Audience::Openers | Audience::Everybody), _) => {
            require_own_origin(&head.headers)?;
        }
    }
    if route == Some(Route::Live) {
        enforcer.require_approver(&head.headers)?;
        return Ok(live::response(enforcer, stopped)?.map(Either::Right));
    }
    // Whoever has no key is not listened to any further.
    if let Some(route) = &route {
        enforcer.admit(route, &head.headers)?;
    }
    let body = Limited::new(body, MAX_BODY).collect();
    let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(ApiError::too_large(MAX_BODY));
        }
        Ok(Err(_)) => return Err(ApiError::invalid("the body ended early")),
        Err(_) => return Err(ApiError::timeout()),
    };
    let request = Request::from_parts(head, body);
    // What is read takes many times the memory of the bytes, so not all of it at once.
    let turn = tokio::time::timeout(TURN_TIMEOUT, turns.acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(ApiError::busy());
    };
    // The store may wait for another process, which must not stop the other connections.
    let decided = tokio::task::spawn_blocking(move || {
        let response = enforcer.handle(request);
        drop(turn);
        whole(response)
    });
    decided.await.map_err(|_| ApiError::internal())
}

fn whole(response: Response<Bytes>) -> Response<Body> {
    response.map(|body| Either::Left(Full::new(body)))
}

/// Against DNS rebinding: a page from `evil.example` that resolves to 127.0.0.1 still says its name.
fn require_loopback_names(uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none());
    let host = host
        .and_then(|value| value.to_str().ok())
        .is_some_and(is_loopback_authority);
    let target = uri
        .authority()
        .is_none_or(|authority| is_loopback_authority(authority.as_str()));
    let origins = headers.get_all(ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().ok().and_then(|text| text.split_once("://"));
        origin.is_some_and(|(_, authority)| is_loopback_authority(authority))
    });
    if host && target && origins {
        Ok(())
    } else {
        Err(ApiError::forbidden(
            "only requests for a loopback address are served",
        ))
    }
}

/// A page of another server on this machine is on loopback as well, and no approver's: only the
/// enforcer's own page may ask what approvers ask.
fn require_own_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    let is_own = |origin: &HeaderValue| origin.as_bytes().strip_prefix(b"http://") == host;
    if headers.get_all(ORIGIN).iter().all(is_own) {
        Ok(())
    } else {
        Err(ApiError::forbidden(
            "only the enforcer's own page may ask this",
        ))
    }
}

/// Whether an authority is `localhost`, an address in 127.0.0.0/8 or `[::1]`, with or without a port.
fn is_loopback_authority(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    // No user, and nothing that another parser would see as one.
    if text.contains('@') {
        return false;
    }
    let host = authority.host();
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests;
