//! Decisions as a healthy policy service words them.

use serde_json::{Map, Value, json};

use super::{Reply, Request};

/// A decision. It says both decision fields and echoes the request's correlation ids.
#[derive(Clone, Debug)]
pub struct Answer(Map<String, Value>);

impl Answer {
    /// A decision in one word.
    #[must_use]
    pub fn decision(word: &str) -> Self {
        let mut members = Map::new();
        members.insert("decision".to_owned(), word.into());
        members.insert("authorization_decision".to_owned(), word.into());
        Self(members)
    }

    /// Runs the call.
    #[must_use]
    pub fn allow() -> Self {
        Self::decision("ALLOW")
    }

    /// Refuses the call.
    #[must_use]
    pub fn block(reason: &str) -> Self {
        Self::decision("BLOCK").with("reason", reason)
    }

    /// Holds the call for a human.
    #[must_use]
    pub fn step_up(token: &str) -> Self {
        Self::decision("STEP_UP")
            .with("hold_token", token)
            .with("step_up_timeout_seconds", 900)
    }

    /// Runs the call with other arguments.
    #[must_use]
    pub fn modify(arguments: Value) -> Self {
        Self::decision("MODIFY").with("modified_tool_args", arguments)
    }

    /// Puts the call off.
    #[must_use]
    pub fn defer(reason: &str, seconds: u32) -> Self {
        Self::decision("DEFER")
            .with("defer_reason", reason)
            .with("defer_timeout_seconds", seconds)
    }

    /// A hold that nobody has decided on.
    #[must_use]
    pub fn unresolved(token: &str) -> Self {
        Self::decision("STEP_UP")
            .with("token", token)
            .with("resolved", false)
            .with("resolution", Value::Null)
    }

    /// A hold that was decided on, in the one shape that every client accepts.
    #[must_use]
    pub fn resolved(token: &str, resolution: &str) -> Self {
        Self::decision(resolution)
            .with("token", token)
            .with("resolved", true)
            .with("resolution", resolution)
    }

    /// With one more member, or another value for one.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Without a member.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The answer to one request, as JSON text.
    #[must_use]
    pub fn text(&self, request: &Request) -> String {
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let mut members = self.0.clone();
        for name in ["enforcement_trace_id", "action_attestation_id"] {
            if let Some(id) = asked.get(name) {
                members.entry(name).or_insert_with(|| id.clone());
            }
        }
        json!(members).to_string()
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Reply::derived(move |request| Reply::json(200, &answer.text(request)))
    }
}
