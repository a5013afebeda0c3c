//! A request as the arguments of a tool call.

use alloc::string::{String, ToString};

use thoth_core::gate::arguments_of;
use wasip2::http::types::{IncomingRequest, Method};

/// The tool's name in policies and events.
pub(crate) const TOOL: &str = "http_request";

/// The header fields that describe a body which nobody has read yet.
const OF_THE_BODY: [(&str, &str); 3] = [
    ("content-type", "content_type"),
    ("content-length", "content_length"),
    ("content-digest", "content_digest"),
];

/// What a policy decides on: method, authority, path and query, and what is said of the body. A field
/// that comes more than once is joined, as HTTP reads it; bytes beyond UTF-8 are replaced.
pub(crate) fn arguments(request: &IncomingRequest) -> String {
    let target = request.path_with_query().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&*target, None),
    };
    let headers = request.headers();
    let mut members = alloc::vec![
        ("method", Some(method(&request.method()))),
        ("authority", request.authority()),
        ("path", Some(path.to_string())),
        ("query", query.map(ToString::to_string)),
    ];
    for (field, member) in OF_THE_BODY {
        let mut joined: Option<String> = None;
        for value in headers.get(field) {
            let value = String::from_utf8_lossy(&value).into_owned();
            joined = Some(joined.map_or(value.clone(), |before| before + ", " + &value));
        }
        members.push((member, joined));
    }
    arguments_of(members)
}

fn method(method: &Method) -> String {
    let name = match method {
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
    };
    name.to_string()
}
