//! What compiling one component may cost.

use std::time::Duration;

const MIB: usize = 1 << 20;

/// What compiling a component may cost. Memory and time grow with the component, so that a small
/// bomb is stopped soon and a big tool of an honest toolchain gets through.
///
/// The defaults are three times and more of what tools of 12 MB (JavaScript) and 18 MB (Python) need
/// when compiled without optimisation on two cores: 17 s of processor time, 360 MiB.
///
/// They bind in a [child process](crate::Jail::Command) only, but for `input` and `output`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileLimits {
    /// The largest component, in bytes.
    pub input: usize,
    /// The most compiled code, in bytes. Also bounds what is read from the cache.
    pub output: usize,
    /// Address space for any component, in bytes, on top of what threads and the program need.
    pub memory: u64,
    /// Address space for each mebibyte of the component, in bytes.
    pub memory_per_mebibyte: u64,
    /// Processor time for any component, over all threads; in whole seconds, rounded up.
    pub cpu_time: Duration,
    /// Processor time for each mebibyte of the component.
    pub cpu_time_per_mebibyte: Duration,
    /// Time on the clock for any component.
    pub wall_time: Duration,
    /// Time on the clock for each mebibyte of the component.
    pub wall_time_per_mebibyte: Duration,
    /// The most threads that compile; never more than there are processors.
    pub threads: usize,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self {
            input: 64 * MIB,
            output: 512 * MIB,
            memory: 256 << 20,
            memory_per_mebibyte: 32 << 20,
            cpu_time: Duration::from_secs(15),
            cpu_time_per_mebibyte: Duration::from_secs(5),
            wall_time: Duration::from_secs(60),
            wall_time_per_mebibyte: Duration::from_secs(10),
            threads: 8,
        }
    }
}

/// [`CompileLimits`] for one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) output: u64,
    pub(crate) memory: u64,
    pub(crate) cpu_seconds: u64,
    pub(crate) wall: Duration,
    pub(crate) threads: u64,
}

impl CompileLimits {
    pub(crate) fn for_component(&self, size: usize) -> Budget {
        let mebibytes = u32::try_from(size.div_ceil(MIB)).unwrap_or(u32::MAX);
        let grown =
            |base: Duration, each: Duration| base.saturating_add(each.saturating_mul(mebibytes));
        let cpu = grown(self.cpu_time, self.cpu_time_per_mebibyte);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Budget {
            output: self.output as u64,
            memory: self
                .memory
                .saturating_add(self.memory_per_mebibyte.saturating_mul(mebibytes.into())),
            cpu_seconds: cpu
                .as_secs()
                .saturating_add(u64::from(cpu.subsec_nanos() > 0))
                .max(1),
            wall: grown(self.wall_time, self.wall_time_per_mebibyte),
            threads: self.threads.clamp(1, processors) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_component_gets_more_than_a_small_one() {
        let limits = CompileLimits::default();
        let (small, big) = (limits.for_component(1), limits.for_component(18 * MIB));
        assert!(small.memory < big.memory);
        assert_eq!((small.cpu_seconds, big.cpu_seconds), (20, 105));
        assert!(small.wall < big.wall);
    }

    #[test]
    fn any_size_and_any_limit_is_a_budget() {
        let limits = CompileLimits {
            cpu_time: Duration::MAX,
            memory: u64::MAX,
            cpu_time_per_mebibyte: Duration::MAX,
            ..CompileLimits::default()
        };
        assert_eq!(limits.for_component(usize::MAX).memory, u64::MAX);
        let none = CompileLimits {
            cpu_time: Duration::ZERO,
            cpu_time_per_mebibyte: Duration::ZERO,
            threads: 0,
            ..limits
        };
        let none = none.for_component(0);
        assert_eq!((none.cpu_seconds, none.threads), (1, 1));
    }
}
