//! The governor's behaviour, through its public interface, with everything outside it scripted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod arguments;
mod config;
mod emit;
mod fail_closed;
mod gate;
mod grounds;
mod json;
mod last_poll;
mod no_other_allow;
mod odd_answers;
mod resume;
mod support;
mod verdicts;
mod wire;
