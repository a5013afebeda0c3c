//! On whose behalf calls are made.

use thoth_core::{Capture, Mode, Model, Session as Scope};
use uuid::Uuid;

/// Who calls, for whom and why. Every field is the operator's; nothing in a call can change one.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Identity {
    /// The session's id. Default: a fresh UUID.
    pub session_id: String,
    /// The tenant at the policy service.
    pub tenant_id: String,
    /// The calling agent.
    pub agent_id: String,
    /// The user for whom the agent works.
    pub user_id: String,
    /// Tool names the agent was approved for.
    pub approved_scope: Vec<String>,
    /// How decisions are applied. Default: [`Mode::Block`].
    pub mode: Mode,
    /// The deployment environment. Default: `prod`.
    pub environment: String,
    /// The correlation id. Default: the session's id.
    pub trace_id: Option<String>,
    /// The session's declared intent.
    pub intent: Option<String>,
    /// Why data is processed.
    pub purpose: Option<String>,
    /// The class of the data.
    pub data_classification: Option<String>,
    /// JSON object: the task.
    pub task_context: Option<String>,
    /// JSON object that replaces the default identity binding.
    pub identity_binding: Option<String>,
    /// JSON object: request metadata.
    pub metadata: Option<String>,
    /// JSON object: how the caller was authenticated.
    pub auth_context: Option<String>,
    /// JSON object: who delegated to whom.
    pub delegation_context: Option<String>,
    /// The MCP runtime that carries the calls.
    pub mcp_runtime_identity: Option<String>,
    /// The model behind the agent.
    pub model: Option<Model>,
    /// How much events tell. Default: [`Capture::Minimal`].
    pub capture: Capture,
}

impl Identity {
    /// An agent of a tenant, with everything else at its default.
    pub fn new(tenant_id: impl Into<String>, agent_id: impl Into<String>) -> Self {
        Self {
            session_id: Uuid::new_v4().to_string(),
            tenant_id: tenant_id.into(),
            agent_id: agent_id.into(),
            user_id: String::new(),
            approved_scope: Vec::new(),
            mode: Mode::Block,
            environment: "prod".into(),
            trace_id: None,
            intent: None,
            purpose: None,
            data_classification: None,
            task_context: None,
            identity_binding: None,
            metadata: None,
            auth_context: None,
            delegation_context: None,
            mcp_runtime_identity: None,
            model: None,
            capture: Capture::Minimal,
        }
    }

    /// The same for another user.
    #[must_use]
    pub fn user(mut self, user_id: impl Into<String>) -> Self {
        self.user_id = user_id.into();
        self
    }

    /// The same with an approved scope.
    #[must_use]
    pub fn scope<S: Into<String>>(mut self, tools: impl IntoIterator<Item = S>) -> Self {
        self.approved_scope = tools.into_iter().map(Into::into).collect();
        self
    }

    /// The same for another session, with an id of its own.
    pub(crate) fn anew(&self) -> Self {
        Self {
            session_id: Uuid::new_v4().to_string(),
            ..self.clone()
        }
    }

    /// The session that begins with it: no history yet.
    pub(crate) fn into_scope(self) -> Scope {
        let trace_id = self.trace_id.unwrap_or_else(|| self.session_id.clone());
        Scope {
            session_id: self.session_id,
            tenant_id: self.tenant_id,
            agent_id: self.agent_id,
            user_id: self.user_id,
            approved_scope: self.approved_scope,
            mode: self.mode,
            environment: self.environment,
            trace_id,
            intent: self.intent,
            purpose: self.purpose,
            data_classification: self.data_classification,
            task_context: self.task_context,
            identity_binding: self.identity_binding,
            metadata: self.metadata,
            auth_context: self.auth_context,
            delegation_context: self.delegation_context,
            mcp_runtime_identity: self.mcp_runtime_identity,
            model: self.model,
            capture: self.capture,
            history: Vec::new(),
        }
    }
}
