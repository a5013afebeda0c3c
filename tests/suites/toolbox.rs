//! A toolbox cannot change behind its operator's back: what was locked runs, and nothing else does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "toolbox/adder.rs"]
mod adder;
#[path = "toolbox/locked.rs"]
mod locked;
#[path = "toolbox/refused.rs"]
mod refused;
#[path = "toolbox/watched.rs"]
mod watched;
