//! What one tool call's store holds. An absent field is an absent power, and nothing of the governor's
//! is here.

use std::sync::Arc;

use thoth_egress::Egress;
use thoth_files::{Files, FilesCtx, FilesView};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::effects::Effects;
use super::egress::{Outgoing, Way};
use super::files::Doorkeeper;
use super::grant::Powers;
use super::limits::Limiter;
use super::output::Output;
use crate::clock::Clock;

/// A loop keeps count of its fuel to itself. So often, in units of fuel, it says how far it is, so that one
/// that is stopped is known to have used all but so much.
const FUEL_STEP: u64 = 1_000_000;

/// The data of a tool's store.
pub(crate) struct ToolState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    table: ResourceTable,
    pub(super) egress: Option<Egress>,
    pub(super) files: FilesCtx,
    pub(super) limiter: Limiter,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
}

/// What one call of a tool has around it.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// Its time limit.
    pub(crate) clock: Clock,
    /// Who decides about its effects; without one it has none, whatever its grant.
    pub(crate) effects: Option<Arc<dyn Effects>>,
}

impl ToolState {
    fn new(powers: &Powers, around: &Surroundings) -> Self {
        let limits = &powers.limits;
        let (stdout, stderr) = (Output::new(limits.output), Output::new(limits.output));
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(32 << 10);
        // Nothing is inherited; sockets and name look-up are off. Those are the builder's defaults,
        // and said again because this is where they must not change.
        let wasi = WasiCtx::builder()
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .envs(&powers.environment)
            .max_random_size(limits.random)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let egress = powers
            .egress
            .as_ref()
            .map(|policy| Egress::new(Arc::clone(policy)));
        let way = around.effects.as_ref().map(|effects| Way {
            egress: egress.clone(),
            effects: Arc::clone(effects),
            clock: around.clock.clone(),
            body_max: limits.request_bytes,
            enforcer: powers.enforcer.clone(),
        });
        Self {
            wasi,
            http,
            table,
            egress,
            outgoing: Outgoing(way),
            files: FilesCtx::new(
                powers.folders.clone(),
                limits.file_budgets(),
                Arc::new(Doorkeeper(around.effects.clone())),
            ),
            limiter: Limiter::new(limits),
            stdout,
            stderr,
        }
    }
}

/// A fresh, limited store. The epoch only makes wasm yield; the clock around the call ends it.
pub(super) fn store(
    engine: &Engine,
    powers: &Powers,
    around: &Surroundings,
) -> wasmtime::Result<Store<ToolState>> {
    let limits = &powers.limits;
    let mut store = Store::new(engine, ToolState::new(powers, around));
    store.limiter(|state| &mut state.limiter);
    store.set_fuel(limits.fuel)?;
    store.fuel_async_yield_interval(Some(FUEL_STEP))?;
    store.set_hostcall_fuel(limits.hostcall);
    store.set_max_component_handles(limits.handles);
    store.set_epoch_deadline(1);
    // Yielding lets the timer fire, but a store that is polled late would go on for a tick more:
    // past its deadline it traps.
    let clock = around.clock.clone();
    store.epoch_deadline_callback(move |_| {
        Ok(if clock.is_over() {
            wasmtime::UpdateDeadline::Interrupt
        } else {
            wasmtime::UpdateDeadline::Yield(1)
        })
    });
    Ok(store)
}

/// Everything a tool can import: WASI 0.2, and nothing else. Linking is not granting: sockets, files
/// and requests are refused when they are used, unless they are granted.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<ToolState>> {
    use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
    use wasmtime_wasi::p2::bindings::{cli, random, sockets};
    use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
    use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};

    let mut linker = Linker::new(engine);
    let l = &mut linker;
    // io, clocks, random and the standard streams.
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(l)?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, ToolState::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, ToolState::random)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, ToolState::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(l, ToolState::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, ToolState::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, ToolState::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, ToolState::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, ToolState::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, ToolState::cli)?;
    // Never granted, and imported by toolchains all the same.
    let options = sockets::network::LinkOptions::default();
    sockets::instance_network::add_to_linker::<_, WasiSockets>(l, ToolState::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(l, ToolState::sockets)?;
    sockets::network::add_to_linker::<_, WasiSockets>(l, &options, ToolState::sockets)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(l, ToolState::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(l, ToolState::sockets)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(l, ToolState::sockets)?;
    sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(l, ToolState::sockets)?;
    // The two that are ours.
    thoth_files::add_to_linker(l)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(l)?;
    Ok(linker)
}

impl FilesView for ToolState {
    fn files(&mut self) -> Files<'_> {
        Files {
            ctx: &mut self.files,
            table: &mut self.table,
        }
    }
}

impl WasiView for ToolState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for ToolState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.outgoing,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
