//! What is told to the log about each request of a call.

use std::time::Duration;

use http::StatusCode;

use crate::{Described, Refused};

/// One request of a call, allowed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number in the call, from 1.
    pub number: u32,
    /// The method and the URL without its query; the method alone where the URL is refused.
    pub target: String,
    /// What an enforcer is told; only once there is a body to describe.
    pub described: Option<Described>,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes of the request that may have been sent: target, headers and body.
    pub request_bytes: u64,
    /// Bytes of the response's body as received; 0 where there was no whole response.
    pub response_bytes: u64,
    /// Whether a secret was found in the response, and masked.
    pub masked: bool,
    /// How long sending took, waiting for its turn included; zero if it was not sent.
    pub duration: Duration,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With a response.
    Answered(StatusCode),
    /// Without one.
    Refused(Refused),
    /// It was given up, by the tool or with its call. If it was being sent, the server may have got
    /// it.
    Abandoned,
}

/// The attempts since they were last taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// In the order in which they ended; at most 1024.
    pub ended: Vec<Attempt>,
    /// How many more were refused because the call had used up its requests. Nothing of them left.
    pub omitted: u64,
}
