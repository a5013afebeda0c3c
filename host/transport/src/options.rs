//! The limits of a client, and why one cannot be made.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Limits and trust of a [`Client`](crate::Client). The defaults suit an enforcer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// A PEM file with authorities to trust besides the public web's, for private enforcers.
    pub ca_file: Option<PathBuf>,
    /// Most bytes of a response's status line and headers, and of a request's headers (64 KiB).
    pub max_head: usize,
    /// Most header lines of a response (64).
    pub max_headers: usize,
    /// Most bytes of a request's body (1 MiB).
    pub max_request: usize,
    /// Most bytes of a response's body (1 MiB).
    pub max_response: usize,
    /// How long an unused connection may still be taken for another request (30 s).
    pub idle: Duration,
    /// Most unused connections kept (128). To never open more connections than there are calls in
    /// flight, let it be at least the peak number of these.
    pub max_idle: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca_file: None,
            max_head: 64 * 1024,
            max_headers: 64,
            max_request: 1024 * 1024,
            max_response: 1024 * 1024,
            idle: Duration::from_secs(30),
            max_idle: 128,
        }
    }
}

/// Why a [`Client`](crate::Client) cannot be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The CA file cannot be read.
    #[error("cannot read the CA file `{path}`; check the path and its permissions")]
    CaFile {
        /// The file, as given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The CA file has no certificate, or something that is none.
    #[error("the CA file `{path}` is not usable: {problem}; give PEM certificates of authorities")]
    CaContent {
        /// The file, as given.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The TLS library refuses its configuration.
    #[error("cannot set up tls")]
    Tls(#[from] rustls::Error),
}
