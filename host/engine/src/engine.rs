//! The one engine of a process: how components are compiled, pooled and interrupted.

use std::hash::{Hash as _, Hasher};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig, Strategy};

use crate::error::EngineError;

/// How often the epoch advances: the longest that wasm runs before other work gets a turn, and how
/// late a deadline can be noticed.
pub const TICK: Duration = Duration::from_millis(10);

/// Calls that can be in flight at once in one process. Each holds a governor and a tool.
pub const SLOTS: u32 = 256;

/// The most linear memory that any memory in the pool can grow to, in bytes. A tool's own limit is
/// at most this.
pub const MEMORY_MAX: usize = 1 << 30;

/// Pages kept for the next instance, in bytes a memory: reset by the kernel's page map where it has
/// `PAGEMAP_SCAN`, else by writing, which is worth it for the first pages only.
const KEEP_WITH_SCAN: usize = 4 << 20;
const KEEP_WITHOUT_SCAN: usize = 64 << 10;

/// Makes the engine for tools and starts its ticker, which ends with the engine.
///
/// Instances come from a pool; where its address space cannot be reserved, each is allocated on its
/// own, which is slower and bounds nothing less.
///
/// # Errors
/// Neither an engine with a pool nor one without can be made, or the ticker's thread does not start.
pub fn engine() -> Result<Engine, EngineError> {
    let engine = Engine::new(config().allocation_strategy(pool()))
        .or_else(|_| Engine::new(&config()))
        .map_err(EngineError::Engine)?;
    tick(engine)
}

/// Makes the engine for the governor, our own component: without fuel, which the clocks make up for,
/// and without the bookkeeping of WASI 0.3, which costs as much as the rest of a host call. Its
/// instances are kept, so they need no pool.
///
/// # Errors
/// As [`engine`].
pub fn governor_engine() -> Result<Engine, EngineError> {
    let mut config = common();
    config.concurrency_support(false);
    tick(Engine::new(&config).map_err(EngineError::Engine)?)
}

/// Starts the engine's ticker.
fn tick(engine: Engine) -> Result<Engine, EngineError> {
    let weak = engine.weak();
    thread::Builder::new()
        .name("thoth-epoch".into())
        .spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })
        .map_err(EngineError::Thread)?;
    Ok(engine)
}

/// An engine that compiles the same code and runs none: no pool, no ticker.
pub(crate) fn compiling_engine() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

/// A digest of all that decides whether one engine can run what another compiled: wasmtime's
/// version, target, processor features, settings.
pub(crate) fn settings(engine: &Engine) -> [u8; 32] {
    struct Feed(Sha256);
    impl Hasher for Feed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0 // never asked for: the whole digest is taken below
        }
    }
    let mut feed = Feed(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut feed);
    feed.0.finalize().into()
}

/// What tools are compiled with.
fn config() -> Config {
    let mut config = common();
    config
        .consume_fuel(true)
        // WASI 0.3 is not linked, but a component that has a stream, a future or an async function
        // somewhere must validate, or its other functions could not be offered.
        .wasm_component_model_async(true)
        .wasm_component_model_more_async_builtins(true)
        .wasm_component_model_error_context(true)
        .wasm_component_model_async_stackful(false)
        .wasm_component_model_threading(false);
    config
}

fn common() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        .wasm_component_model(true)
        // Tail calls stay on, as SIMD does: they are part of WebAssembly 3, compilers for functional
        // languages emit them, and wasmtime's fuzzers run with them on. What follows is off because
        // no toolchain for components needs it.
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .memory_init_cow(true)
        .parallel_compilation(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16));
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let keep = if PoolingAllocationConfig::is_pagemap_scan_available() {
        KEEP_WITH_SCAN
    } else {
        KEEP_WITHOUT_SCAN
    };
    pool.total_component_instances(2 * SLOTS)
        .total_core_instances(8 * SLOTS)
        .total_memories(2 * SLOTS)
        .total_tables(4 * SLOTS)
        .total_stacks(2 * SLOTS)
        .max_memory_size(MEMORY_MAX)
        .table_elements(100_000)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .max_unused_warm_slots(SLOTS)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(keep)
        .table_keep_resident(64 << 10);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_child_compiles_runs_on_the_pooled_engine() {
        let pooled = Engine::new(config().allocation_strategy(pool())).unwrap();
        assert_eq!(settings(&pooled), settings(&compiling_engine().unwrap()));
    }

    #[test]
    fn another_setting_is_another_digest() {
        let mut other = config();
        other.consume_fuel(false);
        let other = Engine::new(&other).unwrap();
        assert_ne!(settings(&other), settings(&compiling_engine().unwrap()));
    }

    #[test]
    fn the_ticker_ends_with_the_engine() {
        let engine = engine().unwrap();
        let weak = engine.weak();
        drop(engine);
        // The ticker may hold it for one tick.
        while weak.upgrade().is_some() {
            thread::yield_now();
        }
    }
}
