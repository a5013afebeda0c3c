//! One `tools/call`, from the request to its answer.

use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorData, ProtocolVersion};
use rmcp::service::RequestContext;

use super::answer;
use super::approval::{Asking, Held};
use super::catalog::Offered;
use super::held::Binding;
use super::progress::Progress;
use super::server::Server;
use crate::calling::{CallOptions, TraceParent};
use crate::session::Session;
use crate::tool::inert;

impl Server {
    /// The same governed call as any other; what differs is how it is held and what is answered.
    pub(super) async fn governed(
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
            for late in holds.expired(&binding) {
                session.expired(late).await;
            }
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
pub(super) fn takes_any_json(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}
