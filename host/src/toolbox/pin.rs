//! What is written down of a component when it is locked: its bytes, its world, and what a model is told.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thoth_core::json::{canonical, digest};

use crate::tool::{Definition, Tool};

/// A schema above this is pinned by its digest alone, in bytes of compact text.
const SHOWN_MAX: usize = 32 << 10;

/// One component as it was when somebody looked at it and took it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// What people call it.
    pub name: String,
    /// The component's file: relative to the lock's folder if it is below that.
    pub path: String,
    /// SHA-256 of the file, in lower-case hex.
    pub sha256: String,
    /// What it imports and exports.
    pub world: World,
    /// The tools it offers, as a model is told of them.
    pub tools: Vec<PinnedTool>,
}

/// The names of everything that a component asks for and gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// SHA-256 of the two lists, in lower-case hex.
    pub sha256: String,
    /// What it imports, sorted.
    pub imports: Vec<String>,
    /// The functions it exports, sorted: `acme:ledger/accounts@0.1.0#transfer`.
    pub exports: Vec<String>,
}

/// A tool as it was offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedTool {
    /// Its name.
    pub name: String,
    /// SHA-256 of everything that a model is told of it, in lower-case hex.
    pub sha256: String,
    /// What its author says it does.
    pub description: String,
    /// JSON Schema of the arguments; `null` where it is too large to be written down.
    pub input_schema: Value,
    /// JSON Schema of the result; `null` where it is not known, or too large.
    pub output_schema: Value,
}

impl Pin {
    /// What there is to write down of a tool.
    #[must_use]
    pub fn of(tool: &Tool, name: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            sha256: tool.sha256().to_owned(),
            world: World::of(tool),
            tools: tool.definitions().iter().map(PinnedTool::of).collect(),
        }
    }
}

impl World {
    fn of(tool: &Tool) -> Self {
        let mut imports = tool.imports().to_vec();
        let offered = tool.definitions().iter();
        let offered = offered.filter_map(|tool| Some(tool.export.as_ref()?.to_string()));
        let refused = tool.refused().iter().map(|refused| refused.export.clone());
        let mut exports: Vec<String> = offered.chain(refused).collect();
        if tool.is_provider() {
            exports.push(crate::tool::PROVIDER.to_owned());
        }
        imports.sort();
        exports.sort();
        let text = canonical(&json!({ "imports": imports, "exports": exports }));
        Self {
            sha256: digest(&text),
            imports,
            exports,
        }
    }
}

impl PinnedTool {
    fn of(definition: &Definition) -> Self {
        let output = definition.output_schema.clone().unwrap_or_default();
        let told = json!({
            "name": definition.name,
            "description": definition.description,
            "input_schema": definition.input_schema,
            "output_schema": output,
        });
        let shown = |schema: Value| {
            let fits = schema.to_string().len() <= SHOWN_MAX;
            if fits { schema } else { Value::Null }
        };
        Self {
            name: definition.name.clone(),
            sha256: digest(&canonical(&told)),
            description: definition.description.clone(),
            input_schema: shown(definition.input_schema.clone()),
            output_schema: shown(output),
        }
    }
}
