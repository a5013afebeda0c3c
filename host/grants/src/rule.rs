//! How a network rule is written: in a flag, and part by part in a configuration file.

use std::str::FromStr;

use http::uri::InvalidUri;
use http::{HeaderName, Method, Uri, header};

use crate::Scheme;
use crate::network::{HostPattern, NetworkRule, PathPattern};
use crate::target::{BadTarget, Host, Target};
use crate::words::{shown, suggestion};

/// The longest rule, in bytes.
const RULE_MAX: usize = 4 << 10;

/// What a rule without methods is for.
pub(crate) const DEFAULT_METHODS: [Method; 2] = [Method::GET, Method::HEAD];

/// The host's own business in every request, whatever a rule says (RFC 9110 sections 7.2 and 7.6.1).
const NEVER_GRANTED: [HeaderName; 9] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Why a network rule cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum BadRule {
    /// Nothing was written.
    #[error("the rule is empty: write it as `https://api.example.com/v1/* GET,POST`")]
    Empty,
    /// Longer than any rule needs to be.
    #[error("the rule is longer than {RULE_MAX} bytes")]
    TooLong,
    /// Not a URL at all.
    #[error("`{text}` is not a URL: write it as `https://api.example.com/v1/*`")]
    NotAUrl {
        /// The URL as it was written.
        text: String,
        /// What the parser says.
        #[source]
        source: InvalidUri,
    },
    /// A URL that no request may have.
    #[error("`{text}`: {problem}")]
    Url {
        /// The URL as it was written.
        text: String,
        /// What is wrong with it.
        problem: BadTarget,
    },
    /// A host beyond ASCII.
    #[error("`{text}` is not ASCII: write the host as `{ascii}`, and encode the path")]
    NotAscii {
        /// The URL as it was written.
        text: String,
        /// Its host in ASCII, by UTS 46.
        ascii: String,
    },
    /// `https://api.example.com`
    #[error(
        "`{0}` says nothing of paths: end it with `/*` for all, or with the path that is meant"
    )]
    NoPath(String),
    /// A `*` in any other place.
    #[error(
        "`{0}` has a `*` that is neither a leading `*.` of the host nor a trailing `/*` of the path"
    )]
    Wildcard(String),
    /// `*.com`, or `*.` before an address.
    #[error("`{0}` is for too many hosts: name at least two labels, as in `*.example.com`")]
    TooWide(String),
    /// A rule has no query and no fragment.
    #[error("`{0}` has a query or a fragment: rules are for paths, and a path covers every query")]
    Query(String),
    /// Plain http without `allow-private`.
    #[error(
        "`{0}` is not encrypted: write https, or grant `allow-private` for a server on this machine \
         or network"
    )]
    PlainHttp(String),
    /// No method's name, or one that is never sent.
    #[error("`{0}` is not a method that can be granted: write them as `GET,POST`")]
    Method(String),
    /// An empty list of methods grants nothing.
    #[error("the list of methods is empty: name one, or leave the list out for GET and HEAD")]
    NoMethod,
    /// Not a header's name.
    #[error("`{0}` is not the name of a header: write it as `authorization`")]
    Header(String),
    /// A header that the host alone sets.
    #[error("the header `{0}` is the host's own and cannot be granted")]
    OwnHeader(HeaderName),
    /// A word after the methods that has no meaning.
    #[error("`{word}` is not an option of a rule: {suggestion}")]
    Word {
        /// The word.
        word: String,
        /// What may have been meant.
        suggestion: String,
    },
}

impl NetworkRule {
    /// The rule of a flag: a URL, then methods (without them GET and HEAD), then any of `govern`,
    /// `allow-private` and `header=NAME`.
    ///
    /// ```
    /// # use thoth_grants::NetworkRule;
    /// let rule = NetworkRule::from_flag("https://api.example.com/v1/* GET,POST govern")?;
    /// assert_eq!(rule.to_string(), "GET,POST https://api.example.com:443/v1/*  governed");
    /// # Ok::<(), thoth_grants::BadRule>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BadRule`] says which word is wrong, and shows a right one.
    pub fn from_flag(text: &str) -> Result<Self, BadRule> {
        if text.len() > RULE_MAX {
            return Err(BadRule::TooLong);
        }
        let mut words = text.split_ascii_whitespace().peekable();
        let url = words.next().ok_or(BadRule::Empty)?;
        let is_methods = |word: &&str| word.starts_with(|first: char| first.is_ascii_uppercase());
        let methods = match words.next_if(is_methods) {
            Some(list) => list.split(',').map(method).collect::<Result<_, _>>()?,
            None => DEFAULT_METHODS.to_vec(),
        };
        let mut headers = Vec::new();
        let (mut allow_private, mut govern) = (false, false);
        for word in words {
            match (word, word.strip_prefix("header=")) {
                ("govern", _) => govern = true,
                ("allow-private", _) => allow_private = true,
                (_, Some(name)) => headers.push(header_name(name)?),
                _ => {
                    return Err(BadRule::Word {
                        word: shown(word),
                        suggestion: suggestion(word, &["govern", "allow-private", "header=NAME"]),
                    });
                }
            }
        }
        Self::new(url, methods, headers, allow_private, govern)
    }

