//! The Streamable HTTP transport: on loopback, and with a bearer token even there.
//!
//! A web page that a user has open can reach loopback, and so can every other user of the machine. So a
//! request shows a token, names this host, comes from no page unless that is allowed, and is bounded in
//! size and time, before anything of it is looked at.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use rmcp::model::JsonRpcMessage;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use thoth_enforcer::Secret;
use thoth_listen::Heard;
use tokio::net::TcpListener;

use super::frame::{self, FRAME_MAX, Refused, SAME_ID};
use super::server::Server;
use super::sessions::{InUse, Sessions};

/// The header with the id of a session.
const SESSION: &str = "mcp-session-id";

/// Where MCP is served.
pub const PATH: &str = "/mcp";

/// Longer than any hold of a policy file, which is 30 days at most: who comes back to one finds the session
/// in which it was held.
const IDLE_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);

const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long answers under way may take once it is to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an answer may take once its client has left.
const GRACE: Duration = Duration::from_secs(1);

/// Who is served over HTTP.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Http {
    /// What clients authenticate with.
    pub token: Secret,
    /// Names of this host besides the loopback ones, for a proxy in front of it.
    pub hosts: Vec<String>,
    /// Origins of web pages that may ask. Default: none, and a request with any origin is refused.
    pub origins: Vec<String>,
    /// How many sessions of clients that have shaken hands there are at once. Where there would be one more,
    /// that one ends which nobody has used for longest and which has nothing under way. Default: 256.
    pub sessions: usize,
    /// How long a session may be silent until it ends. Default: 31 days, longer than any hold.
    pub idle: Duration,
    /// How long a client may take to read any of an answer, until its connection is closed. Default: 30 s.
    pub write_timeout: Duration,
}

impl Http {
    /// Serves clients with this token, and no web page.
    pub fn new(token: Secret) -> Self {
        Self {
            token,
            hosts: Vec::new(),
            origins: Vec::new(),
            sessions: 256,
            idle: IDLE_MAX,
            write_timeout: Duration::from_secs(30),
        }
    }
}

type Service = StreamableHttpService<Server, LocalSessionManager>;
type Answer = Response<BoxBody<Bytes, Infallible>>;

/// What connections share.
struct Door {
    service: Service,
    sessions: Arc<Sessions>,
    token: Secret,
}

