//! The page on which a human decides, and sees what was decided: its files, who may use it, and what it
//! is told.
//!
//! The page itself is the same for everybody and holds no data, so it needs no credential. What it
//! shows comes by `fetch` with a session's key in a header, never in a cookie: those know no ports, and
//! would be sent to every other server on this machine.

pub(crate) mod activity;
pub(crate) mod live;
pub(crate) mod sessions;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, VARY};
use http::{HeaderMap, HeaderValue, Response};

/// Nothing from elsewhere, nothing inline, no markup from text, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HARDENING: [(&str, &str); 7] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// A file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

/// One of the page's files, which lie in `assets`.
macro_rules! asset {
    ($name:literal, $media_type:literal) => {
        Asset {
            name: $name,
            media_type: $media_type,
            text: include_str!(concat!("assets/", $name)),
        }
    };
}

/// The page; its script shows the view that the path names.
pub(crate) const PAGE: Asset = asset!("page.html", "text/html; charset=utf-8");

const ASSETS: [Asset; 8] = [
    asset!("page.css", "text/css; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
    asset!("app.js", "text/javascript; charset=utf-8"),
    asset!("client.js", "text/javascript; charset=utf-8"),
    asset!("text.js", "text/javascript; charset=utf-8"),
    asset!("waiting.js", "text/javascript; charset=utf-8"),
    asset!("activity.js", "text/javascript; charset=utf-8"),
    asset!("chart.js", "text/javascript; charset=utf-8"),
];

impl Asset {
    /// The file with this name, without the page itself.
    pub(crate) fn find(name: &str) -> Option<Self> {
        ASSETS.into_iter().find(|asset| asset.name == name)
    }

    pub(crate) fn response(self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from_static(self.text.as_bytes()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("accept"));
        for (name, value) in HARDENING {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        response
    }
}

/// Whether a browser asks for a page to show, and not a program for data.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| {
        let mut types = accepts
            .split(',')
            .filter_map(|range| range.split(';').next());
        types.any(|media_type| media_type.trim().eq_ignore_ascii_case("text/html"))
    })
}
