//! A request that may be sent.

use std::fmt;

use http::HeaderValue;
use sha2::{Digest, Sha256};
use thoth_grants::{Scheme, Target};

use crate::headers::Checked;
use crate::shared::Ticket;

/// A request that a rule lets through; the only thing that [`Egress::send`](crate::Egress::send)
/// takes. It holds exactly what was checked, so nothing else can be sent.
///
/// Only a check makes one:
///
/// ```compile_fail,E0451
/// fn forge(ticket: thoth_egress::Permitted) -> thoth_egress::Permitted {
///     thoth_egress::Permitted { ..ticket }
/// }
/// ```
///
/// and it is sent once:
///
/// ```compile_fail,E0382
/// # use {bytes::Bytes, thoth_egress::{Egress, Permitted}, tokio::time::Instant};
/// async fn twice(egress: Egress, permitted: Permitted, by: Instant) {
///     let _ = egress.send(permitted, Bytes::new(), by).await;
///     let _ = egress.send(permitted, Bytes::new(), by).await;
/// }
/// ```
///
/// Dropping it unsent is recorded as [`Outcome::Abandoned`](crate::Outcome::Abandoned).
pub struct Permitted {
    pub(crate) ticket: Ticket,
    pub(crate) request: Approved,
}

/// What was looked at and found right.
pub(crate) struct Approved {
    pub(crate) target: Target,
    pub(crate) headers: Checked,
    pub(crate) allow_private: bool,
    /// The host's `traceparent`.
    pub(crate) trace: Option<HeaderValue>,
    pub(crate) is_governed: bool,
}

/// What is told about a request to whoever decides about it, and to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// The host; an IPv6 address in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, as it was matched and is sent.
    pub path: String,
    /// The query, without its `?`.
    pub query: Option<String>,
    /// The names of the tool's headers, sorted, each once; `content-length` is not among them.
    pub header_names: Vec<String>,
    /// SHA-256 of the body, in lower-case hexadecimal.
    pub body_sha256: String,
    /// Length of the body, in bytes.
    pub body_bytes: u64,
}

impl Permitted {
    /// Its number in the call, from 1.
    pub fn number(&self) -> u32 {
        self.ticket.number()
    }

    /// Where it goes.
    pub fn target(&self) -> &Target {
        &self.request.target
    }

    /// Whether the rule wants the enforcer to decide before it is sent.
    pub fn is_governed(&self) -> bool {
        self.request.is_governed
    }

    /// With a `traceparent`, which a tool has no say in.
    #[must_use]
    pub fn traced(mut self, parent: Option<HeaderValue>) -> Self {
        self.request.trace = parent;
        self
    }

    /// What an enforcer is told about the request with this body.
    pub fn describe(&self, body: &[u8]) -> Described {
        let scheme = match self.request.target.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        Described {
            method: self.request.target.method.to_string(),
            scheme: scheme.to_owned(),
            host: self.request.target.host.to_string(),
            port: self.request.target.port,
            path: self.request.target.path.clone(),
            query: self.request.target.query.clone(),
            header_names: self.request.headers.names(),
            body_sha256: hex(&Sha256::digest(body)),
            body_bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
        }
    }
}

impl fmt::Debug for Permitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permitted")
            .field("number", &self.number())
            .field("target", &self.request.target)
            .finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
