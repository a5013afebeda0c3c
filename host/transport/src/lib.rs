//! The ways by which HTTP leaves the process: bounded HTTP/1.1, pooled to a single origin for policy
//! calls, and one exchange at a time for what a tool asks for.
//!
//! A [`Client`] knows one [`Origin`] and sends nothing anywhere else. A [`OneShot`] goes to the
//! [`Destination`] that it is given, by a connection that nothing else uses, and only if every
//! address of the host is one that may be reached. Neither follows a redirect or reads an environment
//! variable (no proxy, no certificate store override); both speak HTTP/1.1 only and hold every
//! exchange to one deadline and to size limits. Whatever goes wrong is a [`Fault`]; there is no
//! partial answer.
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

mod address;
mod allowance;
mod client;
mod connection;
mod dial;
mod fault;
mod oneshot;
mod options;
mod origin;
mod outgoing;
mod pool;
mod resolve;
mod secret;
mod stream;
mod tls;

pub use address::special_use;
pub use allowance::Allowance;
pub use client::Client;
pub use fault::Fault;
pub use oneshot::{Destination, Failed, Host, OneShot, Reach, Stage};
pub use options::{ClientError, Options};
pub use origin::{Origin, OriginError};
pub use resolve::Lookup;
pub use secret::{Secret, SecretError};
