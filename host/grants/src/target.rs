//! Where a request goes: parsed once, by two parsers that must agree.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{Method, Uri};
use url::Url;

use crate::network::Scheme;
use crate::path::{self, BadPath};

/// The longest URL of a request, in bytes.
pub const TARGET_MAX: usize = 16 << 10;

/// The host of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A name: lower-case ASCII (IDNA in its `xn--` form), without a trailing dot.
    Name(String),
    /// An address. An IPv4-mapped IPv6 address is the IPv4 address that it stands for.
    Address(IpAddr),
}

impl fmt::Display for Host {
    /// As in a URL: an IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// The destination of one request. Rules are matched against exactly these parts, and a request must
/// be built from exactly these parts: its URL is not looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The scheme.
    pub scheme: Scheme,
    /// The host to resolve, to name in TLS and in `Host`.
    pub host: Host,
    /// The port, written or the scheme's own; never 0.
    pub port: u16,
    /// The method; never `CONNECT` or `TRACE`.
    pub method: Method,
    /// The path: unreserved characters decoded, other escapes in upper case, no dot segments, no
    /// empty ones but a last one, no hidden slashes (RFC 3986 section 6.2.2).
    pub path: String,
    /// What follows `?`, as it was written: visible ASCII. Rules do not look at it.
    pub query: Option<String>,
}

/// Why a request has no destination that can be trusted to be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// `CONNECT` opens tunnels, `TRACE` echoes headers.
    #[error("the method `{0}` is never sent")]
    Method(Method),
    /// Longer than [`TARGET_MAX`].
    #[error("the URL is longer than {TARGET_MAX} bytes")]
    TooLong,
    /// No scheme, or neither `http` nor `https`.
    #[error("the URL is neither http nor https")]
    Scheme,
    /// No host.
    #[error("the URL names no host")]
    NoHost,
    /// `user@host`, also an empty user.
    #[error("the URL has a user name or a password before its host")]
    UserInfo,
    /// Neither a DNS name of ASCII labels nor an address in its usual form.
    #[error("the host is neither a DNS name in ASCII nor an address in its usual form")]
    Host,
    /// `example.com.`
    #[error("the host ends with a dot: leave the dot out")]
    TrailingDot,
    /// No number from 1 to 65535, or none after the colon.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// See [`BadPath`].
    #[error("the path {0}")]
    Path(BadPath),
    /// A space, a control character, `#` or a byte beyond ASCII.
    #[error("the query has a character that is not visible ASCII, or a `#`")]
    Query,
    /// What one parser takes for the host, the port or the path is something else to another one.
    #[error("two URL parsers do not agree on the {0}")]
    Ambiguous(&'static str),
}

