//! What of a response a tool may see.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{HeaderName, Response, StatusCode};

use crate::headers::visible;
use crate::mask::Mask;
use crate::{Answer, Kind, Refused, Secrets};

/// Takes out what is not for the tool, and masks secrets in headers and body.
pub(crate) fn finish(
    response: Response<Bytes>,
    secrets: &Secrets,
    has_secret: bool,
) -> Result<Answer, Refused> {
    let (parts, body) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        let problem = "the server switched to a protocol that it was not asked for";
        return Err(Refused::new(Kind::Protocol, problem));
    }
    if has_secret && is_coded(&parts.headers) && !body.is_empty() {
        let problem = "the answer to a request with a secret is compressed, so that it cannot be \
                       searched for the secret";
        return Err(Refused::new(Kind::Secret, problem));
    }
    let mask = secrets.current();
    let mut masked = false;
    let mut headers = HeaderMap::with_capacity(parts.headers.len());
    for (name, value) in &visible(parts.headers) {
        match masked_line(&mask, name, value) {
            Line::Plain => {
                headers.append(name, value.clone());
            }
            Line::Masked(value) => {
                headers.append(name, value);
                masked = true;
            }
            Line::Gone => masked = true,
        }
    }
    let body = match mask.apply(&body) {
        Cow::Borrowed(_) => body,
        Cow::Owned(other) => {
            masked = true;
            if headers.contains_key(header::CONTENT_LENGTH) {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(other.len()));
            }
            Bytes::from(other)
        }
    };
    // Not the rest of the head: its extensions hold the reason phrase, which is free text.
    let mut response = Response::new(body);
    *response.status_mut() = parts.status;
    *response.headers_mut() = headers;
    Ok(Answer { response, masked })
}

enum Line {
    Plain,
    Masked(HeaderValue),
    Gone,
}

fn masked_line(mask: &Mask, name: &HeaderName, value: &HeaderValue) -> Line {
    if let Cow::Owned(_) = mask.apply(name.as_str().as_bytes()) {
        return Line::Gone;
    }
    match mask.apply(value.as_bytes()) {
        Cow::Borrowed(_) => Line::Plain,
        Cow::Owned(other) => HeaderValue::from_bytes(&other).map_or(Line::Gone, Line::Masked),
    }
}

/// Whether the body is something else than it says by its type.
fn is_coded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
