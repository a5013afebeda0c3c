//! The server of one identity: what it offers, whom it serves, and its end.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rmcp::model::{ErrorCode, ErrorData, Implementation, ServerCapabilities, ServerConfig};
use rmcp::service::QuitReason;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::catalog::Catalog;
use super::client::{Client, Clients};
use super::held::Holds;
use super::in_flight::{IN_FLIGHT_MAX, TOO_MANY};
use super::lines::Lines;
use super::progress::Progress;
use crate::budget::Budget;
use crate::error::Error;
use crate::identity::Identity;
use crate::runtime::Runtime;
use crate::session::Session;
use crate::tool::inert;
use crate::toolbox::Tools;

/// How long tools may take to load before a request that needs them is told so.
const LOADING_MAX: Duration = Duration::from_secs(300);

/// How long the ends of sessions may take to be recorded.
const ENDING_MAX: Duration = Duration::from_secs(2);

/// What a model is told about this server.
const INSTRUCTIONS: &str = "A policy service decides about every call of these tools before it runs. A call \
    that was refused says why and what to do next; follow that, and do not look for a way around it.";

/// How a server answers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// How long a client that comes back to a held call is kept waiting for a human. Default: 30 s, half
    /// of what clients commonly wait for an answer.
    pub wait: Duration,
    /// Whether the user of the client may approve a held call, by a plain yes. Only where this process
    /// decides by a policy file. Default: no.
    pub client_approves: bool,
    /// What each session may use: that of a client which shakes hands over HTTP, and the one that all
    /// others share. Default: no limit.
    pub budget: Budget,
    /// Requests under way at once, over all clients; more are refused, not queued. Default: 1,024.
    pub requests: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(30),
            client_approves: false,
            budget: Budget::default(),
            requests: IN_FLIGHT_MAX,
        }
    }
}

/// An MCP server for governed tools, on behalf of one identity. Cheap to clone; clones are one server.
///
/// ```no_run
/// # async fn example(runtime: thoth_host::Runtime) -> Result<(), Box<dyn std::error::Error>> {
/// use thoth_host::toolbox::Toolbox;
/// use thoth_host::{Identity, mcp};
///
/// let identity = Identity::new("acme", "bot").user("sam");
/// let server = mcp::Server::new(&runtime, identity, mcp::Options::default())?;
/// let toolbox = Toolbox::new(Default::default()).place("docs_search.wasm");
/// server.offer(&toolbox.load(&runtime).await?);
/// server.serve(tokio::io::stdin(), tokio::io::stdout(), std::future::pending()).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Server {
    pub(super) shared: Arc<Shared>,
    /// Whom it serves; none where that is nobody yet.
    pub(super) client: Option<Arc<Client>>,
    /// Set once the client is told of changes.
    pub(super) listens: Arc<OnceLock<()>>,
    /// Whether a client that shakes hands gets a session of its own.
    pub(super) sessions: bool,
    /// Cancelled when the client is gone, at the latest when nobody serves it any more.
    pub(super) gone: CancellationToken,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) runtime: Runtime,
    pub(super) identity: Identity,
    /// The session of clients that have none.
    session: Session,
    clients: Clients,
    /// For requests that are under way.
    room: Semaphore,
    pub(super) catalog: watch::Sender<Option<Arc<Catalog>>>,
    pub(super) holds: Holds,
    pub(super) options: Options,
    pub(super) config: ServerConfig,
}

impl Server {
    /// A server that offers nothing yet: requests that need its tools wait for [`Self::offer`].
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new(runtime: &Runtime, identity: Identity, options: Options) -> Result<Self, Error> {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        let about = Implementation::new("thoth", env!("CARGO_PKG_VERSION"));
        let shared = Shared {
            session: runtime
                .session(identity.clone())
                .with_budget(options.budget),
            clients: Clients::default(),
            room: Semaphore::new(options.requests.min(Semaphore::MAX_PERMITS)),
            runtime: runtime.clone(),
            identity,
            catalog: watch::Sender::new(None),
            holds: Holds::new()?,
            options,
            config: ServerConfig::new(capabilities)
                .with_server_info(about)
                .with_instructions(INSTRUCTIONS),
        };
        Ok(Self {
            shared: Arc::new(shared),
            client: None,
            listens: Arc::default(),
            sessions: false,
            gone: CancellationToken::new(),
        })
    }

