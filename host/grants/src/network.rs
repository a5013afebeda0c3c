//! Where HTTP requests may go.

use std::fmt;

use http::{HeaderName, Method};

use crate::target::{Host, Target};

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
    fn matches(&self, host: &Host) -> bool {
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
    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(granted) => granted == path,
            Self::Below(prefix) => path.starts_with(prefix.as_str()),
        }
    }
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

/// Why no rule lets a request through: what is wrong by the rule that came nearest to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The tool has no network grant at all.
    #[error("the tool is granted no network: `{0}` is not reachable")]
    NoNetwork(Host),
    /// No rule is for this host.
    #[error("the host `{0}` is not granted")]
    Host(Host),
    /// A rule is for the host, not with this scheme.
    #[error("`{host}` is granted, but not with {scheme}")]
    Scheme {
        /// The request's host.
        host: Host,
        /// The request's scheme.
        scheme: Scheme,
    },
    /// A rule is for the host and the scheme, not for this port.
    #[error("`{host}` is granted, but not at port {port}")]
    Port {
        /// The request's host.
        host: Host,
        /// The request's port.
        port: u16,
    },
    /// A rule is for the origin, not for this path.
    #[error("`{host}` is granted, but not the path `{path}`")]
    Path {
        /// The request's host.
        host: Host,
        /// The request's path, cut after 128 characters.
        path: String,
    },
    /// A rule is for the URL, not with this method.
    #[error("`{host}` is granted, but not the method {method} for the path `{path}`")]
    Method {
        /// The request's host.
        host: Host,
        /// The request's method.
        method: Method,
        /// The request's path, cut after 128 characters.
        path: String,
    },
}

impl NetworkRule {
    /// How far a request gets by this rule, and the whole way if it is let through.
    fn verdict(&self, target: &Target) -> Verdict {
        if !self.host.matches(&target.host) {
            Verdict::Host
        } else if self.scheme != target.scheme {
            Verdict::Scheme
        } else if self.port != target.port {
            Verdict::Port
        } else if !self.path.matches(&target.path) {
            Verdict::Path
        } else if !self.methods.contains(&target.method) {
            Verdict::Method
        } else {
            Verdict::Granted
        }
    }
}

/// What stops a request, the farther on the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Host,
    Scheme,
    Port,
    Path,
    Method,
    Granted,
}

/// The first of the rules that lets the request through.
pub(crate) fn rule_for<'a>(
    rules: &'a [NetworkRule],
    target: &Target,
) -> Result<&'a NetworkRule, Denied> {
    let mut nearest = None;
    for rule in rules {
        let verdict = rule.verdict(target);
        if verdict == Verdict::Granted {
            return Ok(rule);
        }
        nearest = nearest.max(Some(verdict));
    }
    let host = target.host.clone();
    let path = || target.path.chars().take(128).collect::<String>();
    Err(match nearest {
        None => Denied::NoNetwork(host),
        Some(Verdict::Host | Verdict::Granted) => Denied::Host(host),
        Some(Verdict::Scheme) => Denied::Scheme {
            host,
            scheme: target.scheme,
        },
        Some(Verdict::Port) => Denied::Port {
            host,
            port: target.port,
        },
        Some(Verdict::Path) => Denied::Path { host, path: path() },
        Some(Verdict::Method) => Denied::Method {
            host,
            method: target.method.clone(),
            path: path(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(host: HostPattern, path: PathPattern) -> NetworkRule {
        NetworkRule {
            scheme: Scheme::Https,
            host,
            port: 443,
            path,
            methods: vec![Method::GET],
            headers: Vec::new(),
            allow_private: false,
            govern: false,
        }
    }

    fn ask(rules: &[NetworkRule], method: Method, url: &str) -> Result<(), String> {
        let target = Target::parse(&method, &url.parse().expect(url)).expect(url);
        rule_for(rules, &target)
            .map(drop)
            .map_err(|denied| denied.to_string())
    }

    #[test]
    fn a_denial_names_what_the_nearest_rule_lacks() {
        let rules = [
            rule(
                HostPattern::Name("api.example.com".into()),
                PathPattern::Below("/v1/".into()),
            ),
            rule(
                HostPattern::Below("cdn.example".into()),
                PathPattern::Exact("/a".into()),
            ),
        ];
        let ask = |method, url| ask(&rules, method, url);
        assert_eq!(ask(Method::GET, "https://api.example.com/v1/"), Ok(()));
        assert_eq!(ask(Method::GET, "https://api.example.com/v1/x/y?q"), Ok(()));
        assert_eq!(ask(Method::GET, "https://x.y.cdn.example/a"), Ok(()));
        for (method, url, words) in [
            (
                Method::GET,
                "https://evil.example/v1/",
                "the host `evil.example` is not granted",
            ),
            (
                Method::GET,
                "https://cdn.example/a",
                "the host `cdn.example` is not granted",
            ),
            (
                Method::GET,
                "https://evilcdn.example/a",
                "the host `evilcdn.example` is not granted",
            ),
            (
                Method::GET,
                "https://1.2.3.4/a",
                "the host `1.2.3.4` is not granted",
            ),
            (
                Method::GET,
                "http://api.example.com/v1/",
                "but not with http",
            ),
            (
                Method::GET,
                "https://api.example.com:8443/v1/",
                "but not at port 8443",
            ),
            (
                Method::GET,
                "https://api.example.com/v1",
                "but not the path `/v1`",
            ),
            (
                Method::GET,
                "https://api.example.com/v10/",
                "but not the path `/v10/`",
            ),
            (
                Method::GET,
                "https://x.cdn.example/a/",
                "but not the path `/a/`",
            ),
            (
                Method::POST,
                "https://api.example.com/v1/x",
                "but not the method POST for the path `/v1/x`",
            ),
            (
                Method::HEAD,
                "https://api.example.com/v1/x",
                "but not the method HEAD",
            ),
        ] {
            let denied = ask(method, url).expect_err(url);
            assert!(denied.contains(words), "{url}: {denied}");
        }
    }

    #[test]
    fn an_empty_list_grants_nothing() {
        let denied = ask(&[], Method::GET, "https://a.b/").unwrap_err();
        assert_eq!(
            denied,
            "the tool is granted no network: `a.b` is not reachable"
        );
    }

    #[test]
    fn a_mapped_address_is_the_address_that_it_stands_for() {
        let address = "93.184.215.14".parse().unwrap();
        let rules = [rule(
            HostPattern::Address(address),
            PathPattern::Below("/".into()),
        )];
        let url = "https://[::ffff:93.184.215.14]/";
        assert_eq!(ask(&rules, Method::GET, url), Ok(()));
    }
}
