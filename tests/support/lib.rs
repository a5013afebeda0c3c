//! Test support: the sample tools as components, a policy service that misbehaves on purpose, and a
//! runner for the `thoth` command.
//!
//! Nothing here depends on the host: the suites meet it as a user does, by its command line and on
//! the wire.
// A test fails by panicking, and so does what supports it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod browser;
pub mod client;
pub mod corpus;
pub mod failing_sync;
pub mod faultd;
pub mod flags;
#[cfg(unix)]
pub mod hosts;
pub mod mcp;
pub mod python;
pub mod table;
pub mod thoth;
pub mod toolchains;
pub mod tools;
pub mod web;

pub use browser::Browser;
pub use corpus::hostile;
pub use faultd::{Answer, Faultd, Listener, Refused, Reply, Site, Step};
pub use mcp::Mcp;
pub use thoth::{Run, Thoth};
pub use toolchains::{Language, fetcher, is_here};
pub use tools::tool;
pub use web::Web;
