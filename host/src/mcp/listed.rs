//! A tool in the words of `tools/list`.
//!
//! What its author wrote is data. What is said about its nature is the operator's word alone.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool as Listed, ToolAnnotations};
use serde_json::{Value, json};

use crate::tool::{Definition, inert};

/// The longest description that is passed on, in characters.
const DESCRIPTION_MAX: usize = 4_000;

/// The longest title, in characters.
const TITLE_MAX: usize = 80;

/// What a client takes as a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Results {
    /// Any JSON, as from 2026-07-28 on (SEP-2106).
    Any,
    /// Objects only.
    Objects,
}

/// The entry of a tool.
pub(crate) fn of(definition: &Definition, results: Results) -> Listed {
    let mut description = readable(&definition.description, DESCRIPTION_MAX);
    if description.is_empty() {
        description = format!("{}. Its author wrote no description.", definition.usage());
    }
    let input = Arc::new(object(&definition.input_schema));
    let mut listed = Listed::new(definition.name.clone(), description, input);
    let configured = definition.annotations.title.clone();
    listed.title = Some(configured.unwrap_or_else(|| title(definition)));
    listed.annotations = annotations(definition);
    listed.output_schema = definition.output_schema.as_ref().map(|schema| {
        Arc::new(match results {
            Results::Objects if wraps(definition) => object(&json!({
                "type": "object", "properties": { "result": schema }, "required": ["result"],
            })),
            Results::Any | Results::Objects => object(schema),
        })
    });
    listed
}

/// Whether a result is wrapped in an object, as `{"result": …}`, for a client that takes objects only.
pub(super) fn wraps(definition: &Definition) -> bool {
    let schema = definition.output_schema.as_ref();
    schema.is_some_and(|schema| schema.get("type") != Some(&json!("object")))
}

/// What the configuration says; nothing where it says nothing.
fn annotations(definition: &Definition) -> Option<ToolAnnotations> {
    let said = &definition.annotations;
    let annotations = ToolAnnotations::from_raw(
        said.title.clone(),
        said.read_only,
        said.destructive,
        said.idempotent,
        said.open_world,
    );
    (annotations != ToolAnnotations::default()).then_some(annotations)
}

fn object(schema: &Value) -> JsonObject {
    schema.as_object().cloned().unwrap_or_default()
}

/// The first sentence of the docs where it is short, else the name in words.
fn title(definition: &Definition) -> String {
    let docs = definition.description.trim();
    let end = docs.find(". ").or_else(|| docs.find(".\n"));
    let sentence = match end {
        Some(end) => docs.get(..end).unwrap_or_default(),
        None => docs.strip_suffix('.').unwrap_or(docs),
    };
    let words = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    if !words.is_empty() && words.chars().count() <= TITLE_MAX {
        return inert(&words, TITLE_MAX);
    }
    let words = definition.name.replace('_', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Text of a tool's author, with its lines, and with nothing that hides.
fn readable(text: &str, most: usize) -> String {
    let mut left = most;
    let mut lines = Vec::new();
    for line in text.lines() {
        if left == 0 {
            lines.push("…".to_owned());
            break;
        }
        lines.push(inert(line, left));
        left = left.saturating_sub(line.chars().count() + 1);
    }
    lines.join("\n").trim().to_owned()
}
