//! Which headers a tool may set, and which of a response it sees.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use thoth_grants::{NetworkRule, SecretName};

use crate::template::Template;
use crate::{Kind, Refused, Secrets};

/// Most header lines of a request.
const MAX_LINES: usize = 64;
/// Most bytes of a request's header lines, before secrets are put in.
const MAX_BYTES: usize = 32 << 10;

/// Headers about the connection or the way to the server, which are ours: never a tool's.
const NEVER: [&str; 10] = [
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that say who asks (credentials, cookies, the client's address) or that make a server take
/// the request for another one than the rule let through. A tool sets them only where the rule grants
/// them by name.
const GRANTED_ONLY: [&str; 17] = [
    "authorization",
    "cf-connecting-ip",
    "cookie",
    "cookie2",
    "forwarded",
    "true-client-ip",
    "via",
    "x-api-key",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
const GRANTED_ONLY_PREFIXES: [&str; 3] = ["proxy-", "x-forwarded-", "x-thoth-"];

/// Where a request belongs in a trace (W3C Trace Context), which the host says: what a tool says of it is
/// left out, or a tool could have its requests taken for someone else's.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// What of a response is about its connection (RFC 9110, section 7.6.1), or would give the tool a
/// session that it could carry on.
const RESPONSE_DROPPED: [HeaderName; 11] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    header::SET_COOKIE,
    HeaderName::from_static("set-cookie2"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The headers of a request, checked.
#[derive(Debug)]
pub(crate) struct Checked {
    /// In order, without `content-length`.
    pub(crate) lines: Vec<(HeaderName, Template)>,
    /// What the tool says the body's length is.
    pub(crate) content_length: Option<u64>,
    /// Bytes of all lines, placeholders as they stand.
    pub(crate) size: usize,
}

impl Checked {
    /// Checks the headers of a tool's request against the rule that lets it through. A placeholder is
    /// taken only in a header that the rule grants by name: that ties a secret to its destinations.
    pub(crate) fn new(
        headers: &HeaderMap,
        rule: &NetworkRule,
        secrets: &[SecretName],
    ) -> Result<Self, Refused> {
        let refused = |why: String| Err(Refused::new(Kind::Header, why));
        if headers.len() > MAX_LINES {
            return refused(format!(
                "the request has more than {MAX_LINES} header lines"
            ));
        }
        let size = size(headers);
        if size > MAX_BYTES {
            return refused(format!("the headers have more than {MAX_BYTES} bytes"));
        }
        let mut checked = Self {
            lines: Vec::with_capacity(headers.len()),
            content_length: None,
            size,
        };
        for (name, value) in headers {
            if name == header::CONTENT_LENGTH {
                let length = value.to_str().ok().and_then(parse_length);
                match (length, checked.content_length) {
                    (Some(length), None) => checked.content_length = Some(length),
                    _ => return refused("the request has no single plain `content-length`".into()),
                }
                continue;
            }
            let is_granted = rule.headers.contains(name);
            match power(name) {
                Power::Harmless => {}
                Power::Ours => continue,
                Power::Granted if is_granted => {}
                Power::Granted => {
                    return refused(format!("the rule grants no header `{name}` to the tool"));
                }
                Power::Never => return refused(format!("a tool never sets the header `{name}`")),
            }
            let value = Template::parse(value, secrets)?;
            if value.has_secret() && !is_granted {
                return Err(Refused::new(
                    Kind::Secret,
                    format!("the rule grants no header `{name}`, so no secret goes into it"),
                ));
            }
            checked.lines.push((name.clone(), value));
        }
        Ok(checked)
    }

    pub(crate) fn has_secret(&self) -> bool {
        self.lines.iter().any(|(_, value)| value.has_secret())
    }

    /// The headers to send, with the secrets.
    pub(crate) async fn fill(&self, secrets: &Secrets) -> Result<HeaderMap, Refused> {
        let mut headers = HeaderMap::with_capacity(self.lines.len());
        for (name, value) in &self.lines {
            headers.append(name, value.fill(secrets).await?);
        }
        if self.has_secret() {
            // The answer must be one that can be searched for the secret.
            let identity = HeaderValue::from_static("identity");
            headers.insert(header::ACCEPT_ENCODING, identity);
        }
        Ok(headers)
    }

    /// Each name once, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .lines
            .iter()
            .map(|(name, _)| name.to_string())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Bytes of header lines as they are sent.
fn size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}

/// The headers of a response that a tool may see.
pub(crate) fn visible(mut headers: HeaderMap) -> HeaderMap {
    // What `connection` names is about the connection too.
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in RESPONSE_DROPPED.iter().chain(&named) {
        headers.remove(name);
    }
    headers
}

enum Power {
    Harmless,
    Ours,
    Granted,
    Never,
}

fn power(name: &HeaderName) -> Power {
    // Servers that hand headers on as variables (RFC 3875, section 4.1.18) cannot tell `_` from `-`.
    let name = name.as_str().replace('_', "-");
    if NEVER.contains(&name.as_str()) {
        Power::Never
    } else if TRACE.contains(&name.as_str()) {
        Power::Ours
    } else if GRANTED_ONLY.contains(&name.as_str())
        || GRANTED_ONLY_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
    {
        Power::Granted
    } else {
        Power::Harmless
    }
}

fn parse_length(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}
