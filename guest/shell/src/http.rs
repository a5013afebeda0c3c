//! One exchange over `wasi:http`, under one deadline of the governor's own.
//!
//! Hosts' time-outs are for connecting, for the first byte and between bytes: an answer that drips
//! outlives all of them. So every wait here is on two things, what is waited for and one deadline
//! over the whole exchange, by the monotonic clock.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use thoth_core::exchange::{MAX_ANSWER_BYTES, MAX_REQUEST_BYTES};
use thoth_core::{Fault, FaultKind, Method, Request, Response};
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    self as wasi, ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, OutgoingBody,
    OutgoingRequest, Scheme,
};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, StreamError};

/// How much of a body is asked for at a time.
const CHUNK: u64 = 64 * 1024;

/// Sends a request and reads its whole answer, all of it within `timeout`.
pub(crate) fn exchange(request: Request, timeout: Duration) -> Result<Response, Fault> {
    let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let deadline = Deadline(monotonic_clock::subscribe_duration(nanoseconds));
    let body = request.body.as_deref().unwrap_or_default().as_bytes();
    if body.len() > MAX_REQUEST_BYTES {
        return Err(fault(FaultKind::Protocol, "the request is too large"));
    }
    let outgoing = prepare(&request, body.len())?;
    let outgoing_body = outgoing.body().map_err(|()| unsendable())?;
    // Without options for the host's own time-outs: when the deadline has passed, what is dropped here
    // ends the exchange.
    let answer = handle(outgoing, None).map_err(failed)?;
    let sent = send(outgoing_body, body, &deadline);
    let head = wait_for_head(&answer, &deadline)?;
    // Only now: where sending broke, the answer's side knew better why. And an answer to half a
    // question is none.
    sent?;
    receive(&head, &deadline)
}

fn prepare(request: &Request, length: usize) -> Result<OutgoingRequest, Fault> {
    // One call of the host's for all of them.
    let mut entries: Vec<(String, Vec<u8>)> = Vec::with_capacity(request.headers.len() + 1);
    for (name, value) in &request.headers {
        entries.push((name.to_string(), value.as_bytes().to_vec()));
    }
    if request.body.is_some() {
        entries.push((
            "Content-Length".to_string(),
            length.to_string().into_bytes(),
        ));
    }
    let headers = Fields::from_list(&entries).map_err(|_| unsendable())?;
    let outgoing = OutgoingRequest::new(headers);
    let method = match request.method {
        Method::Get => wasi::Method::Get,
        Method::Post => wasi::Method::Post,
    };
    let scheme = if request.secure {
        Scheme::Https
    } else {
        Scheme::Http
    };
    outgoing
        .set_method(&method)
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(Some(&request.authority)))
        .and_then(|()| outgoing.set_path_with_query(Some(&request.path)))
        .map_err(|()| unsendable())?;
    Ok(outgoing)
}

fn send(outgoing: OutgoingBody, mut rest: &[u8], deadline: &Deadline) -> Result<(), Fault> {
    let stream = outgoing.write().map_err(|()| unsendable())?;
    while !rest.is_empty() {
        let room = usize::try_from(stream.check_write().map_err(broken)?).unwrap_or(usize::MAX);
        let (now, later) = rest.split_at(room.min(rest.len()));
        if now.is_empty() {
            deadline.wait(&stream.subscribe())?;
        } else {
            stream.write(now).map_err(broken)?;
            rest = later;
        }
    }
    // The body must be finished after its stream is gone.
    drop(stream);
    OutgoingBody::finish(outgoing, None).map_err(failed)
}

fn wait_for_head(
    answer: &FutureIncomingResponse,
    deadline: &Deadline,
) -> Result<IncomingResponse, Fault> {
    let event = answer.subscribe();
    loop {
        // It is never there before somebody has waited for it.
        deadline.wait(&event)?;
        match answer.get() {
            Some(Ok(head)) => return head.map_err(failed),
            Some(Err(())) => return Err(fault(FaultKind::Protocol, "the answer was taken before")),
            None => {}
        }
    }
}