impl Server {
    /// Serves clients over Streamable HTTP at [`PATH`] until `stop` completes. Each client that shakes
    /// hands has a governed session of its own; requests of MCP 2026-07-28, which has no sessions, share
    /// one.
    ///
    /// At most 256 connections, of which an idle one makes room for the next; 256 KiB and 10 s for a body,
    /// 30 s for a head.
    ///
    /// # Errors
    /// The token is blank, or the listener is not on a loopback address.
    ///
    /// # Cancel safety
    /// Dropping the future closes every connection, and calls under way are stopped.
    pub async fn serve_http(
        &self,
        listener: TcpListener,
        http: Http,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        if http.token.is_blank() {
            let why = "the token is blank";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let ending = self.for_client(true);
        let gone = ending.gone();
        let guard = gone.clone().drop_guard();
        let mut config = StreamableHttpServerConfig::default()
            .with_json_response(true)
            .with_max_request_body_bytes(FRAME_MAX)
            .with_cancellation_token(gone.clone())
            .with_allowed_origins(http.origins)
            .enforce_origin_validation();
        config.allowed_hosts.extend(http.hosts);
        let mut manager = LocalSessionManager::default();
        manager.session_config.keep_alive = Some(http.idle);
        let manager = Arc::new(manager);
        let factory = move || Ok(ending.for_client(true));
        let door = Arc::new(Door {
            service: StreamableHttpService::new(factory, Arc::clone(&manager), config),
            sessions: Arc::new(Sessions::new(manager, http.sessions)),
            token: http.token,
        });
        let options = thoth_listen::Options {
            write_timeout: http.write_timeout,
            grace: Some(GRACE),
            drain: STOP_TIMEOUT,
            ..thoth_listen::Options::default()
        };
        let service = move |request| {
            let door = Arc::clone(&door);
            async move { door.answer(request).await }
        };
        let stop = async {
            stop.await;
            // Answers end then, for nothing runs any more.
            drop(guard);
        };
        thoth_listen::serve(listener, options, service, stop).await
    }
}

impl Door {
    async fn answer(&self, request: Request<Heard>) -> Answer {
        if !self.knows(request.headers()) {
            let mut answer = plain(StatusCode::UNAUTHORIZED, "a bearer token is needed");
            let scheme = http::HeaderValue::from_static("Bearer");
            answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            return answer;
        }
        if request.uri().path() != PATH {
            return plain(StatusCode::NOT_FOUND, "MCP is served at /mcp");
        }
        if !is_for_one_host(&request) {
            return plain(StatusCode::BAD_REQUEST, "name one host");
        }
        let (mut head, body) = request.into_parts();
        let session = head.headers.get(SESSION).and_then(|id| id.to_str().ok());
        let in_use = match session {
            Some(id) => self.sessions.enter(id).await,
            None => None,
        };
        if head.method != Method::POST {
            // Nothing of such a request is read.
            if head.method != Method::GET && head.method != Method::DELETE {
                let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "use POST");
                let known = http::HeaderValue::from_static("GET, POST, DELETE");
                answer.headers_mut().insert(ALLOW, known);
                return answer;
            }
            let ends = head.method == Method::DELETE;
            let request = Request::from_parts(head, Full::new(Bytes::new()));
            let answer = self.handled(request, in_use.as_ref()).await;
            if ends && answer.status().is_success() {
                in_use.iter().for_each(InUse::end);
            }
            return holding(answer, in_use);
        }
        let body = Limited::new(body, FRAME_MAX).collect();
        let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return refused(StatusCode::PAYLOAD_TOO_LARGE, Refused::too_long());
            }
            Ok(Err(_)) => return plain(StatusCode::BAD_REQUEST, "the body ended early"),
            Err(_) => return plain(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
        };
        let message = match frame::read(&body) {
            Ok(Some(message)) => message,
            Ok(None) => return plain(StatusCode::ACCEPTED, ""),
            Err(error) => return refused(StatusCode::BAD_REQUEST, error),
        };
        let has_session = session.is_some();
        if let (Some(in_use), JsonRpcMessage::Request(request)) = (&in_use, message) {
            // A second one would take the place of the first, which nothing could cancel any more.
            let Some(ticket) = in_use.take(request.id.clone()) else {
                let refusal = Refused::unwelcome(request.id, SAME_ID);
                return refused(StatusCode::BAD_REQUEST, refusal);
            };
            head.extensions.insert(ticket);
        }
        let request = Request::from_parts(head, Full::new(body));
        let answer = self.handled(request, in_use.as_ref()).await;
        // Only a handshake that was accepted ends the session of another client.
        let begun = answer.headers().get(SESSION).filter(|_| !has_session);
        if let Some(begun) = begun.and_then(|id| id.to_str().ok())
            && !self.sessions.make_room(begun).await
        {
            let why = "too many sessions are in use: end one, or wait";
            return plain(StatusCode::TOO_MANY_REQUESTS, why);
        }
        holding(answer, in_use)
    }

    /// What MCP answers. In a session that ends while it is asked a request fails before the session is
    /// forgotten: for its client, who then shakes hands anew, it is gone.
    async fn handled(&self, request: Request<Full<Bytes>>, in_use: Option<&InUse>) -> Answer {
        let answer = self.service.handle(request).await;
        if let Some(session) = in_use
            && answer.status() == StatusCode::INTERNAL_SERVER_ERROR
            && session.is_over().await
        {
            return plain(StatusCode::NOT_FOUND, "the session has ended");
        }
        answer
    }

    /// Whether a request shows the token, once and in its header.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let only = shown.next().filter(|_| shown.next().is_none());
        let token = only.and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(token.trim())
        });
        token.is_some_and(|token| self.token.matches(token.as_bytes()))
    }
}

/// Whether a request names one host: who checks that name and who goes by another one would disagree.
fn is_for_one_host<T>(request: &Request<T>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let target = request.uri().authority();
    target.is_none_or(|target| {
        target
            .as_str()
            .as_bytes()
            .eq_ignore_ascii_case(host.as_bytes())
    })
}

/// The answer of a session, which is in use until all of it is told.
fn holding(answer: Answer, in_use: Option<InUse>) -> Answer {
    let Some(in_use) = in_use else {
        return answer;
    };
    let keep = move |frame| {
        let _until_then = &in_use;
        frame
    };
    answer.map(|body| body.map_frame(keep).boxed())
}

fn plain(status: StatusCode, why: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(why.as_bytes())).boxed());
    *answer.status_mut() = status;
    answer
}

fn refused(status: StatusCode, Refused(error): Refused) -> Answer {
    let body = serde_json::to_vec(&error).unwrap_or_default();
    let mut answer = Response::new(Full::new(Bytes::from(body)).boxed());
    *answer.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}
