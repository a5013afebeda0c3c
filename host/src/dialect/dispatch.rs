//! A model's wish for a call, made a governed call, and what came of it as the message that answers.

use std::time::Duration;

use serde_json::{Value, json};
use thoth_core::{FailureCause, Outcome};

use super::Dialect;
use super::request::Request;
use crate::answer::Answer;
use crate::session::Session;
use crate::toolbox::Tools;

impl Session {
    /// Makes the call that a model asks for, and gives the message to answer it with: for Anthropic a
    /// `tool_result` block for a `tool_use` block, for OpenAI a message of the role `tool` for an entry
    /// of `tool_calls`, for Responses a `function_call_output` for a `function_call`, for MCP the
    /// unstructured result of a `tools/call` with these parameters.
    ///
    /// A call that a human must approve is waited for, at most for `wait`, and then answered as
    /// pending. What is refused, fails, names no tool or is no request at all is answered with an
    /// error that says what the model can do; nothing in a message leads to a panic.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     session: thoth_host::Session,
    /// #     tools: thoth_host::toolbox::Tools,
    /// #     assistant: serde_json::Value,
    /// # ) {
    /// use std::time::Duration;
    /// use thoth_host::Dialect;
    ///
    /// let mut results = Vec::new();
    /// for block in assistant["content"].as_array().into_iter().flatten() {
    ///     if block["type"] == "tool_use" {
    ///         results.push(session.dispatch(Dialect::Anthropic, &tools, block, Duration::ZERO).await);
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// As [`Session::call`].
    pub async fn dispatch(
        &self,
        dialect: Dialect,
        tools: &Tools,
        request: &Value,
        wait: Duration,
    ) -> Value {
        let (id, answer) = match Request::read(dialect, request) {
            Ok(request) => {
                let answer = self.answer(dialect, tools, &request, wait).await;
                (request.id, answer)
            }
            Err(bad) => {
                let next = "ask for a call of one of the tools";
                let cause = FailureCause::InvalidArguments;
                (bad.id, Answer::not_made(&bad.name, cause, &bad.why, next))
            }
        };
        dialect.message(&id, answer)
    }

    async fn answer(
        &self,
        dialect: Dialect,
        tools: &Tools,
        request: &Request,
        wait: Duration,
    ) -> Answer {
        // By what the API was told, and no other name: that may be another tool's.
        let named = tools
            .iter()
            .find(|(definition, _)| dialect.name(&definition.name) == request.name);
        let Some((definition, tool)) = named else {
            let known: Vec<String> = tools
                .iter()
                .map(|(definition, _)| dialect.name(&definition.name))
                .collect();
            let why = format!("there is no such tool; there is: {}", known.join(", "));
            let next = "call one of the tools that there are";
            return Answer::not_made(&request.name, FailureCause::UnknownTool, &why, next);
        };
        match self.call(tool, &definition.name, &request.arguments).await {
            Err(error) => Answer::misfit(&definition.name, &error),
            Ok(call) => match &call.outcome {
                Outcome::Pending(_) if !wait.is_zero() => {
                    Answer::of(&self.wait(call, Some(wait)).await)
                }
                _ => Answer::of(&call),
            },
        }
    }
}

impl Dialect {
    /// The message that answers a request.
    fn message(self, id: &str, answer: Answer) -> Value {
        let (text, is_error) = match answer {
            Answer::Result(result) => (result, false),
            Answer::Error(object) => (Value::Object(object).to_string(), true),
        };
        match self {
            Self::Anthropic => json!({
                "type": "tool_result", "tool_use_id": id, "content": text, "is_error": is_error,
            }),
            Self::OpenAi => json!({ "role": "tool", "tool_call_id": id, "content": text }),
            Self::OpenAiResponses => {
                json!({ "type": "function_call_output", "call_id": id, "output": text })
            }
            Self::Mcp => json!({
                "content": [{ "type": "text", "text": text }], "isError": is_error,
            }),
        }
    }
}