fn receive(answer: &IncomingResponse, deadline: &Deadline) -> Result<Response, Fault> {
    let status = answer.status();
    let headers = answer.headers().entries();
    let incoming = answer
        .consume()
        .map_err(|()| fault(FaultKind::Protocol, "no body"))?;
    let stream = incoming
        .stream()
        .map_err(|()| fault(FaultKind::Protocol, "no body"))?;
    let body = read(&stream, deadline)?;
    // What comes after a body is of no interest. The stream goes first, as it is the body's child.
    drop(stream);
    drop(incoming);
    Ok(Response {
        status,
        headers,
        body,
    })
}

fn read(stream: &InputStream, deadline: &Deadline) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    loop {
        match stream.read(CHUNK) {
            Ok(chunk) if chunk.is_empty() => deadline.wait(&stream.subscribe())?,
            Ok(chunk) => {
                if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                    return Err(fault(FaultKind::TooLarge, ""));
                }
                body.extend_from_slice(&chunk);
                // A stream that always has something must not outrun the deadline.
                deadline.check()?;
            }
            Err(StreamError::Closed) => return Ok(body),
            Err(error) => return Err(broken(error)),
        }
    }
}

/// The end of the whole exchange.
struct Deadline(Pollable);

impl Deadline {
    /// Waits for `event`, but not beyond the end.
    fn wait(&self, event: &Pollable) -> Result<(), Fault> {
        // By the places of those that are ready.
        match poll(&[&self.0, event]).contains(&0) {
            true => Err(fault(FaultKind::Timeout, "")),
            false => Ok(()),
        }
    }

    fn check(&self) -> Result<(), Fault> {
        if self.0.ready() {
            Err(fault(FaultKind::Timeout, ""))
        } else {
            Ok(())
        }
    }
}

fn fault(kind: FaultKind, detail: &str) -> Fault {
    Fault {
        kind,
        detail: String::from(detail),
    }
}

fn unsendable() -> Fault {
    fault(FaultKind::Protocol, "the request cannot be sent")
}

/// What a broken stream means. The host is not asked for more (`http-error-code`): jco's shim traps on
/// some errors there, and a governor that is gone cannot say why it refused.
fn broken(error: StreamError) -> Fault {
    match error {
        StreamError::Closed => fault(FaultKind::Unreachable, "the connection was closed"),
        StreamError::LastOperationFailed(_) => fault(FaultKind::Protocol, "the stream broke"),
    }
}

/// What a host's error means. Exhaustive: a new code must be thought about.
fn failed(code: ErrorCode) -> Fault {
    let (kind, detail) = match code {
        ErrorCode::DnsError(_) => (FaultKind::Unreachable, "its name has no address"),
        ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable => (FaultKind::Unreachable, "no route to it"),
        ErrorCode::DestinationIpProhibited | ErrorCode::HttpRequestDenied => (
            FaultKind::Unreachable,
            "the host does not allow the connection",
        ),
        ErrorCode::ConnectionRefused => (FaultKind::Unreachable, "connection refused"),
        ErrorCode::ConnectionTerminated => (FaultKind::Unreachable, "the connection was closed"),
        ErrorCode::ConnectionLimitReached => (FaultKind::Unreachable, "too many connections"),
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => (FaultKind::Timeout, ""),
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
            (FaultKind::Tls, "the handshake failed")
        }
        ErrorCode::TlsCertificateError => (FaultKind::Tls, "its certificate is not accepted"),
        ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => (FaultKind::TooLarge, ""),
        ErrorCode::HttpResponseIncomplete => (FaultKind::Protocol, "it ended early"),
        ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_)
        | ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError
        | ErrorCode::LoopDetected
        | ErrorCode::ConfigurationError
        | ErrorCode::InternalError(_) => (FaultKind::Protocol, ""),
    };
    fault(kind, detail)
}
