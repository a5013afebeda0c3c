//! The first minute: what `thoth init` writes works, and `thoth doctor` says what does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "first_minute/begun.rs"]
mod begun;
#[path = "first_minute/checked.rs"]
mod checked;
