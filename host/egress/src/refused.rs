//! Why a request has no answer.

use thiserror::Error;
use thoth_transport::{Failed, Fault, Stage};

/// A request that was not let out, or that came back without a whole answer.
///
/// The message is for the operator: it names hosts and addresses, and never holds a header's value, a
/// query, a body or a secret. A guest is told the kind at most.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Refused {
    /// What stood in the way.
    pub kind: Kind,
    /// The same in words, on one line.
    pub message: String,
}

/// What stood in the way of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The URL or the method is none that is ever sent.
    BadTarget,
    /// No rule grants the destination.
    NotGranted,
    /// A header that a tool may not set, too many of them, or a `content-length` that lies.
    Header,
    /// A placeholder that may not be filled in here, or a secret that cannot be read.
    Secret,
    /// The call has used up what it may.
    Budget(Budget),
    /// Whoever decides about effects said no.
    Withheld,
    /// The host has an address that it may not have.
    Address,
    /// Nobody was reached.
    Unreachable(Unreachable),
    /// The deadline passed.
    Timeout,
    /// The server did not prove its name, or broke TLS.
    Tls,
    /// What came back is not one complete HTTP response.
    Protocol,
    /// The head of the request or of the response is over its limit.
    TooLarge,
}

/// The budget that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    /// [`Budgets::requests`](crate::Budgets::requests).
    Requests,
    /// [`Budgets::request_bytes`](crate::Budgets::request_bytes).
    RequestBytes,
    /// [`Budgets::response_bytes`](crate::Budgets::response_bytes).
    ResponseBytes,
    /// 1024 attempts wait to be taken for the log; nothing leaves unrecorded.
    Records,
}

/// Where the way to a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unreachable {
    /// The name has no address.
    Resolve,
    /// The name was not resolved in time.
    ResolveTimeout,
    /// No address took a connection.
    Connect,
    /// No address took a connection in time.
    ConnectTimeout,
    /// It closed the connection before it answered.
    Closed,
}

impl Refused {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Self {
        let kind = match (&failed.fault, failed.stage) {
            (Fault::NotAllowed(_), Stage::Resolve) => Kind::Address,
            (Fault::NotAllowed(_), Stage::Check | Stage::Connect | Stage::Exchange) => {
                Kind::BadTarget
            }
            (Fault::Unreachable(..), Stage::Resolve) => Kind::Unreachable(Unreachable::Resolve),
            (Fault::Unreachable(..), Stage::Connect) => Kind::Unreachable(Unreachable::Connect),
            (Fault::Unreachable(..), Stage::Check | Stage::Exchange) => {
                Kind::Unreachable(Unreachable::Closed)
            }
            (Fault::Timeout, Stage::Resolve) => Kind::Unreachable(Unreachable::ResolveTimeout),
            (Fault::Timeout, Stage::Connect) => Kind::Unreachable(Unreachable::ConnectTimeout),
            (Fault::Timeout, Stage::Check | Stage::Exchange) => Kind::Timeout,
            (Fault::Tls(_), _) => Kind::Tls,
            (Fault::Protocol(_), _) => Kind::Protocol,
            (Fault::TooLarge("the response's body"), _) => Kind::Budget(Budget::ResponseBytes),
            (Fault::TooLarge(_), _) => Kind::TooLarge,
        };
        let message = match kind {
            Kind::Budget(_) => "the response is larger than what the call may still receive".into(),
            _ => failed.to_string(),
        };
        Self { kind, message }
    }
}
