//! The client against servers that misbehave, each at one place: raw TCP on loopback, port 0.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod environment;
mod faults;
mod limits;
mod oneshot;
mod random;
mod reuse;
mod server;
mod tls;
