//! The one way by which policy calls leave the process: pooled, bounded HTTP/1.1 to a single origin.
//!
//! A [`Client`] knows one [`Origin`] and sends nothing anywhere else. It follows no redirect, reads
//! no environment variable (no proxy, no certificate store override), speaks HTTP/1.1 only, and
//! holds every exchange to one deadline and fixed size limits. Whatever goes wrong is a [`Fault`];
//! there is no partial answer.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use thoth_transport::{Client, Options, Origin};
//! use tokio::time::Instant;
//!
//! let origin = Origin::parse("https://enforce.acme.example")?;
//! let client = Client::new(origin, Options::default())?;
//! let request = http::Request::post("/v1/enforce").body(r#"{"tool_name":"search"}"#.into())?;
//! let response = client.send(request, Instant::now() + Duration::from_secs(5)).await?;
//! println!("{}", response.status());
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod client;
mod connection;
mod dial;
mod fault;
mod options;
mod origin;
mod outgoing;
mod pool;
mod secret;
mod stream;
mod tls;

pub use client::Client;
pub use fault::Fault;
pub use options::{ClientError, Options};
pub use origin::{Origin, OriginError};
pub use secret::{Secret, SecretError};
