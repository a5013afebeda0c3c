//! What the limits on a tool cost: `cargo bench -p thoth-host --bench limits`.
//!
//! One tool (`transform` of `tests/tools/fetcher`), a fresh instance for each call, on engines that
//! differ in one thing each, in turns: no limit at all, epoch checks, fuel, the memory limiter, all of
//! them as shipped. Once with a text so short that the instance is most of the call, and once with one
//! that takes some ten milliseconds. Only ratios of one run mean anything.
//!
//! ```text
//! taskset -c 0 cargo bench -p thoth-host --bench limits            # pin the benchmark, not the build
//! cargo bench -p thoth-host --bench limits -- --quick              # does it run at all
//! cargo bench -p thoth-host --bench limits -- --tool fetcher.wasm  # this `transform`, built otherwise
//! ```

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use wasmtime::component::{
    Component, ComponentExportIndex, InstancePre, Linker, ResourceTable, Val,
};
use wasmtime::{Config, Engine, PoolingAllocationConfig, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::add_only_http_to_linker_async;
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

/// The limits that are on.
#[derive(Debug, Clone, Copy)]
struct On {
    name: &'static str,
    epoch: bool,
    fuel: bool,
    limiter: bool,
}

const ALL: [On; 5] = [
    on("none", false, false, false),
    on("epoch", true, false, false),
    on("fuel", false, true, false),
    on("limiter", false, false, true),
    on("all", true, true, true),
];

const fn on(name: &'static str, epoch: bool, fuel: bool, limiter: bool) -> On {
    On {
        name,
        epoch,
        fuel,
        limiter,
    }
}

struct Bed {
    on: On,
    engine: Engine,
    pre: InstancePre<State>,
    entry: ComponentExportIndex,
}

struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoWay,
    table: ResourceTable,
    limits: StoreLimits,
}

struct NoWay;

impl WasiHttpHooks for NoWay {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(async { Err(HttpError::HttpRequestDenied) })
    }
}

type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ),
    HttpError,
>;

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.hooks,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

impl Bed {
    fn new(on: On, bytes: &[u8]) -> Result<Self> {
        let mut config = Config::new();
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(64)
            .total_memories(8)
            .total_tables(64)
            .total_component_instances(8)
            .total_stacks(8)
            .pagemap_scan(wasmtime::Enabled::Auto)
            .linear_memory_keep_resident(4 << 20);
        config
            .epoch_interruption(on.epoch)
            .consume_fuel(on.fuel)
            .allocation_strategy(pool);
        let plain = |error: wasmtime::Error| anyhow!("{error:#}");
        let engine = Engine::new(&config).map_err(plain)?;
        let component = Component::new(&engine, bytes).map_err(plain)?;
        let mut linker: Linker<State> = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(plain)?;
        add_only_http_to_linker_async(&mut linker).map_err(plain)?;
        let Some(entry) = component.get_export_index(None, "transform") else {
            bail!("the tool has no `transform`");
        };
        let pre = linker.instantiate_pre(&component).map_err(plain)?;
        let ticked = engine.weak();
        thread::spawn(move || {
            while let Some(engine) = ticked.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(thoth_engine::TICK);
            }
        });
        Ok(Self {
            on,
            engine,
            pre,
            entry,
        })
    }

    /// One fresh instance and one call.
    async fn call(&self, text: &str) -> wasmtime::Result<usize> {
        let state = State {
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: NoWay,
            table: ResourceTable::new(),
            limits: StoreLimitsBuilder::new().memory_size(256 << 20).build(),
        };
        let mut store = Store::new(&self.engine, state);
        if self.on.limiter {
            store.limiter(|state| &mut state.limits);
        }
        if self.on.fuel {
            store.set_fuel(20_000_000_000)?;
        }
        if self.on.epoch {
            store.set_epoch_deadline(1);
            store.epoch_deadline_async_yield_and_update(1);
        }
        let instance = self.pre.instantiate_async(&mut store).await?;
        let Some(entry) = instance.get_func(&mut store, self.entry) else {
            wasmtime::bail!("the function is gone");
        };
        let arguments = [Val::String(text.into()), Val::Enum("slug".into())];
        let mut results = [Val::Bool(false)];
        entry
            .call_async(&mut store, &arguments, &mut results)
            .await?;
        match results {
            [Val::String(text)] => Ok(text.len()),
            [other] => wasmtime::bail!("the tool gave {other:?}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let mut rest = std::env::args().skip_while(|argument| argument != "--tool");
    let tool = rest.nth(1).map(PathBuf::from);
    let tool = tool.unwrap_or_else(|| thoth_tests::fetcher(thoth_tests::Language::Rust));
    let bytes = std::fs::read(tool)?;
    let beds = ALL
        .into_iter()
        .map(|on| Bed::new(on, &bytes))
        .collect::<Result<Vec<_>>>()?;
    let long = "Parental leave is 16 weeks at full pay. ".repeat(if quick { 10 } else { 30_000 });
    for (what, text, calls) in [("short", "Parental leave", 400), ("long", &*long, 2)] {
        let rounds = if quick { 1 } else { 15 };
        let mut times = vec![Vec::new(); beds.len()];
        for round in 0..=rounds {
            for (bed, times) in beds.iter().zip(&mut times) {
                for _ in 0..calls {
                    let start = Instant::now();
                    let length = bed.call(text).await;
                    let took = start.elapsed();
                    length.map_err(|error| anyhow!("{error:#}"))?;
                    // The first round warms up.
                    if round > 0 {
                        times.push(took);
                    }
                }
            }
        }
        let medians: Vec<f64> = times.into_iter().map(median).collect();
        let base = medians.first().copied().unwrap_or(f64::NAN);
        println!("\n{what}: median microseconds, and the ratio to none");
        for (on, median) in ALL.iter().zip(&medians) {
            println!("{:<8} {median:>10.1} {:>6.3}", on.name, median / base);
        }
    }
    Ok(())
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    middle.as_secs_f64() * 1e6
}