impl Target {
    /// The destination of a request for `uri` with `method`.
    ///
    /// The URL is read by `http` (RFC 3986) and by `url` (WHATWG). Where they see different hosts,
    /// ports or paths it is refused, for then a proxy or a server may see a third one: `127.1`,
    /// `0x7f.1` and `2130706433` are addresses to one of them and names to the other. A trailing dot
    /// of a host is refused. A fragment never gets here: [`Uri`] does not keep one.
    ///
    /// # Errors
    ///
    /// [`BadTarget`] says which part is wrong. It never repeats the URL, which may hold a password.
    pub fn parse(method: &Method, uri: &Uri) -> Result<Self, BadTarget> {
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            return Err(BadTarget::Method(method.clone()));
        }
        let text = uri.to_string();
        if text.len() > TARGET_MAX {
            return Err(BadTarget::TooLong);
        }
        let scheme = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ => return Err(BadTarget::Scheme),
        };
        let (host, port) = authority(uri, scheme)?;
        let path = path::normalise(uri.path()).map_err(BadTarget::Path)?;
        let query = uri.query();
        if query.is_some_and(|query| query.bytes().any(|b| !b.is_ascii_graphic() || b == b'#')) {
            return Err(BadTarget::Query);
        }
        let target = Self {
            scheme,
            host,
            port,
            method: method.clone(),
            path,
            query: query.map(str::to_owned),
        };
        target.agrees_with(&text)?;
        Ok(target)
    }

    /// The path with the query, as it goes into the request line.
    pub fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The value of `Host` (RFC 9110 section 7.2): the port is left out where it is the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn agrees_with(&self, text: &str) -> Result<(), BadTarget> {
        let other = Url::parse(text).map_err(|_| BadTarget::Ambiguous("URL"))?;
        if other.scheme() != self.scheme.as_str() {
            return Err(BadTarget::Ambiguous("scheme"));
        }
        let same_host = match (&self.host, other.host()) {
            (Host::Name(name), Some(url::Host::Domain(domain))) => name == domain,
            (Host::Address(address), Some(url::Host::Ipv4(v4))) => *address == IpAddr::V4(v4),
            (Host::Address(address), Some(url::Host::Ipv6(v6))) => *address == unmapped(v6),
            _ => false,
        };
        if !same_host {
            return Err(BadTarget::Ambiguous("host"));
        }
        if other.port_or_known_default() != Some(self.port) {
            return Err(BadTarget::Ambiguous("port"));
        }
        if path::normalise(other.path()).as_deref() != Ok(&self.path) {
            return Err(BadTarget::Ambiguous("path"));
        }
        Ok(())
    }
}

impl fmt::Display for Target {
    /// For people: the method and the URL without its query, which may hold what is not for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scheme,
            host,
            port,
            method,
            path,
            query: _,
        } = self;
        write!(f, "{method} {scheme}://{host}:{port}{path}")
    }
}

fn authority(uri: &Uri, scheme: Scheme) -> Result<(Host, u16), BadTarget> {
    let authority = uri.authority().ok_or(BadTarget::NoHost)?.as_str();
    if authority.contains('@') {
        return Err(BadTarget::UserInfo);
    }
    // A colon in brackets belongs to an address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port {
        None => scheme.port(),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or(BadTarget::Port)?,
        Some(_) => return Err(BadTarget::Port),
    };
    // The same part as the parser's own.
    if uri.host() != Some(host) {
        return Err(BadTarget::Host);
    }
    Ok((parse_host(host)?, port))
}

