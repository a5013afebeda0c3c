//! A request to any service, as one call of a tool.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde_json::Value;
use thoth_core::gate::arguments_of;
use thoth_core::{Ruling, json};
use wasip2::http::types::{IncomingRequest, Method};

use crate::answer::Answer;
use crate::body::{self, Unread};
use crate::component::{Cleared, with};

/// The tool's name in policies and events.
const TOOL: &str = "http_request";

/// The longest body that is read before it is handed on, in bytes.
const BODY_MAX: usize = 1 << 20;

/// The header fields that describe a body.
const OF_THE_BODY: [(&str, &str); 3] = [
    ("content-type", "content_type"),
    ("content-length", "content_length"),
    ("content-digest", "content_digest"),
];

/// Asks about a request.
///
/// # Errors
/// It is not handed on; what is answered.
pub(crate) fn cleared(request: &IncomingRequest) -> Result<Cleared, Answer> {
    let body = match whole(request) {
        Some(Ok(body)) => Some(body),
        Some(Err(unread)) => return Err(unusable(unread)),
        None => None,
    };
    let arguments = arguments(request, body.as_deref());
    match with(|gate, ports| gate.check(ports, TOOL, Ok(&arguments))) {
        Ruling::Run(ticket, permit) if permit.is_modified() => {
            let why = "a request passes as it came or not at all";
            let refused = with(|gate, ports| gate.reject(ports, ticket, why));
            Err(Answer::of(&refused))
        }
        Ruling::Run(ticket, _permit) => Ok(Cleared {
            body,
            tickets: vec![ticket],
        }),
        Ruling::Refuse(refused) => Err(Answer::of(&refused)),
    }
}

/// The body, where it is read before the question: it says how long it is, and that is not too long, or
/// the method is one of which nobody expects a body. `None` is one that streams.
fn whole(request: &IncomingRequest) -> Option<Result<Vec<u8>, Unread>> {
    let is_read = match body::length(request) {
        Some(length) => length <= BODY_MAX as u64,
        None => matches!(
            request.method(),
            Method::Get | Method::Head | Method::Delete | Method::Options | Method::Trace
        ),
    };
    let timeout = with(|gate, _| gate.body_timeout());
    is_read.then(|| body::read(request, BODY_MAX, timeout))
}

/// A body that cannot be told about is that of a call with arguments that cannot be told.
fn unusable(unread: Unread) -> Answer {
    let (status, why) = match unread {
        Unread::TooLong => (413, "its body is longer than it may be"),
        Unread::Late => (408, "its body did not arrive in time"),
        Unread::Broken => (400, "its body broke off"),
    };
    let refused = match with(|gate, ports| gate.check(ports, TOOL, Err(why))) {
        Ruling::Refuse(refused) => refused,
        Ruling::Run(ticket, _permit) => with(|gate, ports| gate.reject(ports, ticket, why)),
    };
    Answer::of(&refused).with_status(status)
}

/// What a policy decides on: method, authority, path and query, and what is known of the body. A field
/// that comes more than once is joined, as HTTP reads it; bytes beyond UTF-8 are replaced.
fn arguments(request: &IncomingRequest, body: Option<&[u8]>) -> String {
    let target = request.path_with_query().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&*target, None),
    };
    let text = |text: &str| Value::String(text.to_string());
    let mut members = vec![
        ("method", Some(method(&request.method()).into())),
        ("authority", request.authority().map(Value::String)),
        ("path", Some(text(path))),
        ("query", query.map(text)),
        (
            "body",
            Some(text(if body.is_some() { "read" } else { "streamed" })),
        ),
        ("body_bytes", body.map(|body| body.len().into())),
        (
            "body_sha256",
            body.map(|body| json::digest_bytes(body).into()),
        ),
    ];
    let headers = request.headers();
    for (field, member) in OF_THE_BODY {
        let values = headers.get(field);
        let values: Vec<_> = values
            .iter()
            .map(|value| String::from_utf8_lossy(value))
            .collect();
        let joined = (!values.is_empty()).then(|| values.join(", ").into());
        members.push((member, joined));
    }
    arguments_of(members)
}

fn method(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(other) => other,
    }
}
