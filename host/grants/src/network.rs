//! Where HTTP requests may go.

use http::{HeaderName, Method};

/// The scheme of a rule. There is no third one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

/// The hosts that a rule is for; always lower-case ASCII, without a trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This name, as IDNA 2008 / UTS 46 writes it in ASCII.
    Name(String),
    /// Any name with at least one label more than this: `*.example.com`, not `example.com` itself.
    Below(String),
    /// This address, written as an address.
    Address(std::net::IpAddr),
}

/// The paths that a rule is for. Compared segment by segment, after the request's path was parsed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// This path and no other.
    Exact(String),
    /// Every path that begins with this one, which ends with a slash.
    Below(String),
}

/// One rule for requests. Everything must match: scheme, host, port, method and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRule {
    /// The scheme.
    pub scheme: Scheme,
    /// The hosts.
    pub host: HostPattern,
    /// The port; written or the scheme's own.
    pub port: u16,
    /// The paths.
    pub path: PathPattern,
    /// The methods; at least one, never `CONNECT` or `TRACE`.
    pub methods: Vec<Method>,
    /// Request headers that a tool may otherwise not set, `authorization` for instance.
    pub headers: Vec<HeaderName>,
    /// Whether the host may resolve to an address of a private or special-use range.
    pub allow_private: bool,
    /// Whether the enforcer decides about each request before it is sent.
    pub govern: bool,
}
