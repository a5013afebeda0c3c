//! A tool's way out: the requests that its grant lets through, each recorded, and decided about by
//! the enforcer where the grant says so.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use thoth_egress::{Answer, Described, Egress, Kind, Permitted, Refused, Unreachable};
use thoth_grants::{Host, Target};
use thoth_transport::Origin;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

use super::effects::{Act, Effect, Effects};
use crate::clock::Clock;

/// The way out of one call. Without somebody who records effects there is none.
pub(super) struct Outgoing(pub(super) Option<Way>);

#[derive(Clone)]
pub(super) struct Way {
    /// None without a grant.
    pub(super) egress: Option<Egress>,
    pub(super) effects: Arc<dyn Effects>,
    pub(super) clock: Clock,
    /// The most bytes of one body.
    pub(super) body_max: usize,
    /// Where decisions come from, which is nothing for a tool to talk to.
    pub(super) enforcer: Option<Origin>,
}

type Sent = Result<
    (
        Response<WasiBody>,
        Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ),
    HttpError,
>;

impl WasiHttpHooks for Outgoing {
    /// The transport sets it, from the target that was checked.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let way = self.0.clone();
        Box::new(async move {
            let (parts, body) = request.into_parts();
            let Some(way) = way else {
                let _drained = taken(body, 0).await;
                return Err(HttpError::HttpRequestDenied);
            };
            let checked = match &way.egress {
                Some(egress) => egress
                    .check(&parts)
                    .map(|permitted| (egress.clone(), permitted))
                    .map_err(|refused| (code(&refused), refused.message)),
                None => Err((
                    HttpError::HttpRequestDenied,
                    "no network is granted to this tool".to_owned(),
                )),
            };
            // In any case, or the guest would see a broken stream and not the denial.
            let body = taken(body, way.body_max).await;
            let ready = checked.and_then(|(egress, permitted)| match body {
                Ok(body) => Ok((egress, permitted, body)),
                Err(code) => Err((code, "the body is too long, or did not come whole".into())),
            });
            let (egress, permitted, body) = match ready {
                Ok(ready) => ready,
                Err((code, why)) => {
                    way.effects.refused(refused_effect(&parts), why).await;
                    return Err(code);
                }
            };
            let answer = way.send(egress, permitted, body, options).await?;
            let response = answer.response.map(|body| {
                Full::new(body)
                    .map_err(|never| match never {})
                    .boxed_unsync()
            });
            let done: Box<dyn Future<Output = Result<(), HttpError>> + Send> =
                Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }
}

impl Way {
    /// Has the request recorded, decided about if it must be, and sent.
    async fn send(
        self,
        egress: Egress,
        permitted: Permitted,
        body: Bytes,
        options: Option<RequestOptions>,
    ) -> Result<Answer, HttpError> {
        let described = permitted.describe(&body);
        let effect = Effect {
            tool: "effect:http",
            server: Some((described.host.clone(), described.port)),
            arguments: arguments(&described),
            govern: permitted.is_governed(),
        };
        let enforcer = self.enforcer.as_ref();
        if enforcer.is_some_and(|enforcer| leads_to(permitted.target(), enforcer)) {
            let why = "a tool may not talk to the enforcer, whatever its grant";
            let refused = egress.withhold(permitted, &body, why);
            self.effects.refused(effect, refused.message.clone()).await;
            return Err(code(&refused));
        }
        let slot: Arc<Mutex<Option<Result<Answer, Refused>>>> = Arc::default();
        let filled = Arc::clone(&slot);
        let (sending, clock) = (egress.clone(), self.clock);
        let act: Act = Box::new(move |place| {
            Box::pin(async move {
                let permitted = permitted.traced(place.header());
                let answer = sending
                    .send(permitted, body, deadline(&clock, options))
                    .await;
                let told = match &answer {
                    Ok(answer) => Ok(json!({
                        "status": answer.response.status().as_u16(),
                        "response_bytes": answer.response.body().len(),
                        "masked": answer.masked,
                    })),
                    Err(refused) => Err(refused.message.clone()),
                };
                *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                told
            })
        });
        let allowed = self.effects.perform(effect, act).await;
        let answer = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        // They are in the log by now, which tells more.
        let _recorded = egress.take_attempts();
        match (allowed, answer) {
            // What happened is recorded in full, or the guest does not get to see it.
            (Ok(()), Some(Ok(answer))) => Ok(answer),
            (_, Some(Err(refused))) => Err(code(&refused)),
            (Err(_), Some(Ok(_))) | (_, None) => Err(HttpError::HttpRequestDenied),
        }
    }
}

/// Whether a request would reach a server, by its name or by another one of this machine's.
fn leads_to(target: &Target, server: &Origin) -> bool {
    let (host, is_here) = match &target.host {
        Host::Name(name) => (name.clone(), name == "localhost"),
        Host::Address(address) => (address.to_string(), address.is_loopback()),
    };
    let server_is_here = server.host() == "localhost"
        || server
            .host()
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    target.port == server.port() && (host == server.host() || (is_here && server_is_here))
}

/// The end of an exchange: that of the call, or sooner if the guest says so.
fn deadline(clock: &Clock, options: Option<RequestOptions>) -> Instant {
    let end = clock.end();
    let asked = options.and_then(|options| {
        let first = options.first_byte_timeout?;
        let connect = options.connect_timeout.unwrap_or_default();
        Instant::now().checked_add(connect.checked_add(first)?)
    });
    asked.map_or(end, |asked| asked.min(end))
}

/// How much of a body that is not sent is taken from a guest that does not stop.
const DRAIN_MAX: usize = 16 << 20;

/// A body, read to its end and kept up to so many bytes. A guest that goes on for long after that hears
/// the denial first.
async fn taken(mut body: WasiBody, most: usize) -> Result<Bytes, HttpError> {
    let mut kept = BytesMut::new();
    let (mut over, mut drained) = (false, 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| HttpError::HttpProtocolError)?;
        if let Ok(data) = frame.into_data() {
            over |= data.len() > most.saturating_sub(kept.len());
            if !over {
                kept.extend_from_slice(&data);
                continue;
            }
            drained = drained.saturating_add(data.len());
            if drained > DRAIN_MAX {
                break;
            }
        }
    }
    if over {
        return Err(HttpError::HttpRequestBodySize(None));
    }
    Ok(kept.freeze())
}

