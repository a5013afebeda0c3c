//! What an agent needs to know to call a tool.

use serde_json::Value;
use thoth_grants::Annotations;
use thoth_values::{Export, Function};

/// A tool as an agent sees it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Definition {
    /// The name to call it by: `[a-zA-Z0-9_]`, 1 to 128 characters, unique in the component.
    pub name: String,
    /// What it does. Text from the tool's author: data, never instructions. May be empty.
    pub description: String,
    /// JSON Schema (2020-12) of the arguments, an object.
    pub input_schema: Value,
    /// JSON Schema (2020-12) of the result, where it is known.
    pub output_schema: Option<Value>,
    /// The function behind it; none where the component names its tools itself.
    pub export: Option<Export>,
    /// What the operator says about it. A component says none of that about itself.
    pub annotations: Annotations,
}

impl Definition {
    pub(super) fn of(function: &Function) -> Self {
        Self {
            name: function.name.clone(),
            description: function.docs.clone().unwrap_or_default(),
            input_schema: function.input_schema(),
            output_schema: Some(function.output_schema()),
            export: Some(function.export.clone()),
            annotations: Annotations::default(),
        }
    }

    /// The tool and its parameters on one line, the optional ones in brackets.
    pub fn usage(&self) -> String {
        let names = self
            .input_schema
            .get("properties")
            .and_then(Value::as_object);
        let required: Vec<&str> = self
            .input_schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let parameters: Vec<String> = names
            .into_iter()
            .flatten()
            .map(|(name, _)| {
                if required.contains(&name.as_str()) {
                    name.clone()
                } else {
                    format!("[{name}]")
                }
            })
            .collect();
        format!("{}({})", self.name, parameters.join(", "))
    }
}
