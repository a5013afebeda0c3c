//! What a governor is told by its environment: where the policy service is, how to get in, how long
//! to wait.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use crate::duration::{DurationError, parse_duration};
use crate::request::RequestError;
use crate::types::UnknownMode;

/// How long a question may take where nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest that a question may take.
pub const MAX_TIMEOUT: Duration = Duration::from_mins(10);

/// A value that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself, to be sent and for nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The base URL of the policy service, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether it is `https`.
    pub secure: bool,
    /// Host, and port where one is given.
    pub authority: String,
    /// Path before `/v1/…`: empty, or with a leading and without a trailing slash.
    pub prefix: String,
}

/// A governor's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the policy service is.
    pub origin: Origin,
    /// The API key, where the governor is the one that sends it.
    pub api_key: Option<Secret>,
    /// The token for delivering events, where one is needed.
    pub ingest_token: Option<Secret>,
    /// How long one question may take, from connecting to the last byte of the answer.
    pub timeout: Duration,
}

/// A configuration that cannot be used. A governor with one blocks every call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No address.
    #[error("the policy service's address is missing: set THOTH_API_URL")]
    MissingUrl,
    /// An address that is not one. It is not repeated, since it may hold a password.
    #[error(
        "THOTH_API_URL is not usable, {0}: give http:// or https://, a host, and perhaps a port and a path"
    )]
    Url(&'static str),
    /// A secret that cannot be a header field's value. It is not repeated.
    #[error(
        "{0} holds blanks or characters beyond visible ASCII: set it again, without line breaks"
    )]
    Secret(&'static str),
    /// A time-out that is not a duration.
    #[error("THOTH_TIMEOUT: {0}")]
    Timeout(#[from] DurationError),
    /// A time-out out of range.
    #[error("THOTH_TIMEOUT is `{0}`: give more than 0s and at most 10m")]
    TimeoutRange(String),
    /// Somebody expects calls to run while the policy service is away.
    #[error(
        "THOTH_FAIL_OPEN is set, but there is no fail-open here: a call that was not decided on does not run; unset it"
    )]
    FailOpen,
    /// Plain http to another machine.
    #[error(
        "THOTH_API_URL is plain http, which goes to a loopback address or `localhost` only: use https"
    )]
    PlainHttp,
    /// A mode that is none.
    #[error("THOTH_ENFORCEMENT_MODE: {0}")]
    Mode(#[from] UnknownMode),
    /// A variable that must hold a JSON object, and does not.
    #[error("{0}")]
    Object(RequestError),
    /// A word for what events tell that is none.
    #[error("THOTH_CAPTURE is neither `minimal` nor `full`")]
    Capture,
    /// A wait for a human that is not a duration.
    #[error("THOTH_STEP_UP_WAIT: {0}")]
    StepUpWait(DurationError),
    /// A wait for a human that is too long.
    #[error("THOTH_STEP_UP_WAIT is `{0}`: give at most 1h")]
    StepUpWaitRange(String),
    /// A wait for a request's body that is not a duration.
    #[error("THOTH_BODY_TIMEOUT: {0}")]
    BodyTimeout(DurationError),
    /// A wait for a request's body out of range.
    #[error("THOTH_BODY_TIMEOUT is `{0}`: give more than 0s and at most 10m")]
    BodyTimeoutRange(String),
    /// A switch that is neither on nor off.
    #[error("{0} is neither yes nor no: write 1 or 0")]
    Flag(&'static str),
}

impl Config {
    /// Reads `THOTH_API_URL`, `THOTH_API_KEY`, `THOTH_EVENT_INGEST_TOKEN` and `THOTH_TIMEOUT` from a
    /// list of variables, and leaves the others alone. Blanks around a value do not count, and an
    /// empty value is none.
    ///
    /// # Errors
    /// A variable that is missing or unusable, or `THOTH_FAIL_OPEN` set to yes.
    pub fn from_vars(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let (mut url, mut api_key, mut ingest_token) = (None, None, None);
        let mut timeout = DEFAULT_TIMEOUT;
        for (name, value) in vars {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            match name.as_str() {
                "THOTH_API_URL" => url = Some(Origin::parse(value)?),
                "THOTH_API_KEY" => api_key = Some(secret("THOTH_API_KEY", value)?),
                "THOTH_EVENT_INGEST_TOKEN" => {
                    ingest_token = Some(secret("THOTH_EVENT_INGEST_TOKEN", value)?);
                }
                "THOTH_TIMEOUT" => timeout = checked_timeout(value)?,
                "THOTH_FAIL_OPEN" if !says_no(value) => return Err(ConfigError::FailOpen),
                _ => {}
            }
        }
        Ok(Self {
            origin: url.ok_or(ConfigError::MissingUrl)?,
            api_key,
            ingest_token,
            timeout,
        })
    }
}

fn checked_timeout(value: &str) -> Result<Duration, ConfigError> {
    let timeout = parse_duration(value)?;
    if timeout.is_zero() || timeout > MAX_TIMEOUT {
        return Err(ConfigError::TimeoutRange(value.to_string()));
    }
    Ok(timeout)
}

/// Only a clear no is a no: whoever sets the switch to anything else expects it to do something.
fn says_no(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "0" | "f" | "false" | "n" | "no" | "off"
    )
}

