//! Any loop: tools told to models in each API's words, and their calls made governed ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "loops/answered.rs"]
mod answered;
#[allow(dead_code, reason = "its `main` is the example's")]
#[path = "../../host/examples/anthropic_loop.rs"]
mod anthropic_loop;
#[path = "loops/examples.rs"]
mod examples;
#[allow(dead_code, reason = "its `main` is the example's")]
#[path = "../../host/examples/openai_loop.rs"]
mod openai_loop;
#[path = "loops/told.rs"]
mod told;
