//! What every mode is measured on: one server, one tool, one client, two runtimes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, anyhow, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use tempfile::TempDir;
use thoth_host::{Identity, Jail, Outcome, Runtime, Session, Tool};
use thoth_transport::{Client, Options, Origin};
use tokio::time::Instant;

use crate::engine;
use crate::raw::Raw;
use crate::server::{CONNECTIONS, EVENTS, QUESTION, Server};

/// The governed tool and its arguments: what [`Raw`] calls, by its JSON name.
pub(crate) const TOOL: &str = "read_doc";
pub(crate) const ARGUMENTS: &str = r#"{"path":"travel.md"}"#;

/// Calls of one session: a question carries the session's history, so it must not grow without end.
/// An agent's run makes some tens of calls.
pub(crate) const SESSION: u32 = 20;

/// How long to wait for events to be delivered after a phase.
const DRAIN: Duration = Duration::from_secs(120);

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A question to the server over a kept-alive connection, from native code.
    Native,
    /// A fresh instance of the tool and one typed call, shipped allocator.
    Raw,
    /// The same on the on-demand allocator.
    OnDemand,
    /// Both in a row: what an isolated governed call cannot cost less than.
    NativeRaw,
    /// A governed call: log, governor, `wasi:http`, server, tool, log.
    Governed,
    /// A governed call with the policy in this process.
    InProcess,
}

impl Mode {
    pub(crate) const ALL: [Self; 6] = [
        Self::Native,
        Self::Raw,
        Self::OnDemand,
        Self::NativeRaw,
        Self::Governed,
        Self::InProcess,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "N",
            Self::Raw => "R",
            Self::OnDemand => "O",
            Self::NativeRaw => "N+R",
            Self::Governed => "G",
            Self::InProcess => "P",
        }
    }

    pub(crate) fn parse(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.name() == name)
            .with_context(|| format!("no mode `{name}`; there are N, R, O, N+R, G, P"))
    }
}

/// A runtime with the tool loaded. Its log goes with it.
pub(crate) struct Governed {
    pub(crate) runtime: Runtime,
    pub(crate) tool: Tool,
    _state: TempDir,
}

impl Governed {
    pub(crate) async fn new(
        state: TempDir,
        decider: impl FnOnce(thoth_host::Builder) -> thoth_host::Builder,
    ) -> Result<Self> {
        let builder = decider(Runtime::builder())
            .state_dir(state.path())
            .compiler(Jail::InProcess);
        let runtime = builder.build().await?;
        let tool = runtime.load(thoth_tests::tool("docs-search")).await?;
        Ok(Self {
            runtime,
            tool,
            _state: state,
        })
    }

    pub(crate) fn session(&self) -> Session {
        self.runtime
            .session(Identity::new("acme", "bot").user("sam"))
    }

    /// One governed call that must complete.
    pub(crate) async fn call(&self, session: &Session) -> Result<()> {
        match session.call(&self.tool, TOOL, ARGUMENTS).await?.outcome {
            Outcome::Completed(_) => Ok(()),
            other => bail!("the governed call did not complete: {other:?}"),
        }
    }

