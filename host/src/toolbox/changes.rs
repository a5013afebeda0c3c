//! What is another than it was when a component was locked, said so that a person can judge it.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use super::pin::{Pin, PinnedTool};
use crate::tool::inert;

/// The most characters that are repeated of a description.
const QUOTED_MAX: usize = 200;

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The file's digest.
    Bytes {
        /// What was locked.
        was: String,
        /// What is there.
        is: String,
    },
    /// It can ask for more.
    ImportAdded(String),
    /// It asks for less.
    ImportRemoved(String),
    /// It gives more.
    ExportAdded(String),
    /// It gives less.
    ExportRemoved(String),
    /// There is a tool that was not there.
    ToolAdded(String),
    /// A tool is gone.
    ToolRemoved(String),
    /// A tool describes itself in other words.
    Description {
        /// The tool.
        tool: String,
        /// Its words now.
        is: String,
    },
    /// A tool takes other arguments.
    Input {
        /// The tool.
        tool: String,
        /// Which, as far as it can be told.
        how: String,
    },
    /// A tool gives another result.
    Output(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |digest: &str| digest.chars().take(12).collect::<String>();
        let name = |text: &str| inert(text, 160);
        match self {
            Self::Bytes { was, is } => write!(f, "sha256 {}… is {}…", short(was), short(is)),
            Self::ImportAdded(import) => write!(f, "new import `{}`", name(import)),
            Self::ImportRemoved(import) => write!(f, "import `{}` is gone", name(import)),
            Self::ExportAdded(export) => write!(f, "new export `{}`", name(export)),
            Self::ExportRemoved(export) => write!(f, "export `{}` is gone", name(export)),
            Self::ToolAdded(tool) => write!(f, "new tool `{}`", name(tool)),
            Self::ToolRemoved(tool) => write!(f, "tool `{}` is gone", name(tool)),
            Self::Description { tool, is } => write!(
                f,
                "`{}` describes itself as \"{}\"",
                name(tool),
                inert(
                    &is.split_whitespace().collect::<Vec<_>>().join(" "),
                    QUOTED_MAX
                )
            ),
            Self::Input { tool, how } => {
                write!(
                    f,
                    "`{}` takes other arguments: {}",
                    name(tool),
                    inert(how, 300)
                )
            }
            Self::Output(tool) => write!(f, "`{}` gives another result", name(tool)),
        }
    }
}

impl Pin {
    /// What is another in `now`. Empty exactly where everything that is pinned is the same.
    #[must_use]
    pub fn changes(&self, now: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.sha256 != now.sha256 {
            changes.push(Change::Bytes {
                was: self.sha256.clone(),
                is: now.sha256.clone(),
            });
        }
        let (was, is) = (&self.world, &now.world);
        added(&was.imports, &is.imports, Change::ImportAdded, &mut changes);
        added(
            &is.imports,
            &was.imports,
            Change::ImportRemoved,
            &mut changes,
        );
        added(&was.exports, &is.exports, Change::ExportAdded, &mut changes);
        added(
            &is.exports,
            &was.exports,
            Change::ExportRemoved,
            &mut changes,
        );
        let names = |pin: &Self| -> Vec<String> {
            pin.tools.iter().map(|tool| tool.name.clone()).collect()
        };
        added(&names(self), &names(now), Change::ToolAdded, &mut changes);
        added(&names(now), &names(self), Change::ToolRemoved, &mut changes);
        for tool in &now.tools {
            let locked = self.tools.iter().find(|locked| locked.name == tool.name);
            if let Some(locked) = locked.filter(|locked| locked.sha256 != tool.sha256) {
                told(locked, tool, &mut changes);
            }
        }
        changes
    }
}

/// Adds what is in `is` and not in `was`.
fn added(was: &[String], is: &[String], change: fn(String) -> Change, changes: &mut Vec<Change>) {
    let was: BTreeSet<&String> = was.iter().collect();
    let new = is.iter().filter(|name| !was.contains(name));
    changes.extend(new.cloned().map(change));
}

/// Adds what is another in what a model is told of a tool.
fn told(was: &PinnedTool, is: &PinnedTool, changes: &mut Vec<Change>) {
    let before = changes.len();
    if was.description != is.description {
        changes.push(Change::Description {
            tool: is.name.clone(),
            is: is.description.clone(),
        });
    }
    if was.output_schema != is.output_schema {
        changes.push(Change::Output(is.name.clone()));
    }
    // What is too large to be written down can only be said to be another.
    if was.input_schema != is.input_schema || changes.len() == before {
        changes.push(Change::Input {
            tool: is.name.clone(),
            how: arguments(&was.input_schema, &is.input_schema),
        });
    }
}

fn arguments(was: &Value, is: &Value) -> String {
    let none = Map::new();
    let properties = |schema: &Value| -> Map<String, Value> {
        let properties = schema.get("properties").and_then(Value::as_object);
        properties.unwrap_or(&none).clone()
    };
    let required = |schema: &Value| -> BTreeSet<String> {
        let required = schema.get("required").and_then(Value::as_array);
        let names = required.into_iter().flatten().filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    };
    let (old, new) = (properties(was), properties(is));
    let (needed, needs) = (required(was), required(is));
    let mut how = Vec::new();
    for (name, schema) in &new {
        match old.get(name) {
            None if needs.contains(name) => how.push(format!("new `{name}`")),
            None => how.push(format!("new `{name}`, optional")),
            Some(_) if needed.contains(name) != needs.contains(name) => {
                let now = if needs.contains(name) {
                    "required"
                } else {
                    "optional"
                };
                how.push(format!("`{name}` is {now}"));
            }
            Some(before) if before != schema => how.push(format!("`{name}` is another")),
            Some(_) => {}
        }
    }
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    how.extend(gone.map(|name| format!("`{name}` is gone")));
    if how.is_empty() {
        how.push("its schema is another".to_owned());
    }
    how.join(", ")
}
