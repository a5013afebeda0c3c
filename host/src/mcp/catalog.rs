//! What is offered: the functions of all components under one name each, in an order that stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool as Listed};
use serde_json::{Value, json};

use crate::tool::{Definition, Tool, inert};
use crate::toolbox::Tools;

/// The longest description that is passed on, in characters.
const DESCRIPTION_MAX: usize = 4_000;

/// The longest title, in characters.
const TITLE_MAX: usize = 80;

/// One tool as it is offered.
#[derive(Debug)]
pub(super) struct Offered {
    /// The component it is of.
    pub(super) tool: Tool,
    /// As it is listed for clients that take any JSON as a result.
    listed: Listed,
    /// As it is listed for clients that take objects only.
    listed_for_older: Listed,
    /// Whether a result for the latter is wrapped in an object, as `{"result": …}`.
    pub(super) wraps: bool,
}

/// All tools, by name.
#[derive(Debug, Default)]
pub(super) struct Catalog(BTreeMap<String, Offered>);

impl Catalog {
    pub(super) fn new(tools: &Tools) -> Self {
        let offered = tools.iter().map(|(definition, tool)| {
            let offered = Offered::new(tool, definition);
            (definition.name.clone(), offered)
        });
        Self(offered.collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Offered> {
        self.0.get(name)
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// As `tools/list` gives it, by name.
    pub(super) fn list(&self, takes_any_json: bool) -> Vec<Listed> {
        let listed = |offered: &Offered| match takes_any_json {
            true => offered.listed.clone(),
            false => offered.listed_for_older.clone(),
        };
        self.0.values().map(listed).collect()
    }
}

impl Offered {
    fn new(tool: &Tool, definition: &Definition) -> Self {
        let mut description = readable(&definition.description, DESCRIPTION_MAX);
        if description.is_empty() {
            description = format!("{}. Its author wrote no description.", definition.usage());
        }
        let input = Arc::new(object(&definition.input_schema));
        let name = definition.name.clone();
        let mut listed = Listed::new(name, description, input);
        listed.title = Some(title(definition));
        let mut listed_for_older = listed.clone();
        let mut wraps = false;
        if let Some(schema) = &definition.output_schema {
            wraps = schema.get("type") != Some(&json!("object"));
            let older = if wraps {
                json!({ "type": "object", "properties": { "result": schema }, "required": ["result"] })
            } else {
                schema.clone()
            };
            listed.output_schema = Some(Arc::new(object(schema)));
            listed_for_older.output_schema = Some(Arc::new(object(&older)));
        }
        Self {
            tool: tool.clone(),
            listed,
            listed_for_older,
            wraps,
        }
    }

    /// As `tools/list` gives it.
    pub(super) fn listed(&self) -> &Listed {
        &self.listed
    }
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