    /// Offers these tools, in place of what was offered. Clients that want to know are told.
    pub fn offer(&self, tools: &Tools) {
        let catalog = Catalog::new(tools);
        self.shared.catalog.send_replace(Some(Arc::new(catalog)));
    }

    /// Serves one client, a message a line, until it closes its end or `stop` completes. What is under way
    /// then has a second to end and is stopped.
    ///
    /// # Errors
    /// The client does not speak MCP.
    ///
    /// # Cancel safety
    /// Dropping the future stops what is under way within two seconds.
    pub async fn serve(
        &self,
        reader: impl AsyncRead + Unpin + Send + 'static,
        writer: impl AsyncWrite + Unpin + Send + 'static,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let server = self.for_client(false);
        let gone = server.gone.clone();
        let lines = Lines::new(reader, writer, gone.clone());
        let ending = gone.clone().drop_guard();
        let serving = async {
            let running =
                rmcp::service::serve_server_with_ct(server, lines, gone.child_token()).await;
            match running {
                Ok(running) => match running.waiting().await {
                    Ok(QuitReason::JoinError(error)) | Err(error) => Err(io::Error::other(error)),
                    Ok(_) => Ok(()),
                },
                // It was gone before it asked for anything.
                Err(_) if gone.is_cancelled() => Ok(()),
                Err(error) => Err(io::Error::other(inert(&error.to_string(), 300))),
            }
        };
        let mut serving = std::pin::pin!(serving);
        let served = tokio::select! {
            served = &mut serving => served,
            () = stop => {
                gone.cancel();
                serving.await
            }
        };
        drop(ending);
        served
    }

    /// Ends it: what is under way for clients is stopped, and the log says of every session that it
    /// ended. That is waited for at most two seconds.
    ///
    /// # Cancel safety
    /// Dropping the future leaves ends unrecorded.
    pub async fn end(self) {
        self.gone.cancel();
        let Self { shared, client, .. } = self;
        drop(client);
        let ended = async {
            shared.clients.all_gone().await;
            shared.session.record_end().await;
        };
        let _elapsed = tokio::time::timeout(ENDING_MAX, ended).await;
    }

    /// The server as one client sees it.
    pub(super) fn for_client(&self, sessions: bool) -> Self {
        let gone = self.gone.child_token();
        Self {
            shared: Arc::clone(&self.shared),
            client: Some(Arc::new(self.shared.clients.welcome(gone.clone()))),
            listens: Arc::default(),
            sessions,
            gone,
        }
    }

    /// What stops everything of this client.
    pub(super) fn gone(&self) -> CancellationToken {
        self.gone.clone()
    }

    pub(super) fn session(&self) -> &Session {
        let own = self.client.as_ref().and_then(|client| client.session());
        own.unwrap_or(&self.shared.session)
    }

    /// Room for one request, until it is answered.
    pub(super) fn room(&self) -> Result<SemaphorePermit<'_>, ErrorData> {
        let room = self.shared.room.try_acquire();
        room.map_err(|_| ErrorData::new(ErrorCode::INVALID_REQUEST, TOO_MANY, None))
    }

    /// What is offered, once it is loaded.
    pub(super) async fn catalog(&self, progress: &Progress) -> Result<Arc<Catalog>, ErrorData> {
        let mut catalog = self.shared.catalog.subscribe();
        if let Some(catalog) = catalog.borrow().as_ref() {
            return Ok(Arc::clone(catalog));
        }
        progress.say("compiling the tools");
        let loaded = catalog.wait_for(Option::is_some);
        let loaded = tokio::time::timeout(LOADING_MAX, loaded).await;
        let loaded = loaded.ok().and_then(Result::ok);
        let catalog = loaded.and_then(|catalog| catalog.clone());
        catalog.ok_or_else(|| ErrorData::internal_error("the tools are not loaded yet", None))
    }
}
