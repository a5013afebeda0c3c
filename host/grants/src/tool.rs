//! One tool of a `thoth.toml`: a component, its limits and its grants.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::annotations::ToolAnnotations;
use crate::document::{Node, Table};
use crate::error::{Problem, Warning};
use crate::files::{BadFolder, FileGrant};
use crate::grants::{Grants, Unused};
use crate::keep::Keep;
use crate::limits::LimitSettings;
use crate::network::NetworkRule;
use crate::rule::{self, DEFAULT_METHODS};
use crate::secrets::{SecretName, SecretSource};
use crate::words::shown;

/// The longest label, in characters.
const LABEL_MAX: usize = 64;

/// The longest prefix of tools' names, in characters.
const PREFIX_MAX: usize = 32;

/// What one component is granted, and what a call of it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolConfig {
    /// What people call it.
    pub label: String,
    /// The component's file, canonical.
    pub component: PathBuf,
    /// What the names of its tools begin with, for two components that offer the same name.
    pub prefix: Option<String>,
    /// SHA-256 of the file: this very component or none.
    pub sha256: Option<[u8; 32]>,
    /// What a call may use.
    pub limits: LimitSettings,
    /// How much of its arguments and results the log keeps.
    pub keep: Keep,
    /// What clients are told about its tools.
    pub annotations: ToolAnnotations,
    /// What it may reach for.
    pub grants: Grants,
    /// Where all that is written.
    pub lines: Lines,
}

/// Lines of the configuration file, from 1, for messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// The tool's table.
    pub tool: usize,
    /// Each network rule.
    pub network: Vec<usize>,
    /// Each folder.
    pub files: Vec<usize>,
    /// The list of variables, 0 if there is none.
    pub environment: usize,
    /// The list of secrets, 0 if there is none.
    pub secrets: usize,
}

impl ToolConfig {
    /// Grants that a component with these imports has no use for, with their first line.
    pub fn unused(&self, imports: &[&str]) -> Vec<Warning> {
        let first = |lines: &[usize]| lines.first().copied().unwrap_or(self.lines.tool);
        self.grants
            .unused(imports)
            .into_iter()
            .map(|unused| Warning {
                line: match unused {
                    Unused::Network => first(&self.lines.network),
                    Unused::Files => first(&self.lines.files),
                    Unused::Environment => self.lines.environment,
                    Unused::Secrets => self.lines.secrets,
                },
                message: unused.to_string(),
            })
            .collect()
    }

    pub(crate) fn from_node(
        label: &str,
        node: &Node,
        base: &Path,
        secrets: &BTreeMap<SecretName, SecretSource>,
    ) -> Result<Self, Problem> {
        if label.is_empty() || label.chars().count() > LABEL_MAX || label.contains(char::is_control)
        {
            return Err(node.problem(format_args!(
                "`{}` cannot be a tool's label: use at most {LABEL_MAX} printable characters",
                shown(label)
            )));
        }
        let table = node.table(&[
            "component",
            "prefix",
            "sha256",
            "limits",
            "keep",
            "annotations",
            "functions",
            "network",
            "files",
            "environment",
            "secrets",
        ])?;
        let mut tool = Self {
            label: label.into(),
            component: component(table.required("component")?, base)?,
            prefix: table.optional("prefix", prefix)?,
            sha256: table.optional("sha256", digest)?,
            limits: table
                .optional("limits", LimitSettings::from_node)?
                .unwrap_or_default(),
            keep: table.optional("keep", Node::parsed)?.unwrap_or_default(),
            annotations: ToolAnnotations::from_nodes(
                table.get("annotations"),
                table.get("functions"),
            )?,
            grants: Grants::default(),
            lines: Lines {
                tool: node.at.line,
                ..Lines::default()
            },
        };
        tool.read_grants(&table, base, secrets)?;
        Ok(tool)
    }

    fn read_grants(
        &mut self,
        table: &Table<'_>,
        base: &Path,
        secrets: &BTreeMap<SecretName, SecretSource>,
    ) -> Result<(), Problem> {
        let Self { grants, lines, .. } = self;
        for node in table.items("network")? {
            grants
                .add_network(network(node)?)
                .map_err(|conflict| node.problem(conflict))?;
            lines.network.push(node.at.line);
        }
        for node in table.items("files")? {
            grants
                .add_files(files(node, base)?)
                .map_err(|conflict| node.problem(conflict))?;
            lines.files.push(node.at.line);
        }
        for node in table.items("environment")? {
            grants
                .add_environment(node.text()?)
                .map_err(|conflict| node.problem(conflict))?;
        }
        for node in table.items("secrets")? {
            let name: SecretName = node.parsed()?;
            if !secrets.contains_key(&name) {
                return Err(node.problem(format_args!(
                    "there is no secret `{name}`: say where it is, in a table `[secrets.{name}]`"
                )));
            }
            grants
                .add_secret(name)
                .map_err(|conflict| node.problem(conflict))?;
        }
        let line = |key| table.get(key).map_or(0, |node| node.at.line);
        lines.environment = line("environment");
        lines.secrets = line("secrets");
        Ok(())
    }
}

fn component(node: &Node, base: &Path) -> Result<PathBuf, Problem> {
    let path = base.join(node.text()?);
    let missing = |error| {
        node.problem(format_args!(
            "cannot find the component `{}`: {error}; build it, or correct the path",
            shown(&path.display().to_string())
        ))
    };
    let path = path.canonicalize().map_err(missing)?;
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => Ok(path),
        Ok(_) => Err(node.problem("the component is not a regular file")),
        Err(error) => Err(missing(error)),
    }
}

fn prefix(node: &Node) -> Result<String, Problem> {
    let text = node.text()?;
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !plain || !(1..=PREFIX_MAX).contains(&text.len()) {
        return Err(node.problem(format_args!(
            "a prefix is 1 to {PREFIX_MAX} of `a-z 0-9 _`: with `crm`, `search` is `crm_search`"
        )));
    }
    Ok(text.to_owned())
}

fn digest(node: &Node) -> Result<[u8; 32], Problem> {
    let text = node.text()?;
    let bad =
        || node.problem("a SHA-256 digest is 64 hexadecimal digits, as `sha256sum` prints it");
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()
        .ok_or_else(bad)?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    if !rest.is_empty() {
        return Err(bad());
    }
    bytes.try_into().map_err(|_| bad())
}

fn network(node: &Node) -> Result<NetworkRule, Problem> {
    let table = node.table(&["url", "methods", "headers", "allow_private", "govern"])?;
    let url = table.required("url")?;
    let mut methods = DEFAULT_METHODS.to_vec();
    if let Some(list) = table.get("methods") {
        methods.clear();
        for item in list.list()? {
            methods.push(rule::method(item.text()?).map_err(|error| item.problem(error))?);
        }
    }
    let mut headers = Vec::new();
    for item in table.items("headers")? {
        headers.push(rule::header_name(item.text()?).map_err(|error| item.problem(error))?);
    }
    NetworkRule::new(
        url.text()?,
        methods,
        headers,
        table.flag("allow_private")?,
        table.flag("govern")?,
    )
    .map_err(|error| url.problem(error))
}

fn files(node: &Node, base: &Path) -> Result<FileGrant, Problem> {
    let table = node.table(&["host", "guest", "access", "govern"])?;
    let host = table.required("host")?;
    let guest = table.required("guest")?;
    FileGrant::new(
        &base.join(host.text()?),
        guest.text()?,
        table.required("access")?.parsed()?,
        table.flag("govern")?,
    )
    .map_err(|error| match error {
        BadFolder::Guest(_) => guest.problem(error),
        error => host.problem(error),
    })
}
