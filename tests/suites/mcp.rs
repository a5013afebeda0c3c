//! `thoth serve`: governed tools as an agent host meets them, by the bytes on the wire.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "mcp/approvals.rs"]
mod approvals;
#[path = "mcp/bounded.rs"]
mod bounded;
#[path = "mcp/frames.rs"]
mod frames;
#[path = "mcp/given_up.rs"]
mod given_up;
#[path = "mcp/http.rs"]
mod http;
#[path = "mcp/languages.rs"]
mod languages;
#[path = "mcp/lifetime.rs"]
mod lifetime;
#[path = "mcp/outcomes.rs"]
mod outcomes;
#[path = "mcp/page.rs"]
mod page;
#[path = "mcp/scene.rs"]
mod scene;
#[path = "mcp/sessions.rs"]
mod sessions;
