//! The server: one governed call for each `tools/call`, on whichever transport it comes.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode,
    ErrorData, Implementation, InitializeRequestParams, InitializeResult, ListToolsResult,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::{NotificationContext, QuitReason, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::answer;
use super::approval::{Asking, Held};
use super::catalog::{Catalog, Offered};
use super::client::{Client, Clients};
use super::held::{Binding, Holds};
use super::lines::{IN_FLIGHT_MAX, Lines, TOO_MANY};
use super::progress::{self, Progress};
use crate::budget::Budget;
use crate::calling::{CallOptions, TraceParent};
use crate::error::Error;
use crate::identity::Identity;
use crate::runtime::Runtime;
use crate::session::Session;
use crate::tool::inert;
use crate::toolbox::Tools;

/// How long a list of tools may be kept.
const LIST_TTL: Duration = Duration::from_secs(60);

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
    client: Option<Arc<Client>>,
    /// Set once the client is told of changes.
    listens: Arc<OnceLock<()>>,
    /// Whether a client that shakes hands gets a session of its own.
    sessions: bool,
    /// Cancelled when the client is gone, at the latest when nobody serves it any more.
    gone: CancellationToken,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) runtime: Runtime,
    identity: Identity,
    /// The session of clients that have none.
    session: Session,
    clients: Clients,
    /// For requests that are under way.
    room: Semaphore,
    catalog: watch::Sender<Option<Arc<Catalog>>>,
    pub(super) holds: Holds,
    pub(super) options: Options,
    config: ServerConfig,
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

    fn session(&self) -> &Session {
        let own = self.client.as_ref().and_then(|client| client.session());
        own.unwrap_or(&self.shared.session)
    }

    /// Room for one request, until it is answered.
    fn room(&self) -> Result<SemaphorePermit<'_>, ErrorData> {
        let room = self.shared.room.try_acquire();
        room.map_err(|_| ErrorData::new(ErrorCode::INVALID_REQUEST, TOO_MANY, None))
    }

    /// What is offered, once it is loaded.
    async fn catalog(&self, progress: &Progress) -> Result<Arc<Catalog>, ErrorData> {
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

    /// One `tools/call`, from the request to its answer.
    async fn governed(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
        progress: &Progress,
    ) -> Result<CallToolResponse, ErrorData> {
        let catalog = self.catalog(progress).await?;
        let name = request.name.as_ref();
        let Some(offered) = catalog.get(name) else {
            let known = catalog.names().join(", ");
            let why = format!("no tool `{}`; there is: {known}", inert(name, 80));
            return Err(ErrorData::invalid_params(inert(&why, 2_000), None));
        };
        let any_json = takes_any_json(context);
        let arguments = serde_json::Value::Object(request.arguments.unwrap_or_default());
        let arguments = thoth_core::json::canonical(&arguments);
        let session = self.session();
        let watched = progress.clone();
        let trace = context.meta.get_traceparent().and_then(TraceParent::parse);
        let options = CallOptions::new()
            .trace_parent(trace)
            .watched(move |stage| watched.stage(stage));
        let holds = &self.shared.holds;
        let claim = if request.request_state.is_some() || !holds.is_empty() {
            let binding = binding(session, offered, name, &arguments);
            match &request.request_state {
                Some(state) => Some(holds.open(state, &binding).ok_or_else(foreign_state)?),
                None => holds.of_same_call(&binding),
            }
        } else {
            None
        };
        let called = match claim.as_ref().and_then(|claim| claim.held()) {
            Some(held) => {
                let tool = &offered.tool;
                session
                    .resume_held(tool, name, &arguments, held, options)
                    .await
            }
            None => {
                session
                    .call_with(&offered.tool, name, &arguments, options)
                    .await
            }
        };
        let call = match called {
            Ok(call) => call,
            Err(error) => return Ok(answer::misfit(name, &error).into()),
        };
        let Some(held) = call.held().cloned() else {
            if let Some(claim) = claim {
                claim.done();
            }
            return Ok(answer::of(&call, offered, any_json).into());
        };
        let is_first = claim.is_none();
        let claim =
            claim.unwrap_or_else(|| holds.claim(held, binding(session, offered, name, &arguments)));
        let asking = Asking {
            shared: &self.shared,
            session,
            context,
            progress,
            offered,
            arguments: &arguments,
            // An answer counts for a question that was asked, and that is in the state.
            responses: (request.request_state.as_ref()).and(request.input_responses.as_ref()),
        };
        match asking.wait(call, &claim, is_first).await {
            Held::Decided(call) => {
                claim.done();
                Ok(answer::of(&call, offered, any_json).into())
            }
            Held::Answer(answer) => Ok(*answer),
        }
    }
}

