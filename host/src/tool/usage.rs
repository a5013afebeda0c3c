//! What one tool call used, and what it said.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// What one call of a tool used. In JSON, that of `--json` and of the POST event, its members are in
/// canonical order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Usage {
    /// Files that it opened.
    pub files_opened: u64,
    /// Fuel: about one unit for each WebAssembly instruction.
    pub fuel: u64,
    /// Linear memory at its peak, in bytes, summed over all memories.
    #[serde(rename = "memory_peak_bytes")]
    pub memory_peak: u64,
    /// Bytes that it wrote to its standard output and error.
    pub output_bytes: u64,
    /// Bytes that it read from files.
    pub read_bytes: u64,
    /// Bytes of outgoing requests.
    pub request_bytes: u64,
    /// Outgoing requests of a tool that is granted network, refused ones included.
    pub requests: u32,
    /// Bytes of responses' bodies.
    pub response_bytes: u64,
    /// Time on the clock, waiting for approvals of effects included; in JSON in microseconds.
    #[serde(rename = "wall_us", serialize_with = "microseconds")]
    pub wall: Duration,
    /// Bytes that it wrote to files.
    pub write_bytes: u64,
}

impl Usage {
    /// As it stands in `--json` and in the POST event.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The same as canonical JSON.
    pub(crate) fn canonical(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn microseconds<S: Serializer>(wall: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_written_in_canonical_form() {
        let usage = Usage {
            fuel: 7,
            wall: Duration::from_micros(12),
            ..Usage::default()
        };
        let json = usage.to_json();
        assert_eq!((&json["fuel"], &json["wall_us"]), (&7.into(), &12.into()));
        assert_eq!(usage.canonical(), thoth_core::json::canonical(&json));
    }
}
