//! Any loop: tools told to models in each API's words, and their calls made governed ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "loops/answered.rs"]
mod answered;
#[path = "loops/told.rs"]
mod told;
