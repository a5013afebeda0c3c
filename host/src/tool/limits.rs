//! What one tool call may use, and the limiter that holds it to that.

use std::time::Duration;

use serde_json::{Value, json};
use thoth_core::FailureCause;
use thoth_egress::Budgets;
use thoth_engine::MEMORY_MAX;
use thoth_grants::{Bytes, LimitSettings};
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
    /// Handles that the component holds at a time. Default 4,096.
    pub handles: usize,
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
    /// Outgoing requests, refused ones included. Default 32.
    pub requests: u32,
    /// Bytes of all outgoing requests. Default 8 MiB.
    pub request_bytes: usize,
    /// Bytes of all responses' bodies. Default 8 MiB.
    pub response_bytes: usize,
    /// Files and folders open at a time. Default 128.
    pub open_files: u32,
    /// Bytes written to files. Default 64 MiB.
    pub write_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            fuel: 20_000_000_000,
            memory: 256 << 20,
            table_elements: 100_000,
            instances: 64,
            handles: 4_096,
            resources: 4_096,
            hostcall: 16 << 20,
            random: 64 << 10,
            result: 256 << 10,
            output: 64 << 10,
            requests: 32,
            request_bytes: 8 << 20,
            response_bytes: 8 << 20,
            open_files: 128,
            write_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// Takes over what an operator's settings say.
    #[must_use]
    pub fn with(mut self, settings: &LimitSettings) -> Self {
        fn set<T, U>(limit: &mut T, setting: Option<U>, convert: impl FnOnce(U) -> T) {
            if let Some(setting) = setting {
                *limit = convert(setting);
            }
        }
        let size = |bytes: Bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX);
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        set(&mut self.time, settings.time, |time| time);
        set(&mut self.fuel, settings.fuel, |fuel| fuel);
        set(&mut self.memory, settings.memory, size);
        set(&mut self.table_elements, settings.table_elements, count);
        set(&mut self.instances, settings.instances, count);
        set(&mut self.handles, settings.handles, count);
        set(&mut self.resources, settings.resources, count);
        set(&mut self.hostcall, settings.hostcall, size);
        set(&mut self.random, settings.random, |bytes| bytes.0);
        set(&mut self.output, settings.output, size);
        set(&mut self.result, settings.result, size);
        set(&mut self.requests, settings.requests, |number| number);
        set(&mut self.request_bytes, settings.request_bytes, size);
        set(&mut self.response_bytes, settings.response_bytes, size);
        set(&mut self.open_files, settings.open_files, |number| number);
        set(&mut self.write_bytes, settings.write_bytes, |bytes| bytes.0);
        self
    }

    /// As the log has them, under their names in `thoth.toml`.
    pub(super) fn to_json(&self) -> Value {
        json!({
            "time_ms": u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX),
            "fuel": self.fuel,
            "memory": self.memory,
            "table_elements": self.table_elements,
            "instances": self.instances,
            "handles": self.handles,
            "resources": self.resources,
            "hostcall": self.hostcall,
            "random": self.random,
            "result": self.result,
            "output": self.output,
            "requests": self.requests,
            "request_bytes": self.request_bytes,
            "response_bytes": self.response_bytes,
            "open_files": self.open_files,
            "write_bytes": self.write_bytes,
        })
    }

    pub(super) fn file_budgets(&self) -> thoth_files::Budgets {
        thoth_files::Budgets {
            open_files: self.open_files,
            write_bytes: self.write_bytes,
        }
    }

    pub(super) fn budgets(&self) -> Budgets {
        Budgets {
            requests: self.requests,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            ..Budgets::default()
        }
    }
}

/// Sums what a store's memories and tables hold. wasmtime's own `StoreLimits` caps each memory, so
/// a component with many memories would get many times the limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: usize,
    memory_left: usize,
    table_left: usize,
    instances: usize,
    hit: Option<FailureCause>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let memory = limits.memory.min(MEMORY_MAX);
        Self {
            memory,
            memory_left: memory,
            table_left: limits.table_elements,
            instances: limits.instances,
            hit: None,
        }
    }

    /// Linear memory in bytes, which never shrinks: its peak.
    pub(crate) fn memory_peak(&self) -> u64 {
        u64::try_from(self.memory - self.memory_left).unwrap_or(u64::MAX)
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
        if more > self.memory_left {
            self.hit = Some(FailureCause::LimitMemory);
            return Ok(false);
        }
        // Its own, or what the pool has room for.
        if maximum.is_some_and(|maximum| desired > maximum) {
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
        if more > self.table_left {
            self.hit = Some(FailureCause::LimitTable);
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
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
