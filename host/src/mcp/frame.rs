//! One JSON-RPC message, read strictly: what two readers could see differently is no message.

use rmcp::model::{ClientJsonRpcMessage, ErrorCode, ErrorData, JsonRpcError, RequestId};
use serde_json::Value;

use crate::tool::inert;

/// The longest message, in bytes. The arguments of a call have the same limit.
pub(super) const FRAME_MAX: usize = thoth_core::json::MAX_BYTES;

/// What is said of a request whose id another one has.
pub(super) const SAME_ID: &str = "a request with this id is under way";

/// What is answered to a message that is none.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Box<JsonRpcError>);

impl Refused {
    fn new(code: ErrorCode, id: Option<RequestId>, why: impl Into<String>) -> Self {
        let error = ErrorData::new(code, why.into(), None);
        Self(Box::new(JsonRpcError::new(id, error)))
    }

    /// The message was too long to be kept.
    pub(super) fn too_long() -> Self {
        let why = format!("a message is at most {FRAME_MAX} bytes long");
        Self::new(ErrorCode::INVALID_REQUEST, None, why)
    }

    /// The request came while too many others are under way, or under an id that one of them has.
    pub(super) fn unwelcome(id: RequestId, why: &'static str) -> Self {
        Self::new(ErrorCode::INVALID_REQUEST, Some(id), why)
    }
}

/// Reads one message. `None` is one that needs no answer and has no meaning here: a notification that
/// nobody knows.
pub(super) fn read(bytes: &[u8]) -> Result<Option<ClientJsonRpcMessage>, Refused> {
    let value = value(bytes)?;
    let id = value.get("id").and_then(id);
    let is_request = value.get("method").is_some() && value.get("id").is_some();
    let is_2_0 = value.get("jsonrpc").is_some_and(|version| version == "2.0");
    let is_notification = is_2_0 && value.get("method").is_some() && !is_request;
    match serde_json::from_value(value) {
        Ok(message) => Ok(Some(message)),
        Err(_) if is_notification => Ok(None),
        Err(error) => {
            let why = format!("not a JSON-RPC message: {}", inert(&error.to_string(), 200));
            Err(Refused::new(ErrorCode::INVALID_REQUEST, id, why))
        }
    }
}

/// Reads the JSON of one message.
fn value(bytes: &[u8]) -> Result<Value, Refused> {
    let value = thoth_core::json::parse(bytes).map_err(|error| {
        let why = format!("not usable JSON: {}", inert(&error.to_string(), 200));
        Refused::new(ErrorCode::PARSE_ERROR, None, why)
    })?;
    match value {
        Value::Object(_) => Ok(value),
        Value::Array(_) => Err(Refused::new(
            ErrorCode::INVALID_REQUEST,
            None,
            "batches are not taken: send one message at a time",
        )),
        _ => Err(Refused::new(
            ErrorCode::INVALID_REQUEST,
            None,
            "a message is a JSON object",
        )),
    }
}

fn id(value: &Value) -> Option<RequestId> {
    serde_json::from_value(value.clone()).ok()
}
