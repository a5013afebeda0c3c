//! What a request must be to leave, and the form in which it does.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Request, Uri, Version};
use http_body_util::Full;

use crate::{Fault, Options, Origin};

/// Headers about one connection, which is ours and not the caller's. `Host` and the length are set
/// anew from what is really sent, so that the two can never disagree.
const OURS: [HeaderName; 10] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A request that passed every check and can be sent, more than once if need be.
pub(crate) struct Outgoing {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Outgoing {
    /// Checks a request against the origin and the limits.
    pub(crate) fn new(
        request: Request<Bytes>,
        origin: &Origin,
        host: &HeaderValue,
        options: &Options,
    ) -> Result<Self, Fault> {
        let (parts, body) = request.into_parts();
        if body.len() > options.max_request {
            return Err(Fault::TooLarge("the request's body"));
        }
        Self::to(target(&parts.uri, origin)?, host, parts, body, options)
    }

    /// Checks the method and the headers of a request whose target and body were checked.
    pub(crate) fn to(
        target: Uri,
        host: &HeaderValue,
        parts: Parts,
        body: Bytes,
        options: &Options,
    ) -> Result<Self, Fault> {
        // CONNECT would turn the connection into a tunnel to somewhere else.
        if parts.method == Method::CONNECT {
            return Err(Fault::NotAllowed(
                "the method `CONNECT` opens a tunnel".to_owned(),
            ));
        }
        let mut headers = parts.headers;
        for name in OURS {
            headers.remove(name);
        }
        let lines = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4);
        if lines.sum::<usize>() > options.max_head {
            return Err(Fault::TooLarge("the request's head"));
        }
        headers.insert(header::HOST, host.clone());
        Ok(Self {
            method: parts.method,
            target,
            headers,
            body,
        })
    }

