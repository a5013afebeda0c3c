//! Says itself what it offers, in the terms of `thoth:governance/tool`.

use exports::thoth::governance::tool::{Definition, Guest};
use serde_json::{Value, json};
use thoth::governance::types::{FailureCause, ToolFailure};

wit_bindgen::generate!({ path: "../../../wit", world: "tool-provider" });

struct Provider;

impl Guest for Provider {
    fn list_tools() -> Vec<Definition> {
        let text = json!({"type": "string"}).to_string();
        let input = json!({
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": false,
        });
        vec![
            Definition {
                name: "shout".to_owned(),
                description: "Gives a text in capitals.".to_owned(),
                input_schema: input.to_string(),
                output_schema: Some(text),
            },
            Definition {
                name: "give_up".to_owned(),
                description: "Fails with its own error.".to_owned(),
                input_schema: json!({"type": "object"}).to_string(),
                output_schema: None,
            },
        ]
    }

    fn call_tool(name: String, arguments: String) -> Result<String, ToolFailure> {
        let arguments: Value = serde_json::from_str(&arguments)
            .map_err(|error| failure(FailureCause::InvalidArguments, error.to_string()))?;
        match name.as_str() {
            "shout" => match &arguments["text"] {
                Value::String(text) => Ok(json!(text.to_uppercase()).to_string()),
                _ => Err(failure(
                    FailureCause::InvalidArguments,
                    "arguments.text: expected string".to_owned(),
                )),
            },
            "give_up" => Err(ToolFailure {
                error: Some(json!({"code": 7}).to_string()),
                ..failure(FailureCause::ToolError, "it gave up".to_owned())
            }),
            _ => Err(failure(
                FailureCause::UnknownTool,
                format!("there is no tool `{name}`"),
            )),
        }
    }
}

fn failure(cause: FailureCause, message: String) -> ToolFailure {
    ToolFailure {
        cause,
        message,
        error: None,
    }
}

export!(Provider);
