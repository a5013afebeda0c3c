//! What one tool call's store holds. An absent field is an absent power: no network, no files, no
//! environment, no arguments, and nothing of the governor's.

use std::time::Instant;

use bytes::Bytes;
use http::HeaderName;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

use super::limits::{Limiter, Limits};
use super::output::Output;

/// The data of a tool's store.
pub(crate) struct ToolState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    egress: NoEgress,
    table: ResourceTable,
    pub(super) limiter: Limiter,
    pub(super) stderr: Output,
}

impl ToolState {
    fn new(limits: &Limits) -> Self {
        let stderr = Output::new(limits.output);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.resources);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(32 << 10);
        // Nothing is inherited and nothing preopened; sockets and name look-up are off. Those are
        // the builder's defaults, and said again because this is where they must not change.
        let wasi = WasiCtx::builder()
            .stdout(Output::new(limits.output))
            .stderr(stderr.clone())
            .max_random_size(limits.random)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        Self {
            wasi,
            http,
            egress: NoEgress,
            table,
            limiter: Limiter::new(limits),
            stderr,
        }
    }
}

/// A fresh, limited store. The epoch only makes wasm yield; the wall clock around the call ends it.
pub(super) fn store(engine: &Engine, limits: &Limits) -> wasmtime::Result<Store<ToolState>> {
    let mut store = Store::new(engine, ToolState::new(limits));
    store.limiter(|state| &mut state.limiter);
    store.set_fuel(limits.fuel)?;
    store.set_hostcall_fuel(limits.hostcall);
    store.set_max_component_handles(limits.resources);
    store.set_epoch_deadline(1);
    // Yielding lets the timer fire, but a store that is polled late would go on for a tick more:
    // past its deadline it traps.
    let deadline = Instant::now() + limits.time;
    store.epoch_deadline_callback(move |_| {
        Ok(if Instant::now() >= deadline {
            wasmtime::UpdateDeadline::Interrupt
        } else {
            wasmtime::UpdateDeadline::Yield(1)
        })
    });
    Ok(store)
}

/// Everything a tool can import: WASI 0.2 without a power behind it, and nothing else. Linking is
/// not granting: sockets, files and requests are refused when they are used.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<ToolState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    Ok(linker)
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
            hooks: &mut self.egress,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// A tool's way out: none.
struct NoEgress;

impl WasiHttpHooks for NoEgress {
    fn is_forbidden_header(&mut self, _: &HeaderName) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        Box::new(async move {
            // The body is drained, or the guest would see a broken stream and not the denial.
            let mut body = request.into_body();
            while let Some(Ok(frame)) = http_body_util::BodyExt::frame(&mut body).await {
                drop::<Result<Bytes, _>>(frame.into_data());
            }
            Err(HttpError::HttpRequestDenied)
        })
    }
}

type SendResult = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ),
    HttpError,
>;
