//! What one tool call may use, and the limiter that holds it to that.

use std::time::Duration;

use thoth_core::FailureCause;
use thoth_engine::MEMORY_MAX;
use wasmtime::ResourceLimiter;

/// What one call of a tool may use. The defaults are far above what a real tool needs and far
/// below what hurts the host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Wall-clock time, from instantiation to result. Default 30 s.
    pub time: Duration,
    /// Fuel: about one unit for each WebAssembly instruction. Default 20 billion.
    pub fuel: u64,
    /// Linear memory in bytes, summed over all memories of the call. Default 256 MiB, at most 1 GiB.
    pub memory: usize,
    /// Elements of all tables together. Default 100,000.
    pub table_elements: usize,
    /// Core instances, memories and tables, each. Default 64.
    pub instances: usize,
    /// Entries in the table of host resources. Default 4,096.
    pub resources: usize,
    /// Bytes that the host copies for the guest in one host call or one result. Default 16 MiB.
    pub hostcall: usize,
    /// Bytes of random that one request may ask for. Default 64 KiB.
    pub random: u64,
    /// Bytes of the result as JSON. Default 256 KiB, the most that the contract lets through.
    pub result: usize,
    /// Bytes kept of what the tool writes to its standard output and error, each. Default 64 KiB.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            fuel: 20_000_000_000,
            memory: 256 << 20,
            table_elements: 100_000,
            instances: 64,
            resources: 4_096,
            hostcall: 16 << 20,
            random: 64 << 10,
            result: 256 << 10,
            output: 64 << 10,
        }
    }
}

/// Sums what a store's memories and tables hold. wasmtime's own `StoreLimits` caps each memory, so
/// a component with many memories would get many times the limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_left: usize,
    table_left: usize,
    instances: usize,
    hit: Option<FailureCause>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_left: limits.memory.min(MEMORY_MAX),
            table_left: limits.table_elements,
            instances: limits.instances,
            hit: None,
        }
    }

    /// The limit that was hit, if any. A guest that cannot grow its memory usually traps for it
    /// later, and the trap alone does not say why.
    pub(crate) fn hit(&self) -> Option<FailureCause> {
        self.hit
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if more > self.memory_left {
            self.hit = Some(FailureCause::LimitMemory);
            return Ok(false);
        }
        self.memory_left -= more;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if more > self.table_left {
            self.hit = Some(FailureCause::LimitTable);
            return Ok(false);
        }
        self.table_left -= more;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}