/// What the calls that are one call agree in.
fn binding(session: &Session, offered: &Offered, name: &str, arguments: &str) -> Binding {
    let digest = thoth_core::json::digest(arguments);
    Binding::new([
        &session.principal(),
        session.id(),
        name,
        offered.tool.sha256(),
        &digest,
    ])
}

/// One answer for every state that cannot be used: which of its parts is wrong is nobody's business.
fn foreign_state() -> ErrorData {
    let why = "the request state is not for this call, or was used: call again without it";
    ErrorData::invalid_params(why, None)
}

/// Whether a client takes a result that is not an object (SEP-2106).
fn takes_any_json(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        self.shared.config.clone()
    }

    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        let catalog = self.shared.catalog.borrow();
        Some(catalog.as_ref()?.get(name)?.listed().clone())
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        if let Some(client) = self.client.as_ref().filter(|_| self.sessions) {
            let Shared {
                runtime,
                identity,
                options,
                ..
            } = &*self.shared;
            client.begin(|| runtime.session(identity.anew()).with_budget(options.budget));
        }
        context.peer.set_peer_info(request.clone());
        self.negotiate_initialize(&request)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let _room = self.room()?;
        let (progress, listener) = progress::of(&context);
        let catalog = tokio::select! {
            catalog = listener.during(self.catalog(&progress)) => catalog?,
            () = context.ct.cancelled() => return Err(cancelled()),
            () = self.gone.cancelled() => return Err(cancelled()),
        };
        let mut list = ListToolsResult::with_all_items(catalog.list(takes_any_json(&context)));
        list.ttl_ms = u64::try_from(LIST_TTL.as_millis()).ok();
        list.cache_scope = Some(CacheScope::Private);
        Ok(list)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _room = self.room()?;
        let (progress, listener) = progress::of(&context);
        let work = self.governed(request, &context, &progress);
        // Dropped, the call stops, and an event says so.
        tokio::select! {
            answer = listener.during(work) => answer,
            () = context.ct.cancelled() => Err(cancelled()),
            () = self.gone.cancelled() => Err(cancelled()),
        }
    }

    /// Clients of revisions with a handshake are told by themselves that the list is another.
    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        // Who says it again is told once all the same.
        if self.listens.set(()).is_err() {
            return;
        }
        let mut catalog = self.shared.catalog.subscribe();
        let gone = self.gone.clone();
        tokio::spawn(async move {
            // The first list is no change.
            if catalog.wait_for(Option::is_some).await.is_err() {
                return;
            }
            loop {
                tokio::select! {
                    changed = catalog.changed() => if changed.is_err() { return },
                    () = gone.cancelled() => return,
                }
                if context.peer.notify_tool_list_changed().await.is_err() {
                    return;
                }
            }
        });
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    /// Clients of 2026-07-28 are told where they listen.
    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let _room = self.room()?;
        let mut catalog = self.shared.catalog.subscribe();
        loop {
            tokio::select! {
                changed = catalog.changed() => if changed.is_err() { return Ok(()) },
                () = context.cancelled() => return Ok(()),
                () = self.gone.cancelled() => return Ok(()),
            }
            // A list that nobody asked to be told of is told to nobody.
            let _unwanted = context.sink().notify_tool_list_changed().await;
        }
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // A request whose parameters do not fit its method arrives as one that nobody knows.
        if matches!(
            request.method.as_str(),
            "tools/call" | "tools/list" | "initialize"
        ) {
            let why = format!("the parameters do not fit `{}`", request.method);
            return Err(ErrorData::invalid_params(why, None));
        }
        let method = inert(&request.method, 80);
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None))
    }
}

fn cancelled() -> ErrorData {
    ErrorData::internal_error("the request was cancelled", None)
}
