//! What wrapping costs: `cargo bench -p thoth-wrap`.
//!
//! The sample tool `shapes`, bare and wrapped with a governor that allows at once, in one process and
//! in turns; the difference is the adapter's, with the crossing into the governor and back. Then what
//! is added in bytes, and how long wrapping takes. Files that are named are wrapped as well, for their
//! size. Only ratios of one run mean anything.
//!
//! ```text
//! cargo bench -p thoth-wrap -- big.wasm
//! ```

use std::time::{Duration, Instant};

use thoth_wrap::{Digest, Options, wrap};
use wasmtime::component::{Component, Func, Linker, ResourceTable, Val};
use wasmtime::error::Context as _;
use wasmtime::{Engine, Result, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

const ROUNDS: usize = 5;

struct State(WasiCtx, ResourceTable);

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.0,
            table: &mut self.1,
        }
    }
}

fn main() -> Result<()> {
    let tool = std::fs::read(thoth_tests::tool("shapes"))?;
    let gate = std::fs::read(thoth_tests::tool("test-gate"))?;
    let wrapped = wrap(&tool, &gate, &Options::default())?;

    println!(
        "{:<28} {:>10} {:>10} {:>10}",
        "one call", "bare", "governed", "added"
    );
    let long = "x".repeat(100 * 1024);
    let quoted = "a \"word\" ".repeat(100 * 1024 / 9);
    for (what, function, argument) in [
        ("nothing", "nothing", None),
        ("echo-u8", "echo-u8", Some(Val::U8(7))),
        ("echo-string, 5 bytes", "echo-string", Some(text("hello"))),
        ("echo-point", "echo-point", Some(point())),
        ("echo-string, 100 KiB", "echo-string", Some(text(&long))),
        (
            "echo-string, 100 KiB quoted",
            "echo-string",
            Some(text(&quoted)),
        ),
        (
            "echo-points, 1000",
            "echo-points",
            Some(Val::List(vec![point(); 1000])),
        ),
    ] {
        let arguments: Vec<Val> = argument.into_iter().collect();
        let (mut bare, mut governed) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            bare = bare.min(time(&tool, function, &arguments)?);
            governed = governed.min(time(&wrapped.bytes, function, &arguments)?);
        }
        let added = governed.saturating_sub(bare);
        println!("{what:<28} {bare:>10.1?} {governed:>10.1?} {added:>10.1?}");
    }

    println!(
        "\n{:<28} {:>10} {:>10} {:>10}",
        "bytes", "component", "added", "wrapping"
    );
    let named = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'));
    let mut components = vec![("shapes".to_owned(), tool)];
    for name in named {
        let bytes = std::fs::read(&name).with_context(|| name.clone())?;
        components.push((name, bytes));
    }
    for (name, component) in components {
        let start = Instant::now();
        let wrapped = wrap(&component, &gate, &Options::default())?;
        let took = start.elapsed();
        let parts = Digest::of(&component).bytes + Digest::of(&gate).bytes;
        let added = Digest::of(&wrapped.bytes).bytes - parts;
        println!(
            "{name:<28} {:>10} {added:>10} {took:>10.1?}",
            component.len()
        );
    }
    Ok(())
}

/// The mean time of a call, over as many as take a while.
fn time(component: &[u8], function: &str, arguments: &[Val]) -> Result<Duration> {
    let engine = Engine::default();
    let component = Component::new(&engine, component)?;
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
    let mut wasi = WasiCtxBuilder::new();
    wasi.env("GATE", "allow").env("GATE_QUIET", "1");
    let mut store = Store::new(&engine, State(wasi.build(), ResourceTable::new()));
    let instance = linker.instantiate(&mut store, &component)?;
    let interface = instance.get_export_index(&mut store, None, "test:shapes/shapes@0.1.0");
    let index = instance
        .get_export_index(&mut store, interface.as_ref(), function)
        .context("no such function")?;
    let function: Func = instance
        .get_func(&mut store, index)
        .context("no such function")?;
    let mut results = vec![Val::Bool(false); function.ty(&store).results().len()];
    let mut calls = 0_u32;
    let mut call = |store: &mut Store<State>| function.call(store, arguments, &mut results);
    for _ in 0..100 {
        call(&mut store)?;
    }
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(100) {
        for _ in 0..20 {
            call(&mut store)?;
        }
        calls += 20;
    }
    Ok(start.elapsed() / calls)
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

fn point() -> Val {
    Val::Record(vec![
        ("x".to_owned(), Val::S32(-1)),
        ("y".to_owned(), Val::S32(1_000_000)),
    ])
}
