//! Where HTTP requests may go.

use std::fmt;

use http::{HeaderName, Method};

use crate::target::Host;

/// The scheme of a rule. There is no third one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// The scheme as in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port of a URL that names none.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
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

impl HostPattern {
    pub(crate) fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Name(granted), Host::Name(name)) => granted == name,
            (Self::Below(parent), Host::Name(name)) => name
                .strip_suffix(parent.as_str())
                .and_then(|labels| labels.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
            (Self::Address(granted), Host::Address(address)) => granted == address,
            (Self::Name(_) | Self::Below(_), Host::Address(_))
            | (Self::Address(_), Host::Name(_)) => false,
        }
    }

    /// Whether every host of the other one's is a host of this one.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Name(name) => self.matches(&Host::Name(name.clone())),
            Self::Address(address) => self.matches(&Host::Address(*address)),
            Self::Below(parent) => {
                self == other || self.matches(&Host::Name(parent.clone())) && !self.is_exact()
            }
        }
    }

    fn is_exact(&self) -> bool {
        match self {
            Self::Name(_) | Self::Address(_) => true,
            Self::Below(_) => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Below(parent) => write!(f, "*.{parent}"),
            Self::Address(address) => Host::Address(*address).fmt(f),
        }
    }
}

/// The paths that a rule is for. Compared segment by segment, after the request's path was parsed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// This path and no other.
    Exact(String),
    /// Every path that begins with this one, which ends with a slash.
    Below(String),
}

impl PathPattern {
    pub(crate) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(granted) => granted == path,
            Self::Below(prefix) => path.starts_with(prefix.as_str()),
        }
    }

    /// Whether every path of the other one's is a path of this one.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(_), Self::Below(_)) => false,
            (_, Self::Exact(path) | Self::Below(path)) => self.matches(path),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Below(prefix) => write!(f, "{prefix}*"),
        }
    }
}

/// One rule for requests. Everything must match: scheme, host, port, method and path.
///
/// Plain http is only there together with `allow_private`: without TLS nobody vouches for the
/// server, so it is for one's own machine and network.
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

impl NetworkRule {
    /// Whether this rule, standing first, decides about some of what the other one is for and
    /// leaves nothing of that to it.
    pub(crate) fn shadows(&self, later: &Self) -> bool {
        self.scheme == later.scheme
            && self.port == later.port
            && self.host.covers(&later.host)
            && self.path.covers(&later.path)
            && self
                .methods
                .iter()
                .any(|method| later.methods.contains(method))
    }
}

impl fmt::Display for NetworkRule {
    /// `GET,HEAD https://api.example.com:443/v1/*  governed`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.methods.iter().enumerate() {
            write!(f, "{}{method}", if index == 0 { "" } else { "," })?;
        }
        let Self {
            scheme,
            host,
            port,
            path,
            ..
        } = self;
        write!(f, " {scheme}://{host}:{port}{path}")?;
        for header in &self.headers {
            write!(f, "  header {header}")?;
        }
        if self.allow_private {
            f.write_str("  private addresses too")?;
        }
        if self.govern {
            f.write_str("  governed")?;
        }
        Ok(())
    }
}
