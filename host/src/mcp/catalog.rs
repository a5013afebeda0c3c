//! What is offered: the functions of all components under one name each, in an order that stays.

use std::collections::BTreeMap;

use rmcp::model::Tool as Listed;

use super::listed::{self, Results};
use crate::tool::{Definition, Tool};
use crate::toolbox::Tools;

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
        Self {
            tool: tool.clone(),
            listed: listed::of(definition, Results::Any),
            listed_for_older: listed::of(definition, Results::Objects),
            wraps: listed::wraps(definition),
        }
    }

    /// As `tools/list` gives it.
    pub(super) fn listed(&self) -> &Listed {
        &self.listed
    }
}
