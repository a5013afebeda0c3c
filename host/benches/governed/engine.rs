//! The engine's settings as they are shipped, and the same with the on-demand allocator.
//!
//! They repeat `thoth_host`'s, which keeps its engine to itself: the comparison needs an engine that
//! differs in the allocator and in nothing else.

use std::num::NonZeroUsize;
use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Strategy,
};

/// How often the epoch advances.
pub(crate) const TICK: Duration = Duration::from_millis(10);

const SLOTS: u32 = 256;

/// Where instances get their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allocator {
    /// The pool, as shipped.
    Shipped,
    /// A fresh mapping each.
    OnDemand,
}

pub(crate) fn engine(allocator: Allocator) -> Result<Engine> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        .wasm_component_model(true)
        .concurrency_support(false)
        .memory_init_cow(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16));
    if allocator == Allocator::Shipped {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    }
    Engine::new(&config)
}

fn pool() -> PoolingAllocationConfig {
    let scan = PoolingAllocationConfig::is_pagemap_scan_available();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(2 * SLOTS)
        .total_core_instances(8 * SLOTS)
        .total_memories(2 * SLOTS)
        .total_tables(4 * SLOTS)
        .total_stacks(2 * SLOTS)
        .max_memory_size(1 << 30)
        .table_elements(100_000)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .max_unused_warm_slots(SLOTS)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(if scan { 4 << 20 } else { 64 << 10 })
        .table_keep_resident(64 << 10);
    pool
}
