//! The engine as it is shipped, and one that differs from it in the allocator and in nothing else.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroUsize;
use std::thread;

use anyhow::{Result, anyhow, ensure};
use thoth_engine::TICK;
use wasmtime::{Config, Engine, Strategy};

pub(crate) fn shipped() -> Result<Engine> {
    Ok(thoth_engine::engine()?)
}

/// An engine that maps fresh memory for each instance.
pub(crate) fn on_demand() -> Result<Engine> {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .epoch_interruption(true)
        .consume_fuel(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .wasm_component_model_more_async_builtins(true)
        .wasm_component_model_error_context(true)
        .wasm_component_model_async_stackful(false)
        .wasm_component_model_threading(false)
        .wasm_memory64(false)
        .wasm_relaxed_simd(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .memory_init_cow(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16));
    let engine = Engine::new(&config).map_err(|error| anyhow!("{error:#}"))?;
    ensure!(
        settings(&engine) == settings(&shipped()?),
        "the shipped engine has other settings now; repeat them here"
    );
    let weak = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    });
    Ok(engine)
}

/// What decides whether one engine runs what another compiled.
fn settings(engine: &Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}
