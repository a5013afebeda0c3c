//! The one way by which policy calls leave the process.
//!
//! The governor's `wasi:http` ends here and nowhere else: one policy service, three paths. The API
//! key is added on this side, so that no guest ever holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use thoth_enforcer::Enforcer;
use thoth_transport::{Client, Fault, Secret, Stage};
use tokio::time::{Instant, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::claim::Claim;
use crate::telemetry::Traced;

/// The largest request that a governor may send, in bytes.
const REQUEST_MAX: usize = 1 << 20;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_INGEST_TOKEN: HeaderName = HeaderName::from_static("x-thoth-event-ingest-token");

/// The policy service. A remote one that fails never falls back to an embedded one.
#[derive(Clone)]
pub(crate) enum Service {
    /// An enforcer behind HTTP.
    Remote {
        /// The connections to it.
        client: Client,
        /// The API key.
        key: Option<Secret>,
        /// The event ingest token.
        ingest: Option<Secret>,
    },
    /// The enforcer in this process.
    Embedded(Arc<Enforcer>),
}

impl Service {
    /// The base URL as the governor is told.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Remote { client, .. } => client.origin().to_string(),
            Self::Embedded(_) => "http://embedded.invalid".into(),
        }
    }

    async fn send(
        &self,
        mut request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<Response<Bytes>, Fault> {
        match self {
            Self::Embedded(enforcer) => {
                // It keeps holds and decisions in a file that other processes use as well.
                let enforcer = Arc::clone(enforcer);
                let handled = tokio::task::spawn_blocking(move || enforcer.handle(request));
                match timeout_at(deadline, handled).await {
                    Ok(Ok(response)) => Ok(response),
                    Ok(Err(_panicked)) => {
                        Err(Fault::Protocol("the embedded enforcer failed".into()))
                    }
                    Err(_elapsed) => Err(Fault::Timeout),
                }
            }
            Self::Remote {
                client,
                key,
                ingest,
            } => {
                let events = request.uri().path().ends_with(EVENTS);
                let headers = request.headers_mut();
                for name in [&AUTHORIZATION, &X_API_KEY, &X_INGEST_TOKEN] {
                    headers.remove(name);
                }
                if let Some(key) = key {
                    headers.insert(AUTHORIZATION, key.bearer_value());
                    headers.insert(X_API_KEY, key.header_value());
                }
                if let Some(ingest) = ingest.as_ref().filter(|_| events) {
                    headers.insert(X_INGEST_TOKEN, ingest.header_value());
                }
                client.send(request, deadline).await
            }
        }
    }
}

const ENFORCE: &str = "/v1/enforce";
const HOLD: &str = "/v1/enforce/hold/";
const EVENTS: &str = "/v1/events/batch";

/// A governor's HTTP hooks.
pub(super) struct Egress {
    service: Service,
    timeout: Duration,
    answered: Arc<AtomicBool>,
    claim: Option<Claim>,
    traced: Option<Traced>,
}

impl Egress {
    pub(super) fn new(service: Service, timeout: Duration) -> Self {
        Self {
            service,
            timeout,
            answered: Arc::default(),
            claim: None,
            traced: None,
        }
    }

    /// Forgets the answers so far: a new call begins, about which the host claims this, and which is
    /// traced here.
    pub(super) fn reset(&mut self, claim: Option<Claim>, traced: Option<Traced>) {
        self.answered.store(false, Ordering::Release);
        self.claim = claim;
        self.traced = traced;
    }

    /// Whether the policy service answered a question with 200 since the last [`Self::reset`]. A
    /// governor that wants to run a tool without that is broken, whatever it says.
    pub(super) fn answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }
}

type Sent = Result<
    (
        Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for Egress {
    fn default_scheme(&mut self) -> Option<http::uri::Scheme> {
        None
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let service = self.service.clone();
        let answered = Arc::clone(&self.answered);
        let claim = self.claim.clone();
        let traced = self.traced.clone();
        let deadline = Instant::now() + self.timeout;
        Box::new(async move {
            let (parts, body) = request.into_parts();
            let path = parts.uri.path();
            let question = match parts.method {
                Method::POST if path.ends_with(ENFORCE) => true,
                Method::GET if path.contains(HOLD) => true,
                Method::POST if path.ends_with(EVENTS) => false,
                _ => return Err(Error::HttpRequestDenied),
            };
            let body = timeout_at(deadline, Limited::new(body, REQUEST_MAX).collect())
                .await
                .map_err(|_| Error::ConnectionWriteTimeout)?
                .map_err(|_| Error::HttpRequestBodySize(None))?;
            let mut request = Request::from_parts(parts, body.to_bytes());
            if let Some(claim) = claim.filter(|_| question) {
                claim.put(request.headers_mut());
            }
            let asking = traced.filter(|_| question).map(|traced| traced.ask());
            if let Some(asking) = &asking {
                asking.place().put(request.headers_mut());
            }
            let asked = Instant::now();
            let target = request.uri().path().to_owned();
            let response = match service.send(request, deadline).await {
                Ok(response) => response,
                Err(fault) => {
                    tracing::debug!(path = target, %fault, "the policy service was not reached");
                    if let Some(asking) = asking {
                        asking.failed(word(&fault));
                    }
                    return Err(error(fault));
                }
            };
            if let Some(asking) = asking {
                asking.answered(response.status().as_u16());
            }
            tracing::debug!(
                path = target,
                status = response.status().as_u16(),
                elapsed = ?asked.elapsed(),
                "the policy service answered"
            );
            if question && response.status() == http::StatusCode::OK {
                answered.store(true, Ordering::Release);
            }
            let response = response.map(|body| {
                Full::new(body)
                    .map_err(|never| match never {})
                    .boxed_unsync()
            });
            let done: Box<dyn Future<Output = Result<(), Error>> + Send> =
                Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }
}

/// A fault in a word.
fn word(fault: &Fault) -> &'static str {
    match fault {
        Fault::Unreachable(..) => "unreachable",
        Fault::Timeout => "timeout",
        Fault::Tls(_) => "tls",
        Fault::Protocol(_) => "protocol",
        Fault::TooLarge(_) => "too_large",
        Fault::NotAllowed(_) => "not_allowed",
    }
}

/// The `wasi:http` error code that tells the governor the same thing.
fn error(fault: Fault) -> Error {
    match fault {
        Fault::Unreachable(Stage::Resolve, _) => Error::DnsError {
            rcode: None,
            info_code: None,
        },
        Fault::Unreachable(Stage::Exchange, _) => Error::ConnectionTerminated,
        Fault::Unreachable(Stage::Check | Stage::Connect, _) => Error::ConnectionRefused,
        Fault::Timeout => Error::ConnectionReadTimeout,
        Fault::Tls(_) => Error::TlsProtocolError,
        Fault::Protocol(_) => Error::HttpProtocolError,
        Fault::TooLarge(_) => Error::HttpResponseBodySize(None),
        Fault::NotAllowed(_) => Error::HttpRequestDenied,
    }
}
