//! The one place that requests may go to, parsed strictly.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::ServerName;
use thiserror::Error;
use url::{Host, Url};

/// Longest URL accepted.
const MAX_URL: usize = 2048;

/// A scheme, host, port and base path: `https://enforce.acme.example[:port][/base]`.
///
/// https goes anywhere; plain http only to a literal loopback address or `localhost`. URLs that two
/// programs could read differently (credentials, backslashes, numbers as addresses, dot segments,
/// escapes) are refused rather than repaired. `Display` gives the normalised URL; it holds no
/// secret, since no part that could carry one is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    tls: bool,
    host: Host<String>,
    bare_host: String,
    port: u16,
    authority: String,
    base_path: String,
}

/// Why a text is no [`Origin`]. Credentials in the text are never shown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OriginError {
    /// Neither `https://` nor `http://` at its start.
    #[error("the URL must start with `https://` (or `http://` for a loopback address)")]
    Scheme,
    /// Over 2048 bytes.
    #[error("the URL is longer than {MAX_URL} bytes; shorten it")]
    TooLong,
    /// A byte that no plain URL has.
    #[error(
        "the URL has a space, a backslash, a control or a non-ASCII character; remove it, and write \
         an international name in its `xn--` form"
    )]
    Character,
    /// A user name or password.
    #[error("the URL must not hold a user name or password; give the api key by its own setting")]
    UserInfo,
    /// A `?` or a `#`.
    #[error("the URL must not have a query or a fragment; remove what follows `?` or `#`")]
    QueryOrFragment,
    /// An IPv6 zone, such as `%eth0`.
    #[error("the URL must not have an IPv6 zone or an escape in its host; remove what follows `%`")]
    ZoneId,
    /// No host, or one that is no name and no address.
    #[error("`{0}` is not a host name or an IP address; write the URL as `https://host`")]
    Host(String),
    /// A host that means another one.
    #[error("the host `{written}` is another way to write `{meaning}`; write that")]
    HostForm {
        /// As given.
        written: String,
        /// As it would be used.
        meaning: String,
    },
    /// Not a number from 1 to 65535.
    #[error("`{0}` is not a port; give a number from 1 to 65535 after the `:`, or leave both out")]
    Port(String),
    /// Plain http beyond this machine.
    #[error(
        "plain http goes to a loopback address or `localhost` only, and `{0}` is neither; use \
         `https://{0}`"
    )]
    PlainHttp(String),
    /// Dot segments, empty segments, escapes or odd characters.
    #[error(
        "the path of the URL may have letters, digits and `-._~` between single slashes, and no `.` \
         or `..` part; change it"
    )]
    Path,
}

impl Origin {
    /// Reads an origin from a URL.
    ///
    /// # Errors
    ///
    /// [`OriginError`] says what is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if text.len() > MAX_URL {
            return Err(OriginError::TooLong);
        }
        // A URL parser strips tabs and line breaks and turns `\` into `/`: other programs do not.
        if !text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        {
            return Err(OriginError::Character);
        }
        let (scheme, rest) = text.split_once("://").ok_or(OriginError::Scheme)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(OriginError::Scheme),
        };
        // Before the other checks, so that no message can show what stands before the `@`.
        if rest
            .split(['/', '?', '#'])
            .next()
            .is_some_and(|authority| authority.contains('@'))
        {
            return Err(OriginError::UserInfo);
        }
        if rest.contains(['?', '#']) {
            return Err(OriginError::QueryOrFragment);
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let (written, port) = split_port(authority)?;
        let host = parse_host(written, tls)?;
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        let is_default_port = port == if tls { 443 } else { 80 };
        let bare_host = match &host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Ok(Self {
            tls,
            authority: if is_default_port {
                host.to_string()
            } else {
                format!("{host}:{port}")
            },
            host,
            bare_host,
            port,
            base_path: parse_base_path(path)?,
        })
    }

    /// Host and port as in a `Host` header: the port only where it is not the scheme's own.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host in lower case; an IPv6 address stands without brackets.
    pub fn host(&self) -> &str {
        &self.bare_host
    }

    /// The port, the scheme's own (443, 80) where none was written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path that every request must be under: empty, or with a leading and no trailing slash.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    /// Whether the connection is encrypted and the server must prove its name.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The address, where the host is one and needs no resolving.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// Whether the host is the name that must mean this machine.
    pub(crate) fn is_localhost(&self) -> bool {
        self.bare_host == LOCALHOST
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.base_path)
    }
}

const LOCALHOST: &str = "localhost";

/// Splits `host[:port]`, where the host may be an IPv6 address in brackets.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), OriginError> {
    if authority.contains('%') {
        return Err(OriginError::ZoneId);
    }
    // The colons of an IPv6 address are none of ours.
    let after_address = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let (address, rest) = authority.split_at(after_address);
    let Some((name, port)) = rest.split_once(':') else {
        return Ok((authority, None));
    };
    let host = authority
        .get(..address.len() + name.len())
        .unwrap_or_default();
    let is_plain = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(number) if is_plain => Ok((host, Some(number))),
        _ => Err(OriginError::Port(port.to_owned())),
    }
}

fn parse_host(written: &str, tls: bool) -> Result<Host<String>, OriginError> {
    let bad = || OriginError::Host(written.to_owned());
    // The parser of the URL standard, for its reading of addresses: what it would change is refused.
    let url = Url::parse(&format!("https://{written}/")).map_err(|_| bad())?;
    let host = url.host().ok_or_else(bad)?.to_owned();
    let meaning = host.to_string();
    if written.to_ascii_lowercase() != meaning {
        return Err(OriginError::HostForm {
            written: written.to_owned(),
            meaning,
        });
    }
    if let Some(name) = meaning.strip_suffix('.') {
        return Err(OriginError::HostForm {
            written: written.to_owned(),
            meaning: name.to_owned(),
        });
    }
    let is_loopback = match &host {
        Host::Domain(name) => {
            // The check that TLS makes later; here, so that a client never fails by its name.
            ServerName::try_from(name.as_str()).map_err(|_| bad())?;
            name == LOCALHOST
        }
        Host::Ipv4(address) => address.is_loopback(),
        // Not a mapped IPv4 address: the kernel would connect by IPv4, and checks would differ.
        Host::Ipv6(address) => address.is_loopback(),
    };
    if tls || is_loopback {
        Ok(host)
    } else {
        Err(OriginError::PlainHttp(meaning))
    }
}

/// Trailing slashes are dropped; all else must be plain, so that "under it" has one meaning.
fn parse_base_path(path: &str) -> Result<String, OriginError> {
    let path = path.trim_end_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let fits = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
    if path.is_empty() || path.split('/').skip(1).all(fits) {
        Ok(path.to_owned())
    } else {
        Err(OriginError::Path)
    }
}

#[cfg(test)]
mod tests;
