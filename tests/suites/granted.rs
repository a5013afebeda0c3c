//! What an operator grants and limits, in `thoth.toml`, by flags and by a wassette policy: it holds, it
//! is shown, and what is written wrongly is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "granted/config.rs"]
mod config;
#[path = "granted/inspected.rs"]
mod inspected;
#[path = "granted/limited.rs"]
mod limited;
#[path = "granted/refused.rs"]
mod refused;
#[path = "granted/wassette.rs"]
mod wassette;
