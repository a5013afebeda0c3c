//! The arguments of a call, taken once: what is decided on is what is approved is what is run.

use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use crate::json::{self, JsonError};
use crate::types::{Session, ToolCall};

/// Why a call's arguments cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentsError {
    /// Not JSON within the profile.
    #[error("the arguments are not usable JSON: {0}")]
    Json(#[from] JsonError),
    /// JSON, but not an object.
    #[error(
        "the arguments are not a JSON object but {0}: give an object with a member for each parameter"
    )]
    NotAnObject(String),
    /// The canonical form is longer than what is read.
    #[error("the arguments are longer than {limit} bytes in canonical form", limit = json::MAX_BYTES)]
    TooLong,
    /// Whoever has them cannot tell them, and why.
    #[error("the arguments cannot be told: {0}")]
    Untold(String),
}

/// A call's arguments, parsed and in canonical form.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    members: Map<String, Value>,
    canonical: String,
}

impl Arguments {
    /// Takes the arguments from JSON text within the I-JSON profile.
    ///
    /// # Errors
    /// The text is not JSON within the profile, or not an object.
    pub fn parse(text: &str) -> Result<Self, ArgumentsError> {
        Self::from_value(json::parse(text)?)
    }

    /// Takes the arguments from a value that was read within the profile.
    pub(crate) fn from_value(value: Value) -> Result<Self, ArgumentsError> {
        // Canonical form can be longer than the text it came from (`1e20`), and is what is run.
        let canonical = json::canonical(&value);
        if canonical.len() > json::MAX_BYTES {
            return Err(ArgumentsError::TooLong);
        }
        match value {
            Value::Object(members) => Ok(Self { members, canonical }),
            other => {
                let kind = json::type_name(&other);
                Err(ArgumentsError::NotAnObject(kind.to_string()))
            }
        }
    }

    /// The members, one for each parameter.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The canonical form (RFC 8785).
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// What an approval is bound to: SHA-256, in lower-case hex, over the canonical JSON of who
    /// calls what with which arguments.
    #[must_use]
    pub fn digest(&self, session: &Session, call: &ToolCall) -> String {
        let mut action = Map::new();
        let mut set = |name: &str, value: &str| action.insert(name.to_string(), value.into());
        set("tenant", &session.tenant_id);
        set("agent", &session.agent_id);
        set("user", &session.user_id);
        set("session", &session.session_id);
        set("tool", &call.tool);
        action.insert("v".to_string(), 1.into());
        action.insert("arguments".to_string(), self.members.clone().into());
        json::digest(&json::canonical(&action.into()))
    }
}
