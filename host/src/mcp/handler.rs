//! What clients may ask of the server, by the methods of MCP.

use std::time::Duration;

use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode,
    ErrorData, InitializeRequestParams, InitializeResult, ListToolsResult, PaginatedRequestParams,
    ServerConfig, SubscriptionFilter,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};

use super::call::takes_any_json;
use super::progress;
use super::server::{Server, Shared};
use super::sessions;
use crate::tool::inert;

/// How long a list of tools may be kept.
const LIST_TTL: Duration = Duration::from_secs(60);

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
            () = self.given_up(&context) => return Err(cancelled()),
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
            () = self.given_up(&context) => Err(cancelled()),
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
            "tools/call" | "tools/list" | "initialize" | "server/discover" | "subscriptions/listen"
        ) {
            let why = format!("the parameters do not fit `{}`", request.method);
            return Err(ErrorData::invalid_params(why, None));
        }
        let method = inert(&request.method, 80);
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method, None))
    }
}

impl Server {
    /// Waits until a request is cancelled, or its session has ended, or its client is gone.
    async fn given_up(&self, context: &RequestContext<RoleServer>) {
        tokio::select! {
            () = context.ct.cancelled() => {}
            () = sessions::ended(&context.extensions) => {}
            () = self.gone.cancelled() => {}
        }
    }
}

fn cancelled() -> ErrorData {
    ErrorData::internal_error("the request was cancelled", None)
}