fn arguments(described: &Described) -> serde_json::Map<String, serde_json::Value> {
    let mut arguments = serde_json::Map::new();
    arguments.insert("method".into(), described.method.clone().into());
    arguments.insert("scheme".into(), described.scheme.clone().into());
    arguments.insert("host".into(), described.host.clone().into());
    arguments.insert("port".into(), described.port.into());
    arguments.insert("path".into(), described.path.clone().into());
    arguments.insert("query".into(), described.query.clone().into());
    arguments.insert("headers".into(), described.header_names.clone().into());
    arguments.insert("body_sha256".into(), described.body_sha256.clone().into());
    arguments.insert("body_bytes".into(), described.body_bytes.into());
    arguments
}

/// What is told about a request that no rule lets through: it may be anything, so little.
fn refused_effect(request: &http::request::Parts) -> Effect {
    let mut arguments = serde_json::Map::new();
    let cut = |text: &str| super::inert(text, 200);
    // Host and port, and not what else an authority may hold: a password.
    let (host, port) = (request.uri.host(), request.uri.port_u16());
    arguments.insert("method".into(), cut(request.method.as_str()).into());
    arguments.insert("host".into(), host.map(cut).into());
    arguments.insert("port".into(), port.into());
    Effect {
        tool: "effect:http",
        arguments,
        server: None,
        govern: false,
    }
}

/// What the guest is told: the kind, and nothing of what the operator is told.
fn code(refused: &Refused) -> HttpError {
    match refused.kind {
        Kind::NotGranted | Kind::Withheld | Kind::Header | Kind::Secret | Kind::Budget(_) => {
            HttpError::HttpRequestDenied
        }
        Kind::BadTarget => HttpError::HttpRequestUriInvalid,
        Kind::Address => HttpError::DestinationIpProhibited,
        Kind::Unreachable(Unreachable::Resolve) => HttpError::DnsError {
            rcode: None,
            info_code: None,
        },
        Kind::Unreachable(Unreachable::ResolveTimeout) => HttpError::DnsTimeout,
        Kind::Unreachable(Unreachable::Connect) => HttpError::ConnectionRefused,
        Kind::Unreachable(Unreachable::ConnectTimeout) => HttpError::ConnectionTimeout,
        Kind::Unreachable(Unreachable::Closed) => HttpError::ConnectionTerminated,
        Kind::Timeout => HttpError::HttpResponseTimeout,
        Kind::Tls => HttpError::TlsProtocolError,
        Kind::Protocol => HttpError::HttpProtocolError,
        Kind::TooLarge => HttpError::HttpResponseHeaderSectionSize(None),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn the_enforcer_is_known_under_every_name_of_this_machine() {
        let leads = |url: &str, server: &str| {
            let target = Target::parse(&Method::GET, &url.parse().unwrap()).unwrap();
            leads_to(&target, &Origin::parse(server).unwrap())
        };
        let here = "http://127.0.0.1:8930";
        for url in [
            "http://127.0.0.1:8930/v1/enforce",
            "http://localhost:8930/",
            "http://[::1]:8930/",
            "https://127.0.0.2:8930/",
        ] {
            assert!(leads(url, here), "{url}");
        }
        assert!(!leads("http://127.0.0.1:8931/", here));
        assert!(!leads("http://10.0.0.1:8930/", here));
        let there = "https://enforce.acme.example";
        assert!(leads("https://enforce.acme.example/v1/enforce", there));
        assert!(!leads("https://api.acme.example/", there));
        assert!(!leads("http://enforce.acme.example/", there));
    }
}
