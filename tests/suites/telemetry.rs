//! What a collector sees of governed calls, and that nobody waits for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "telemetry/carried.rs"]
mod carried;
#[path = "telemetry/collector.rs"]
mod collector;
#[path = "telemetry/faults.rs"]
mod faults;
#[path = "telemetry/logs.rs"]
mod logs;
#[path = "telemetry/spans.rs"]
mod spans;
