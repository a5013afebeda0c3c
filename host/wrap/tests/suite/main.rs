//! Components that are wrapped, in a host that knows nothing of us but WASI 0.2.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod differential;
mod errors;
mod from_wit;
mod plain_host;
mod reached;
mod rebuilt;
mod reentrant;
mod refused;
mod services;
mod structure;
mod verdicts;
mod whole;
