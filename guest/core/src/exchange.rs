//! One HTTP exchange with the policy service, as plain data.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The longest answer that is read, in bytes. A longer one is refused, never cut.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The longest request body that is sent, in bytes.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// The methods that the wire contract uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks what became of a hold.
    Get,
    /// Asks for a decision, or delivers events.
    Post,
}

/// A request to the policy service.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// Whether it goes over TLS.
    pub secure: bool,
    /// Host, and port where one is given.
    pub authority: String,
    /// Path, starting with `/`.
    pub path: String,
    /// Header fields, in order. Some are secret.
    pub headers: Vec<(&'static str, String)>,
    /// The body, where there is one.
    pub body: Option<String>,
}

impl fmt::Debug for Request {
    /// Leaves out the values of header fields, which are secret, and the body, which may be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("secure", &self.secure)
            .field("authority", &self.authority)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// A complete answer: status, all header fields as received, the whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields; a name can come more than once.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, at most [`MAX_ANSWER_BYTES`] of it.
    pub body: Vec<u8>,
}

impl Response {
    /// Every value of a header field, whatever the case of its name.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }
}

/// Why there was no complete answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Refused, reset, no address, gone before the end.
    Unreachable,
    /// The deadline passed first.
    Timeout,
    /// The connection could not be secured.
    Tls,
    /// What came was not HTTP, or the request could not be sent as HTTP.
    Protocol,
    /// The answer was over a size limit.
    TooLarge,
}

/// An exchange that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of failure.
    pub kind: FaultKind,
    /// The same in words, for a human.
    pub detail: String,
}
