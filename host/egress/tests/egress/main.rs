//! What leaves and what does not: against raw servers and a listener that must hear nothing, on
//! loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod answers;
mod bed;
mod budgets;
mod record;
mod refused;
mod secrets;
mod tls;
