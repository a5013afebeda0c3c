//! What is sent to the policy service: the question, the poll of a hold, a batch of events.
//!
//! The fields are those of the reference SDK's `POST /v1/enforce`. All of them come from the session
//! and the call's own id and name; the call's arguments only ever land in `tool_args`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

use serde_json::{Map, Value};

use crate::arguments::Arguments;
use crate::config::Config;
use crate::exchange::{MAX_REQUEST_BYTES, Method, Request};
use crate::json::body::{Body, Part};
use crate::json::{self, JsonError};
use crate::time::Timestamp;
use crate::types::{Session, ToolCall};

/// How many tool names of a session go on the wire, the current one included.
pub const MAX_HISTORY: usize = 128;

/// A question that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A JSON field of the session is not JSON within the profile.
    #[error("the session's {field} is not usable JSON: {source}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        source: JsonError,
    },
    /// A JSON field of the session is not an object.
    #[error("the session's {0} is not a JSON object")]
    NotAnObject(&'static str),
    /// All fields together are too much.
    #[error("the request is longer than {MAX_REQUEST_BYTES} bytes: shorten the session's fields")]
    TooLong,
}

/// `POST /v1/enforce`: may this call run?
///
/// # Errors
/// A JSON field of the session that is not an object within the profile, or a body over
/// [`MAX_REQUEST_BYTES`].
pub fn enforce(
    config: &Config,
    session: &Session,
    call: &ToolCall,
    arguments: &Arguments,
    request_id: &str,
    occurred_at: Timestamp,
) -> Result<Request, RequestError> {
    let model = session.model.clone().unwrap_or_default();
    let occurred_at = occurred_at.rfc3339();
    let runtime = session
        .mcp_runtime_identity
        .as_deref()
        .filter(|id| !id.is_empty());
    let mut metadata = object("metadata", &session.metadata)?;
    let mut auth = object("auth_context", &session.auth_context)?;
    if let Some(runtime) = runtime {
        metadata.insert("mcp_runtime_identity".to_string(), runtime.into());
        if !auth.is_empty() {
            auth.entry("service_identity")
                .or_insert_with(|| runtime.into());
        }
    }
    // In the order in which they are written.
    let mut body = Body::default();
    body.set("action_attestation_id", &*call.call_id);
    body.set("agent_id", &*session.agent_id);
    body.set("approved_scope", &*session.approved_scope);
    body.set_object("auth_context", auth);
    body.set_text(
        "data_classification",
        session.data_classification.as_deref(),
    );
    body.set_object(
        "delegation_context",
        object("delegation_context", &session.delegation_context)?,
    );
    body.set("enforcement_mode", session.mode.as_str());
    body.set("enforcement_trace_id", session.trace());
    body.set("environment", &*session.environment);
    body.set("identity_binding", identity_binding(session)?);
    body.set_object("metadata", metadata);
    body.set_text("model_artifact_id", model.artifact_id.as_deref());
    body.set_text("model_artifact_version", model.artifact_version.as_deref());
    body.set_text("model_name", model.name.as_deref());
    body.set_text("model_provider", model.provider.as_deref());
    body.set("occurred_at", &*occurred_at);
    body.set_text("purpose", session.purpose.as_deref());
    body.set("request_id", request_id);
    body.set("session_id", &*session.session_id);
    body.set_text("session_intent", session.intent.as_deref());
    body.set("session_tool_calls", pending_history(session, call));
    body.set_object(
        "task_context",
        object("task_context", &session.task_context)?,
    );
    body.set("tenant_id", &*session.tenant_id);
    if !arguments.members().is_empty() {
        body.set("tool_args", arguments.members());
    }
    body.set("tool_name", &*call.tool);
    body.set("user_id", &*session.user_id);
    let body = body.canonical();
    if body.len() > MAX_REQUEST_BYTES {
        return Err(RequestError::TooLong);
    }
    Ok(post(config, "/v1/enforce", body))
}

/// `GET /v1/enforce/hold/{token}`: what became of this hold?
#[must_use]
pub fn poll(config: &Config, token: &str) -> Request {
    let mut path = "/v1/enforce/hold/".to_string();
    for byte in token.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(path, "%{byte:02X}")),
        }
    }
    Request {
        method: Method::Get,
        secure: config.origin.secure,
        authority: config.origin.authority.clone(),
        path: format!("{}{path}", config.origin.prefix),
        headers: headers(config),
        body: None,
    }
}

/// `POST /v1/events/batch`: these events happened.
#[must_use]
pub(crate) fn events(config: &Config, body: String) -> Request {
    let mut request = post(config, "/v1/events/batch", body);
    if let Some(token) = &config.ingest_token {
        let token = token.reveal().to_string();
        request.headers.push(("X-Thoth-Event-Ingest-Token", token));
    }
    request
}

fn post(config: &Config, path: &str, body: String) -> Request {
    let mut headers = headers(config);
    headers.push(("Content-Type", "application/json".to_string()));
    Request {
        method: Method::Post,
        secure: config.origin.secure,
        authority: config.origin.authority.clone(),
        path: format!("{}{path}", config.origin.prefix),
        headers,
        body: Some(body),
    }
}

/// Every request carries the key in both of the forms that SDKs use: a server may look at one only.
fn headers(config: &Config) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("Accept", "application/json".to_string()),
        ("Accept-Encoding", "identity".to_string()),
        (
            "User-Agent",
            concat!("thoth-wasm/", env!("CARGO_PKG_VERSION")).to_string(),
        ),
    ];
    if let Some(key) = &config.api_key {
        headers.push(("Authorization", format!("Bearer {}", key.reveal())));
        headers.push(("X-Api-Key", key.reveal().to_string()));
    }
    headers
}

/// The tools of the session that were called before, and after them the one of this call.
pub(crate) fn pending_history<'a>(session: &'a Session, call: &'a ToolCall) -> Part<'a> {
    let skipped = session.history.len().saturating_sub(MAX_HISTORY - 1);
    let before = session.history.get(skipped..).unwrap_or_default();
    Part::History(before, &call.tool)
}

fn identity_binding(session: &Session) -> Result<Part<'_>, RequestError> {
    let given = object("identity_binding", &session.identity_binding)?;
    if !given.is_empty() {
        return Ok(Part::Value(Value::Object(given)));
    }
    let mut binding = Body::default();
    binding.set("agent_id", &*session.agent_id);
    binding.set("tenant_id", &*session.tenant_id);
    binding.set_text("user_id", Some(&session.user_id));
    Ok(binding.into())
}

/// A field of the session that holds a JSON object; empty where there is none.
pub(crate) fn object(
    field: &'static str,
    text: &Option<String>,
) -> Result<Map<String, Value>, RequestError> {
    let Some(text) = text.as_deref().filter(|text| !text.trim().is_empty()) else {
        return Ok(Map::new());
    };
    match json::parse(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(RequestError::NotAnObject(field)),
        Err(source) => Err(RequestError::Field { field, source }),
    }
}