fn secret(name: &'static str, value: &str) -> Result<Secret, ConfigError> {
    if value.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(Secret(value.to_owned()))
    } else {
        Err(ConfigError::Secret(name))
    }
}

impl Origin {
    /// Takes a base URL apart. Trailing slashes do not count.
    ///
    /// # Errors
    /// Another scheme than `http` and `https`, no host, a user or password, a query or fragment, or
    /// a character that has no place in a URL.
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        let url = url.trim();
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::Url(
                "it holds a character beyond visible ASCII",
            ));
        }
        if url.contains(['?', '#', '\\', '"', '<', '>', '`', '{', '}', '|', '^']) {
            return Err(ConfigError::Url(
                "it holds a query, a fragment or a stray character",
            ));
        }
        let (scheme, rest) = url
            .split_once(':')
            .and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("//")?)))
            .ok_or(ConfigError::Url("it has no scheme"))?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(ConfigError::Url("its scheme is neither http nor https")),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let prefix = rest.strip_prefix(authority).unwrap_or_default();
        if authority.contains('@') {
            return Err(ConfigError::Url("it holds a user or a password"));
        }
        check_authority(authority)?;
        Ok(Self {
            secure,
            authority: authority.to_ascii_lowercase(),
            prefix: prefix.trim_end_matches('/').to_owned(),
        })
    }
}

impl Origin {
    /// Whether it is this machine by its very name: a literal loopback address or `localhost`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.authority.strip_prefix('[') {
            Some(literal) => literal
                .split(']')
                .next()
                .and_then(|address| address.parse::<Ipv6Addr>().ok())
                .is_some_and(|address| address.is_loopback()),
            None => {
                let host = self.authority.split(':').next().unwrap_or_default();
                host == "localhost"
                    || host
                        .parse::<Ipv4Addr>()
                        .is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

fn check_authority(authority: &str) -> Result<(), ConfigError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (address, port) = literal
                .split_once(']')
                .ok_or(ConfigError::Url("its IPv6 address has no end"))?;
            if !address.contains(':')
                || !address
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || byte == b':' || byte == b'.')
            {
                return Err(ConfigError::Url("its IPv6 address is not one"));
            }
            match port.strip_prefix(':') {
                None if !port.is_empty() => {
                    return Err(ConfigError::Url("something follows its IPv6 address"));
                }
                port => ("ipv6", port),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let host_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || !host.bytes().all(host_byte) {
        return Err(ConfigError::Url("its host is not a name or an address"));
    }
    match port {
        Some(port)
            if !port.bytes().all(|byte| byte.is_ascii_digit())
                || port.parse::<u16>().is_err()
                || port == "0" =>
        {
            Err(ConfigError::Url("its port is not a number from 1 to 65535"))
        }
        _ => Ok(()),
    }
}
