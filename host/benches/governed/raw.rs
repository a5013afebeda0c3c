//! A fresh instance of the tool and one typed call, with nothing of Thoth around it: the least that an
//! isolated tool call costs with this engine.

use std::path::Path;

use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceTable};
use wasmtime::{Engine, Result, Store, StoreLimits, StoreLimitsBuilder, bail};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// The function that is called, and with what: small, so that what surrounds it shows.
pub(crate) const EXPORT: &str = "read-doc";
const ARGUMENT: &str = "travel.md";

/// The tool, compiled and linked for one engine.
pub(crate) struct Raw {
    engine: Engine,
    pre: InstancePre<State>,
    entry: ComponentExportIndex,
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl Raw {
    pub(crate) fn new(path: &Path, engine: Engine) -> Result<Self> {
        let component = Component::from_file(&engine, path)?;
        let mut linker: Linker<State> = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let pre = linker.instantiate_pre(&component)?;
        let Some(entry) = component.get_export_index(None, EXPORT) else {
            bail!("the tool has no `{EXPORT}`");
        };
        Ok(Self { engine, pre, entry })
    }

    /// One fresh instance and one call; gives the length of the result.
    pub(crate) async fn call(&self) -> Result<usize> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(4_096);
        let state = State {
            wasi: WasiCtx::builder().build(),
            table,
            limits: StoreLimitsBuilder::new().memory_size(256 << 20).build(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_fuel(u64::MAX)?;
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let entry = instance
            .get_typed_func::<(&str,), (Result<String, String>,)>(&mut store, self.entry)?;
        match entry.call_async(&mut store, (ARGUMENT,)).await? {
            (Ok(text),) => Ok(text.len()),
            (Err(error),) => bail!("the tool failed: {error}"),
        }
    }
}
