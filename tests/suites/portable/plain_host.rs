//! A host of WASI 0.2 that never heard of Thoth: it gives a component its environment and the
//! network, without a single time-out of its own.

use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

wasmtime::component::bindgen!({
    path: "../wit",
    world: "portable-governor",
    exports: { default: async },
});

pub(crate) use exports::thoth::governance::gate::{Ended, Ruling};

const GOVERNOR: &[u8] = include_bytes!(env!("THOTH_PORTABLE_GOVERNOR_WASM"));

struct State {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    network: Network,
    table: ResourceTable,
}

/// One instance of the portable governor.
pub(crate) struct Instance {
    store: Store<State>,
    governor: PortableGovernor,
}

impl Instance {
    pub(crate) async fn start(vars: &[(&str, &str)]) -> Self {
        let engine = Engine::new(&Config::new()).unwrap();
        let component = Component::new(&engine, GOVERNOR).unwrap();
        let mut linker: Linker<State> = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
        let state = State {
            wasi: WasiCtx::builder().envs(vars).build(),
            http: WasiHttpCtx::new(),
            network: Network,
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&engine, state);
        let governor = PortableGovernor::instantiate_async(&mut store, &component, &linker)
            .await
            .unwrap();
        Self { store, governor }
    }

    pub(crate) async fn check(&mut self, tool: &str, arguments: Result<&str, &str>) -> Ruling {
        let gate = self.governor.thoth_governance_gate();
        let arguments = arguments.map(str::to_owned);
        let arguments = arguments.as_ref().map_err(|why| *why);
        let checked = gate.call_check(&mut self.store, tool, arguments).await;
        checked.unwrap()
    }

    pub(crate) async fn reject(&mut self, ticket: u64, why: &str) -> String {
        let gate = self.governor.thoth_governance_gate();
        gate.call_reject(&mut self.store, ticket, why)
            .await
            .unwrap()
    }

    pub(crate) async fn done(&mut self, ticket: u64, ended: &Ended) {
        let gate = self.governor.thoth_governance_gate();
        gate.call_done(&mut self.store, ticket, ended)
            .await
            .unwrap();
    }
}

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
            hooks: &mut self.network,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// Plain HTTP to wherever a request says.
struct Network;

type Done = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Done), Error>;

impl WasiHttpHooks for Network {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Done,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(send(request))
    }
}

async fn send(mut request: Request<WasiBody>) -> Sent {
    let uri = std::mem::take(request.uri_mut());
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::try_from(path).map_err(|_| Error::HttpRequestUriInvalid)?;
    let stream = TcpStream::connect(authority.as_str())
        .await
        .map_err(|_| Error::ConnectionRefused)?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(Error::from)?;
    // Ends when both halves of the exchange are gone.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(Error::from)?;
    let response = response.map(|body| body.map_err(Error::from).boxed_unsync());
    let done: Done = Box::new(async { Ok(()) });
    Ok((response, done))
}