    pub(crate) fn to_request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// The origin-form of a request's target: path and query, nothing else.
fn target(uri: &Uri, origin: &Origin) -> Result<Uri, Fault> {
    let scheme = if origin.is_tls() { "https" } else { "http" };
    if uri.scheme_str().is_some_and(|given| given != scheme) {
        return Err(Fault::NotAllowed(format!(
            "requests go to `{origin}` only, by `{scheme}`"
        )));
    }
    if let Some(authority) = uri.authority() {
        let has_user = authority.as_str().contains('@');
        let has_host = authority
            .host()
            .trim_matches(['[', ']'])
            .eq_ignore_ascii_case(origin.host());
        // The rest is the port: absent, or `:` and digits. An empty port is no port.
        let has_port = match authority.as_str().get(authority.host().len()..) {
            Some("") => origin.authority() == authority.host().to_ascii_lowercase(),
            _ => authority.port_u16() == Some(origin.port()),
        };
        if has_user || !has_host || !has_port {
            return Err(Fault::NotAllowed(format!("requests go to `{origin}` only")));
        }
    }
    let target = match uri.path_and_query() {
        Some(target) => target.clone(),
        None => PathAndQuery::from_static("/"),
    };
    if !is_under(target.path(), origin.base_path()) || !target.as_str().is_ascii() {
        return Err(Fault::NotAllowed(format!(
            "the path must be a plain one under `{origin}`"
        )));
    }
    Ok(Uri::from(target))
}

/// Whether no server, however it reads escapes, backslashes, parameters or dots, can see `path` leave
/// `base`.
fn is_under(path: &str, base: &str) -> bool {
    let Some(rest) = path.strip_prefix(base) else {
        return false;
    };
    // `//host/…` at the start could be read as another authority.
    if !(rest.is_empty() || rest.starts_with('/')) || path.starts_with("//") || path.is_empty() {
        return false;
    }
    // Without these there is no dot, in whatever spelling. The usual path ends here.
    if !path.contains(['.', '%']) {
        return true;
    }
    let plain = [
        ("%2e", "."),
        ("%2f", "/"),
        ("%5c", "/"),
        ("%3b", "/"),
        ("\\", "/"),
        (";", "/"),
    ]
    .into_iter()
    .fold(path.to_ascii_lowercase(), |path, (odd, usual)| {
        path.replace(odd, usual)
    });
    !plain.split('/').any(|part| matches!(part, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send_to(origin: &str, uri: &str) -> Result<String, Fault> {
        let origin = Origin::parse(origin).unwrap();
        let host = HeaderValue::from_str(origin.authority()).unwrap();
        let request = Request::post(uri).body(Bytes::new()).unwrap();
        Outgoing::new(request, &origin, &host, &Options::default())
            .map(|outgoing| outgoing.target.to_string())
    }

    #[test]
    fn a_target_of_the_origin_becomes_path_and_query() {
        for (origin, uri, target) in [
            ("https://e.example", "/v1/enforce", "/v1/enforce"),
            (
                "https://e.example",
                "https://e.example/v1/enforce?a=b",
                "/v1/enforce?a=b",
            ),
            ("https://e.example", "https://E.Example:443/v1", "/v1"),
            ("https://e.example:8443", "https://e.example:8443/v1", "/v1"),
            ("https://e.example/base", "/base/v1", "/base/v1"),
            ("https://e.example/base", "/base", "/base"),
            ("https://e.example", "https://e.example", "/"),
            ("http://[::1]:8080", "http://[::1]:8080/v1", "/v1"),
            ("http://127.0.0.1", "http://127.0.0.1/v1", "/v1"),
            ("https://e.example", "/a%20b/...", "/a%20b/..."),
        ] {
            assert_eq!(
                send_to(origin, uri).as_deref(),
                Ok(target),
                "{origin} {uri}"
            );
        }
    }

    #[test]
    fn a_target_of_another_origin_is_not_allowed() {
        for (origin, uri) in [
            ("https://e.example", "https://evil.example/v1"),
            ("https://e.example", "http://e.example/v1"),
            ("https://e.example", "https://e.example:444/v1"),
            ("https://e.example", "https://e.example:/v1"),
            ("https://e.example:8443", "https://e.example/v1"),
            ("https://e.example", "https://user@e.example/v1"),
            ("https://e.example", "https://e.example.evil/v1"),
            ("https://e.example", "https://e.example./v1"),
            ("https://e.example", "ftp://e.example/v1"),
            ("https://e.example", "evil.example:443"),
            ("https://e.example", "//evil.example/v1"),
            ("https://e.example", "*"),
            ("https://e.example/base", "/v1"),
            ("https://e.example/base", "/basement"),
            ("https://e.example/base", "/base/../admin"),
            ("https://e.example/base", "/base/%2E%2e/admin"),
            ("https://e.example/base", "/base/.%2e%2Fadmin"),
            ("https://e.example/base", "/base/..%5cadmin"),
            ("https://e.example/base", "/base/."),
            ("https://e.example/base", "/base/..;a=b/admin"),
            ("https://e.example/base", "/BASE/v1"),
        ] {
            let fault = send_to(origin, uri);
            assert!(
                matches!(fault, Err(Fault::NotAllowed(_))),
                "{origin} {uri} {fault:?}"
            );
        }
    }

    #[test]
    fn the_headers_of_the_connection_are_ours() {
        let origin = Origin::parse("https://e.example:8443").unwrap();
        let host = HeaderValue::from_str(origin.authority()).unwrap();
        let mut request = Request::post("/v1")
            .body(Bytes::from_static(b"{}"))
            .unwrap();
        for name in OURS {
            request
                .headers_mut()
                .append(name, HeaderValue::from_static("evil"));
        }
        request
            .headers_mut()
            .append("x-kept", HeaderValue::from_static("yes"));
        let sent = Outgoing::new(request, &origin, &host, &Options::default())
            .unwrap()
            .to_request();
        let lines: Vec<_> = sent
            .headers()
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_bytes()))
            .collect();
        assert_eq!(
            lines,
            [("x-kept", &b"yes"[..]), ("host", &b"e.example:8443"[..])]
        );
    }

    #[test]
    fn what_is_too_large_does_not_leave() {
        let origin = Origin::parse("https://e.example").unwrap();
        let host = HeaderValue::from_static("e.example");
        let options = Options {
            max_request: 3,
            max_head: 20,
            ..Options::default()
        };
        let new = |request| Outgoing::new(request, &origin, &host, &options).map(|_| ());
        let body =
            |text: &'static str| Request::post("/").body(Bytes::from_static(text.as_bytes()));
        assert_eq!(new(body("abc").unwrap()), Ok(()));
        assert_eq!(
            new(body("abcd").unwrap()),
            Err(Fault::TooLarge("the request's body"))
        );
        let head = Request::get("/")
            .header("name", "thirteen-byte")
            .body(Bytes::new())
            .unwrap();
        assert_eq!(new(head), Err(Fault::TooLarge("the request's head")));
    }

    #[test]
    fn a_tunnel_is_not_allowed() {
        let origin = Origin::parse("https://e.example").unwrap();
        let host = HeaderValue::from_static("e.example");
        let request = Request::connect("/").body(Bytes::new()).unwrap();
        let fault = Outgoing::new(request, &origin, &host, &Options::default()).map(|_| ());
        assert!(matches!(fault, Err(Fault::NotAllowed(_))));
    }
}
