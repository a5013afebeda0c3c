//! The languages in which models are told of tools, and ask for calls of them.

mod dispatch;
mod names;
mod request;
mod schema;

use std::fmt;

use serde_json::{Value, json};

use crate::mcp::listed::{self, Results};
use crate::tool::{Definition, inert};

/// How an API writes tools down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Model Context Protocol: an entry of `tools/list`.
    Mcp,
    /// OpenAI's Chat Completions, and the many services that speak as it does.
    OpenAi,
    /// OpenAI's Responses.
    OpenAiResponses,
    /// Anthropic's Messages.
    Anthropic,
}

/// A tool that an API would not take, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{tool}` cannot be told to {dialect}: {why}")]
pub struct Untellable {
    tool: String,
    dialect: Dialect,
    why: String,
}

/// The longest description that OpenAI takes, in characters.
const OPENAI_DESCRIPTION_MAX: usize = 1_024;

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mcp => "MCP",
            Self::OpenAi => "OpenAI's Chat Completions",
            Self::OpenAiResponses => "OpenAI's Responses",
            Self::Anthropic => "Anthropic's Messages",
        })
    }
}

impl Dialect {
    /// The name of a tool in this dialect: its own where that has at most 64 characters, which is what
    /// OpenAI and Anthropic take; else its beginning and a part of its digest. No two tools get the same
    /// one: an own name that looks like one of the latter is told like these.
    #[must_use]
    pub fn name(self, tool: &str) -> String {
        match self {
            Self::Mcp => tool.to_owned(),
            Self::OpenAi | Self::OpenAiResponses | Self::Anthropic => names::fitting(tool),
        }
    }

    /// How many tools the API takes with one request, where it says so.
    #[must_use]
    pub fn tools_max(self) -> Option<usize> {
        match self {
            Self::OpenAi | Self::OpenAiResponses => Some(128),
            Self::Mcp | Self::Anthropic => None,
        }
    }

    /// A tool as this API takes it: an entry of the request's `tools`, or of MCP's `tools/list`.
    ///
    /// What a schema says that the API has no word for is left out, so it may permit more: a call is
    /// checked against the component's own types all the same.
    ///
    /// # Errors
    /// The arguments are described in a way that the API refuses. Only a component that describes its
    /// tools itself can do that, or one with a name of more than 64 characters in a record.
    pub fn definition(self, tool: &Definition) -> Result<Value, Untellable> {
        let name = self.name(&tool.name);
        let fail = |why: String| Untellable {
            tool: inert(&tool.name, 80),
            dialect: self,
            why: inert(&why, 300),
        };
        let function = || -> Result<Value, Untellable> {
            let function = json!({
                "name": name,
                "parameters": schema::openai(&tool.input_schema).map_err(fail)?,
                // Else Responses would make every argument a required one.
                "strict": false,
            });
            let description = cut(&tool.description, OPENAI_DESCRIPTION_MAX);
            Ok(with(function, "description", description))
        };
        match self {
            // The very entry that `thoth serve` lists for clients that take objects only: all take those.
            Self::Mcp => serde_json::to_value(listed::of(tool, Results::Objects))
                .map_err(|error| fail(error.to_string())),
            Self::OpenAi => Ok(json!({ "type": "function", "function": function()? })),
            Self::OpenAiResponses => Ok(with(function()?, "type", "function".into())),
            Self::Anthropic => {
                let schema = schema::anthropic(&tool.input_schema).map_err(fail)?;
                let definition = json!({ "name": name, "input_schema": schema });
                Ok(with(definition, "description", tool.description.clone()))
            }
        }
    }
}

/// An object with one member more, if that says anything.
fn with(mut object: Value, key: &str, value: String) -> Value {
    if let Some(entry) = object.as_object_mut()
        && !value.is_empty()
    {
        entry.insert(key.into(), value.into());
    }
    object
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most - 1).collect();
    cut.push('…');
    cut
}