/// A host as it stands in a URL.
pub(crate) fn parse_host(text: &str) -> Result<Host, BadTarget> {
    if text.is_empty() {
        return Err(BadTarget::NoHost);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let address = inner.strip_suffix(']').ok_or(BadTarget::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| BadTarget::Host)?;
        return Ok(Host::Address(unmapped(address)));
    }
    if text.ends_with('.') {
        return Err(BadTarget::TrailingDot);
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if text.len() > 253 || !text.split('.').all(is_label) {
        return Err(BadTarget::Host);
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

fn unmapped(address: Ipv6Addr) -> IpAddr {
    IpAddr::V6(address).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target, BadTarget> {
        Target::parse(&Method::GET, &text.parse().expect(text))
    }

    #[test]
    fn a_url_is_taken_apart_once() {
        let target = parse("HTTPS://API.Example.com/v1/%7eme?q=a%2Fb").unwrap();
        assert_eq!(
            target,
            Target {
                scheme: Scheme::Https,
                host: Host::Name("api.example.com".into()),
                port: 443,
                method: Method::GET,
                path: "/v1/~me".into(),
                query: Some("q=a%2Fb".into()),
            }
        );
        assert_eq!(target.path_and_query(), "/v1/~me?q=a%2Fb");
        assert_eq!(target.authority(), "api.example.com");
        assert_eq!(target.to_string(), "GET https://api.example.com:443/v1/~me");
    }

    #[test]
    fn hosts_have_one_form() {
        for (url, host, authority) in [
            ("http://a.b", "a.b", "a.b"),
            ("http://a.b:80/", "a.b", "a.b"),
            ("http://a.b:443/", "a.b", "a.b:443"),
            (
                "http://xn--bcher-kva.example/",
                "xn--bcher-kva.example",
                "xn--bcher-kva.example",
            ),
            ("http://_dmarc.example/", "_dmarc.example", "_dmarc.example"),
            ("http://127.0.0.1:8080/", "127.0.0.1", "127.0.0.1:8080"),
            ("http://[::1]:8080/", "[::1]", "[::1]:8080"),
            ("http://[0:0::1]/", "[::1]", "[::1]"),
            ("http://[::ffff:127.0.0.1]/", "127.0.0.1", "127.0.0.1"),
            ("http://[::FFFF:7f00:1]/", "127.0.0.1", "127.0.0.1"),
        ] {
            let target = parse(url).expect(url);
            assert_eq!(target.host.to_string(), host, "{url}");
            assert_eq!(target.authority(), authority, "{url}");
        }
    }

    #[test]
    fn what_two_readers_may_read_differently_is_refused() {
        for (url, reason) in [
            ("/only/a/path", BadTarget::Scheme),
            ("ftp://a.b/", BadTarget::Scheme),
            ("a.b:443", BadTarget::Scheme),
            ("http://allowed.example@evil.example/", BadTarget::UserInfo),
            ("http://user:pass@a.b/", BadTarget::UserInfo),
            ("http://@a.b/", BadTarget::UserInfo),
            ("http://a.b./", BadTarget::TrailingDot),
            ("http://127.0.0.1./", BadTarget::TrailingDot),
            ("http://127.1/", BadTarget::Ambiguous("host")),
            ("http://0x7f.1/", BadTarget::Ambiguous("host")),
            ("http://0x7f000001/", BadTarget::Ambiguous("host")),
            ("http://2130706433/", BadTarget::Ambiguous("host")),
            ("http://0177.0.0.1/", BadTarget::Ambiguous("host")),
            ("http://127.0.0.01/", BadTarget::Ambiguous("host")),
            ("http://1.2.3.4.5/", BadTarget::Ambiguous("URL")),
            ("http://256.1.1.1/", BadTarget::Ambiguous("URL")),
            ("http://a.0x1/", BadTarget::Ambiguous("URL")),
            ("http://xn--a/", BadTarget::Ambiguous("URL")),
            ("http://a..b/", BadTarget::Host),
            ("http://.a.b/", BadTarget::Host),
            ("http://a!b/", BadTarget::Host),
            ("http://[fe80::1%25eth0]/", BadTarget::Host),
            ("http://a.b:0/", BadTarget::Port),
            ("http://a.b:/", BadTarget::Port),
            ("http://a.b/v1/../x", BadTarget::Path(BadPath::DotSegment)),
            ("http://a.b//x", BadTarget::Path(BadPath::EmptySegment)),
            ("http://a.b/x%2fy", BadTarget::Path(BadPath::HiddenSlash)),
            ("http://a.b/x%0d%0a", BadTarget::Path(BadPath::Control)),
        ] {
            assert_eq!(parse(url), Err(reason), "{url}");
        }
    }

    #[test]
    fn tunnels_and_echoes_are_never_sent() {
        for method in [Method::CONNECT, Method::TRACE] {
            let uri = Uri::from_static("http://a.b/");
            assert_eq!(
                Target::parse(&method, &uri),
                Err(BadTarget::Method(method.clone()))
            );
        }
        let star = Uri::from_static("*");
        assert_eq!(
            Target::parse(&Method::OPTIONS, &star),
            Err(BadTarget::Scheme)
        );
    }

    #[test]
    fn a_name_has_the_length_that_dns_allows() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert!(parse(&format!("http://{longest}/")).is_ok());
        assert_eq!(parse(&format!("http://{longest}a/")), Err(BadTarget::Host));
        assert_eq!(parse(&format!("http://{label}a.b/")), Err(BadTarget::Host));
        let path = "a".repeat(TARGET_MAX);
        assert_eq!(
            parse(&format!("http://a.b/{path}")),
            Err(BadTarget::TooLong)
        );
    }
}
