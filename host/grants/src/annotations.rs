//! What clients are told about the nature of tools: an operator's word, never a component's.

use std::collections::BTreeMap;

use crate::document::Node;
use crate::error::Problem;
use crate::words::shown;

/// The longest title, in characters.
const TITLE_MAX: usize = 80;

/// The most functions of one component that are written down.
const FUNCTIONS_MAX: usize = 256;

/// What clients are told about one tool, in MCP's words (`ToolAnnotations`). What is absent is not told.
/// They are hints for whoever shows or orders tools; no decision hangs on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    /// What people read instead of the name.
    pub title: Option<String>,
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It may destroy or overwrite.
    pub destructive: Option<bool>,
    /// To call it again with the same arguments changes nothing more.
    pub idempotent: Option<bool>,
    /// It deals with a world that is open, as that of a web search is.
    pub open_world: Option<bool>,
}

/// The annotations of one component's tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolAnnotations {
    /// Of each tool.
    all: Annotations,
    /// Of one, by the name under which it is offered, and the line where that is written.
    one: BTreeMap<String, (usize, Annotations)>,
}

impl ToolAnnotations {
    /// What is told about the tool that is offered by this name: what is said of it, and for the rest
    /// what is said of all.
    #[must_use]
    pub fn of(&self, name: &str) -> Annotations {
        match self.one.get(name) {
            Some((_, own)) => own.clone().or(&self.all),
            None => self.all.clone(),
        }
    }

    /// A function that is written down and is none of these, with its line.
    pub fn unknown<'a>(&'a self, names: &[&str]) -> Option<(&'a str, usize)> {
        let unknown = |name: &&String| !names.contains(&name.as_str());
        let name = self.one.keys().find(unknown)?;
        Some((name, self.one.get(name)?.0))
    }

    pub(crate) fn from_nodes(all: Option<&Node>, one: Option<&Node>) -> Result<Self, Problem> {
        let mut annotations = Self {
            all: all
                .map(Annotations::from_node)
                .transpose()?
                .unwrap_or_default(),
            one: BTreeMap::new(),
        };
        let Some(one) = one else {
            return Ok(annotations);
        };
        let functions = one.entries()?;
        if functions.len() > FUNCTIONS_MAX {
            return Err(one.problem(format_args!(
                "there are more than {FUNCTIONS_MAX} functions here"
            )));
        }
        for (key, node) in functions {
            let function = node.table(&["annotations"])?;
            let own = Annotations::from_node(function.required("annotations")?)?;
            annotations.one.insert(key.text.clone(), (key.at.line, own));
        }
        Ok(annotations)
    }
}

impl Annotations {
    fn from_node(node: &Node) -> Result<Self, Problem> {
        let table = node.table(&[
            "title",
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        ])?;
        let hint = |key| table.optional(key, Node::boolean);
        let annotations = Self {
            title: table.optional("title", title)?,
            read_only: hint("readOnlyHint")?,
            destructive: hint("destructiveHint")?,
            idempotent: hint("idempotentHint")?,
            open_world: hint("openWorldHint")?,
        };
        if let (Some(true), Some(true)) = (annotations.read_only, annotations.destructive) {
            return Err(node.problem(
                "`readOnlyHint` and `destructiveHint` exclude each other: what changes nothing \
                 destroys nothing",
            ));
        }
        Ok(annotations)
    }

    fn or(self, all: &Self) -> Self {
        let mut one = Self {
            title: self.title.or_else(|| all.title.clone()),
            read_only: self.read_only.or(all.read_only),
            destructive: self.destructive.or(all.destructive),
            idempotent: self.idempotent.or(all.idempotent),
            open_world: self.open_world.or(all.open_world),
        };
        if one.read_only == Some(true) && one.destructive == Some(true) {
            // What is said of the one counts; the other was said of all.
            match self.read_only {
                Some(_) => one.destructive = None,
                None => one.read_only = None,
            }
        }
        one
    }
}

fn title(node: &Node) -> Result<String, Problem> {
    let title = node.text()?.trim();
    if title.chars().count() > TITLE_MAX || title.contains(char::is_control) {
        return Err(node.problem(format_args!(
            "`{}` cannot be a title: use at most {TITLE_MAX} printable characters",
            shown(title)
        )));
    }
    Ok(title.to_owned())
}
