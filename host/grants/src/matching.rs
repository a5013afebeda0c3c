//! Which rule lets a request through, and what is missing where none does.

use http::Method;

use crate::network::{NetworkRule, Scheme};
use crate::target::{Host, Target};

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
    use crate::network::{HostPattern, PathPattern};

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
