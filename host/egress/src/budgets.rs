//! How much one call may send and receive.

/// The limits of one call of a tool, over all of its requests together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Most requests, those that are refused among them (32).
    pub requests: u32,
    /// Most bytes of requests: targets, headers and bodies (8 MiB).
    pub request_bytes: usize,
    /// Most bytes of responses' bodies (8 MiB). Heads are bounded by 64 KiB each.
    pub response_bytes: usize,
    /// Most requests under way at a time (4); a further one waits for its turn.
    pub in_flight: usize,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            requests: 32,
            request_bytes: 8 << 20,
            response_bytes: 8 << 20,
            in_flight: 4,
        }
    }
}

/// What one call has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests that were asked for, those over the budget not counted.
    pub requests: u32,
    /// Bytes of requests: targets, headers and bodies.
    pub request_bytes: u64,
    /// Bytes of responses' bodies, those of incomplete responses too.
    pub response_bytes: u64,
}
