//! Why an exchange gave no answer.

use thiserror::Error;

use crate::Stage;

/// Why a [`Client`](crate::Client) or a [`OneShot`](crate::OneShot) has no response to give.
///
/// Texts never hold header values, bodies, paths or queries of either side, so they can be logged.
/// Every variant means that there is no answer, not even a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// No byte of a response was heard: no address, no connection, or closed before it answered.
    ///
    /// Running out of time before there is a TCP connection is this too: nothing was reached. With how
    /// far it got.
    #[error("cannot reach the server: {1}")]
    Unreachable(Stage, String),
    /// The deadline passed after the TCP connection stood: in the TLS handshake, while sending, or
    /// before the response was complete.
    #[error("no complete answer within the time limit")]
    Timeout,
    /// The server did not prove who it is, or broke the TLS protocol.
    #[error("tls failed: {0}")]
    Tls(String),
    /// What was heard is not one complete HTTP/1.1 response.
    #[error("broken http response: {0}")]
    Protocol(String),
    /// The named part is larger than its limit.
    #[error("{0} is over its size limit")]
    TooLarge(&'static str),
    /// The request is not for this client's origin, or its host has an address that may not be
    /// reached; nothing was sent.
    #[error("request not allowed: {0}")]
    NotAllowed(String),
}
