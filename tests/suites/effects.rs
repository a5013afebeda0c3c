//! What a running tool reaches for is granted, decided about and recorded: nothing leaves that is not
//! allowed, and the log tells of each request under its call, whatever became of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "effects/approvals.rs"]
mod approvals;
#[path = "effects/broken_off.rs"]
mod broken_off;
#[path = "effects/courier.rs"]
mod courier;
#[path = "effects/decided.rs"]
mod decided;
#[path = "effects/fields.rs"]
mod fields;
#[path = "effects/refused.rs"]
mod refused;
#[path = "effects/scene.rs"]
mod scene;
