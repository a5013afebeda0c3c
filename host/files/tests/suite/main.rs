//! What a guest can do to files, and what not: each row by a real component.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod bounded;
mod contained;
mod governed;
mod ordinary;
mod read_only;
mod stage;
