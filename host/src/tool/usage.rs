//! What one tool call used, and what it said.

use std::time::Duration;

use serde_json::{Value, json};

/// What one call of a tool used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Fuel: about one unit for each WebAssembly instruction.
    pub fuel: u64,
    /// Linear memory at its peak, in bytes, summed over all memories.
    pub memory_peak: u64,
    /// Time on the clock, waiting for approvals of effects included.
    pub wall: Duration,
    /// Outgoing requests of a tool that is granted network, refused ones included.
    pub requests: u32,
    /// Bytes of outgoing requests.
    pub request_bytes: u64,
    /// Bytes of responses' bodies.
    pub response_bytes: u64,
    /// Files that it opened.
    pub files_opened: u64,
    /// Bytes that it read from files.
    pub read_bytes: u64,
    /// Bytes that it wrote to files.
    pub write_bytes: u64,
    /// Bytes that it wrote to its standard output and error.
    pub output_bytes: u64,
}

impl Usage {
    /// As it stands in `--json` and in the POST event.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "fuel": self.fuel,
            "memory_peak_bytes": self.memory_peak,
            "wall_us": u64::try_from(self.wall.as_micros()).unwrap_or(u64::MAX),
            "requests": self.requests,
            "request_bytes": self.request_bytes,
            "response_bytes": self.response_bytes,
            "files_opened": self.files_opened,
            "read_bytes": self.read_bytes,
            "write_bytes": self.write_bytes,
            "output_bytes": self.output_bytes,
        })
    }
}

/// What is known of a call besides its result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traces {
    /// What it used.
    pub usage: Usage,
    /// The beginning of what it wrote to its standard output, inert, with a mark where it was cut.
    pub stdout: String,
    /// The same of its standard error.
    pub stderr: String,
    /// Whether a secret stood in a response, its result or output, and is masked.
    pub masked: bool,
}