    /// A rule for the URLs of this pattern: a URL whose host may begin with `*.` and whose path may
    /// end with `/*`.
    pub(crate) fn new(
        url: &str,
        methods: Vec<Method>,
        headers: Vec<HeaderName>,
        allow_private: bool,
        govern: bool,
    ) -> Result<Self, BadRule> {
        if methods.is_empty() {
            return Err(BadRule::NoMethod);
        }
        let (scheme, host, port, path) = pattern(url)?;
        if scheme == Scheme::Http && !allow_private {
            return Err(BadRule::PlainHttp(shown(url)));
        }
        let mut rule = Self {
            scheme,
            host,
            port,
            path,
            methods: Vec::new(),
            headers,
            allow_private,
            govern,
        };
        for method in methods {
            if !rule.methods.contains(&method) {
                rule.methods.push(method);
            }
        }
        Ok(rule)
    }
}

impl FromStr for NetworkRule {
    type Err = BadRule;

    /// As [`NetworkRule::from_flag`].
    fn from_str(text: &str) -> Result<Self, BadRule> {
        Self::from_flag(text)
    }
}

fn pattern(url: &str) -> Result<(Scheme, HostPattern, u16, PathPattern), BadRule> {
    if url.len() > RULE_MAX {
        return Err(BadRule::TooLong);
    }
    if url.contains(['?', '#']) {
        return Err(BadRule::Query(shown(url)));
    }
    let bad_url = |problem| BadRule::Url {
        text: shown(url),
        problem,
    };
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('*') => (scheme, rest),
        _ => return Err(bad_url(BadTarget::Scheme)),
    };
    let (below_host, rest) = match rest.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    // The slash stays: `/v1/*` is for `/v1/` and what follows it.
    let (below_path, rest) = match rest.strip_suffix("/*") {
        Some(_) => (true, rest.strip_suffix('*').unwrap_or(rest)),
        None => (false, rest),
    };
    if rest.contains('*') {
        return Err(BadRule::Wildcard(shown(url)));
    }
    if !rest.contains('/') {
        return Err(BadRule::NoPath(shown(url)));
    }
    let plain = format!("{scheme}://{rest}");
    if !plain.is_ascii() {
        let ascii = url::Url::parse(&plain)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_else(|| "xn--….example".into());
        return Err(BadRule::NotAscii {
            text: shown(url),
            ascii,
        });
    }
    let uri: Uri = plain.parse().map_err(|source| BadRule::NotAUrl {
        text: shown(url),
        source,
    })?;
    // The same parser as for requests, so that a rule and a request mean the same by the same text.
    let target = Target::parse(&Method::GET, &uri).map_err(bad_url)?;
    let host = match (target.host, below_host) {
        (Host::Name(name), false) => HostPattern::Name(name),
        (Host::Name(name), true) if name.contains('.') => HostPattern::Below(name),
        (Host::Address(address), false) => HostPattern::Address(address),
        (Host::Name(_) | Host::Address(_), true) => return Err(BadRule::TooWide(shown(url))),
    };
    let path = if below_path {
        PathPattern::Below(target.path)
    } else {
        PathPattern::Exact(target.path)
    };
    Ok((target.scheme, host, target.port, path))
}

/// A method's name, in upper case as it is sent.
pub(crate) fn method(word: &str) -> Result<Method, BadRule> {
    let bad = || BadRule::Method(shown(word));
    if !(1..=32).contains(&word.len())
        || !word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
    {
        return Err(bad());
    }
    match Method::from_str(word).map_err(|_| bad())? {
        Method::CONNECT | Method::TRACE => Err(bad()),
        method => Ok(method),
    }
}

/// The name of a header that can be granted.
pub(crate) fn header_name(word: &str) -> Result<HeaderName, BadRule> {
    let name = HeaderName::from_str(word).map_err(|_| BadRule::Header(shown(word)))?;
    if NEVER_GRANTED.contains(&name) {
        return Err(BadRule::OwnHeader(name));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_in_front_of_a_narrower_one_hides_it() {
        let rule = |flag| NetworkRule::from_flag(flag).expect(flag);
        for (first, second, hidden) in [
            ("https://a.b/*", "https://a.b/*", true),
            ("https://a.b/*", "https://a.b/pay/* govern", true),
            ("https://a.b/*", "https://a.b/x", true),
            ("https://*.b.c/*", "https://a.b.c/*", true),
            ("https://*.b.c/*", "https://*.a.b.c/*", true),
            ("https://*.b.c/*", "https://b.c/*", false),
            ("https://*.a.b.c/*", "https://*.b.c/*", false),
            ("https://b.c/*", "https://*.b.c/*", false),
            ("https://a.b/x", "https://a.b/*", false),
            ("https://a.b/pay/*", "https://a.b/*", false),
            ("https://a.b/* GET", "https://a.b/* POST", false),
            ("https://a.b:444/*", "https://a.b/*", false),
        ] {
            assert_eq!(
                rule(first).shadows(&rule(second)),
                hidden,
                "{first}, {second}"
            );
        }
    }
}
