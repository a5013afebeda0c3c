//! What wrapping costs: `cargo bench -p thoth-wrap`.
//!
//! The sample tool `shapes`, bare and wrapped with a governor of a few instructions that allows, in one
//! process and in turns; the difference is the adapter's, with the crossing into the governor and back.
//! The instructions that are added are counted beside (fuel): they do not depend on the machine. Then
//! what is added in bytes, and how long wrapping takes. Files that are named are wrapped as well, for
//! their size. Only ratios of one run mean anything.
//!
//! ```text
//! cargo bench -p thoth-wrap -- big.wasm
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use thoth_wrap::{Digest, Options, wrap};
use wasmtime::component::{Component, Func, Linker, ResourceTable, Val};
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, Result, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

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
    let gate = allowing()?;
    let wrapped = wrap(&tool, &gate, &Options::default())?;

    println!(
        "{:<28} {:>10} {:>10} {:>10} {:>10}",
        "one call", "bare", "governed", "added", "fuel"
    );
    let long = "x".repeat(100 * 1024);
    let quoted = "a \"word\" ".repeat(100 * 1024 / 9);
    for (what, function, argument) in [
        ("nothing", "nothing", None),
        ("echo-u8", "echo-u8", Some(Val::U8(7))),
        ("echo-f64", "echo-f64", Some(Val::Float64(0.1))),
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
        let fuel = fuel(&wrapped.bytes, function, &arguments)? - fuel(&tool, function, &arguments)?;
        println!("{what:<28} {bare:>10.1?} {governed:>10.1?} {added:>10.1?} {fuel:>10}");
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

/// A governor that allows every call and looks at nothing.
fn allowing() -> Result<Vec<u8>> {
    const MODULE: &str = r#"(module
        (memory (export "cm32p2_memory") 8)
        (func (export "cm32p2_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
        (func (export "cm32p2_initialize"))
        (func (export "cm32p2|thoth:governance/gate@0.1|check")
            (param i32 i32 i32 i32 i32) (result i32) i32.const 64)
        (func (export "cm32p2|thoth:governance/gate@0.1|reject")
            (param i64 i32 i32) (result i32) i32.const 64)
        (func (export "cm32p2|thoth:governance/gate@0.1|done") (param i64 i32 i32 i32)))"#;
    let boxed = |error: Box<dyn std::error::Error>| wasmtime::Error::msg(error.to_string());
    let make = || -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let (package, _) = resolve.push_dir(wit)?;
        let world = resolve.select_world(&[package], Some("portable-governor"))?;
        let mut module = wat::parse_str(MODULE)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
        Ok(ComponentEncoder::default().module(&module)?.encode()?)
    };
    make().map_err(boxed)
}

/// The mean time of a call, over as many as take a while.
fn time(component: &[u8], function: &str, arguments: &[Val]) -> Result<Duration> {
    let mut bed = Bed::new(&Config::new(), component, function)?;
    for _ in 0..100 {
        bed.call(arguments)?;
    }
    let mut calls = 0_u32;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(100) {
        for _ in 0..20 {
            bed.call(arguments)?;
        }
        calls += 20;
    }
    Ok(start.elapsed() / calls)
}

/// The fuel that a call takes, once the memory for it is there.
fn fuel(component: &[u8], function: &str, arguments: &[Val]) -> Result<u64> {
    let mut config = Config::new();
    config.consume_fuel(true);
    let mut bed = Bed::new(&config, component, function)?;
    bed.call(arguments)?;
    let before = bed.store.get_fuel()?;
    bed.call(arguments)?;
    Ok(before - bed.store.get_fuel()?)
}

/// A function of a component that is instantiated.
struct Bed {
    store: Store<State>,
    function: Func,
    results: Vec<Val>,
}

impl Bed {
    fn new(config: &Config, component: &[u8], function: &str) -> Result<Self> {
        let engine = Engine::new(config)?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        let wasi = WasiCtxBuilder::new().build();
        let mut store = Store::new(&engine, State(wasi, ResourceTable::new()));
        // An error where fuel is not counted.
        let _no_fuel = store.set_fuel(u64::MAX);
        let instance = linker.instantiate(&mut store, &component)?;
        let interface = instance.get_export_index(&mut store, None, "test:shapes/shapes@0.1.0");
        let index = instance
            .get_export_index(&mut store, interface.as_ref(), function)
            .context("no such function")?;
        let function: Func = instance
            .get_func(&mut store, index)
            .context("no such function")?;
        let results = vec![Val::Bool(false); function.ty(&store).results().len()];
        Ok(Self {
            store,
            function,
            results,
        })
    }

    fn call(&mut self, arguments: &[Val]) -> Result<()> {
        let function = self.function;
        function.call(&mut self.store, arguments, &mut self.results)
    }
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