    /// Waits until every event was delivered.
    pub(crate) async fn drain(&self) -> Result<()> {
        let end = Instant::now() + DRAIN;
        while self.runtime.log_status().await?.waiting > 0 {
            ensure!(Instant::now() < end, "events are not delivered");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

/// Everything that the modes need.
pub(crate) struct Bed {
    client: Client,
    question: Bytes,
    shipped: Raw,
    on_demand: Raw,
    pub(crate) remote: Governed,
    pub(crate) local: Governed,
    pub(crate) server: Server,
}

impl Bed {
    pub(crate) async fn new() -> Result<Self> {
        let server = Server::start()?;
        let client = Client::new(Origin::parse(&server.url())?, Options::default())?;
        let component = thoth_tests::tool("docs-search");
        let url = server.url();
        let remote =
            Governed::new(tempfile::tempdir()?, |builder| builder.enforcer_url(url)).await?;
        let local = Governed::new(tempfile::tempdir()?, |builder| {
            builder.policy_file(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/examples/policy.cedar"
            ))
        })
        .await?;
        // The native client asks what the governor asks in the middle of a session.
        let session = remote.session();
        for _ in 0..SESSION / 2 {
            remote.call(&session).await?;
        }
        remote.drain().await?;
        // Both events of this one are in the last batch, which the log alone is measured with.
        remote.call(&session).await?;
        remote.drain().await?;
        let question = get(&client, QUESTION).await?;
        ensure!(!question.is_empty(), "the governor asked nothing");
        Ok(Self {
            question,
            shipped: Raw::new(&component, engine::shipped()?).map_err(plain)?,
            on_demand: Raw::new(&component, engine::on_demand()?).map_err(plain)?,
            client,
            remote,
            local,
            server,
        })
    }

    /// Connections that the server has accepted so far.
    pub(crate) async fn connections(&self) -> Result<u64> {
        let text = get(&self.client, CONNECTIONS).await?;
        Ok(std::str::from_utf8(&text)?.parse()?)
    }

    /// The last batch of events, as it was on the wire.
    pub(crate) async fn events(&self) -> Result<Bytes> {
        get(&self.client, EVENTS).await
    }

    /// The question that the native client asks.
    pub(crate) fn question(&self) -> Bytes {
        self.question.clone()
    }

    pub(crate) async fn ask(&self) -> Result<()> {
        let request = Request::post("/v1/enforce")
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "thoth-bench")
            .body(self.question.clone())?;
        let answer = send(&self.client, request).await?;
        ensure!(answer.body().starts_with(b"{"), "not an answer");
        Ok(())
    }

    /// A governed mode's runtime.
    pub(crate) fn governed(&self, mode: Mode) -> Option<&Governed> {
        match mode {
            Mode::Native | Mode::Raw | Mode::OnDemand | Mode::NativeRaw => None,
            Mode::Governed => Some(&self.remote),
            Mode::InProcess => Some(&self.local),
        }
    }
}

/// wasmtime's error, which is not one that `?` converts.
fn plain(error: wasmtime::Error) -> Error {
    anyhow!("{error:#}")
}

async fn get(client: &Client, path: &str) -> Result<Bytes> {
    let request = Request::builder().method(Method::GET).uri(path);
    Ok(send(client, request.body(Bytes::new())?).await?.into_body())
}

async fn send(client: &Client, request: Request<Bytes>) -> Result<Response<Bytes>> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let response = client.send(request, deadline).await?;
    ensure!(response.status() == 200, "status {}", response.status());
    Ok(response)
}

/// One of many that call at the same time, each after its own last call.
pub(crate) struct Caller {
    bed: Arc<Bed>,
    mode: Mode,
    session: Option<Session>,
    left: u32,
}

impl Caller {
    pub(crate) fn new(bed: Arc<Bed>, mode: Mode) -> Self {
        Self {
            bed,
            mode,
            session: None,
            left: 0,
        }
    }

    /// What is not part of a call: a new session after [`SESSION`] calls.
    pub(crate) fn prepare(&mut self) {
        if self.left == 0 {
            self.session = self.bed.governed(self.mode).map(Governed::session);
            self.left = SESSION;
        }
        self.left -= 1;
    }

    pub(crate) async fn call(&self) -> Result<()> {
        let bed = &self.bed;
        match self.mode {
            Mode::Native => bed.ask().await,
            Mode::Raw => bed.shipped.call().await.map(drop).map_err(plain),
            Mode::OnDemand => bed.on_demand.call().await.map(drop).map_err(plain),
            Mode::NativeRaw => {
                bed.ask().await?;
                bed.shipped.call().await.map(drop).map_err(plain)
            }
            Mode::Governed | Mode::InProcess => match (bed.governed(self.mode), &self.session) {
                (Some(governed), Some(session)) => governed.call(session).await,
                _ => bail!("no session"),
            },
        }
    }
}
