//! `thoth.toml`: settings, secrets, and what each tool is granted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thoth_core::Mode;

use crate::document::{Key, Node, Place, Table};
use crate::error::{self, ConfigError, Problem};
use crate::limits::duration;
use crate::private::Private;
use crate::secrets::{SecretName, SecretSource};
use crate::toml_tree;
use crate::tool::ToolConfig;
use crate::words::shown;

/// The most tools, and the most secrets, of one file.
const ENTRIES_MAX: usize = 256;

/// The longest deadline of a policy call, as for the flag.
const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// What a `thoth.toml` says. It is read as a whole or refused as a whole: an unknown key, a rule that
/// would have no effect or a folder that is not there is an error that names line and column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// What flags and variables could say as well, and then would say instead.
    pub settings: Settings,
    /// The tools that are granted something, by their label.
    pub tools: Vec<ToolConfig>,
    /// Where the values of secrets come from.
    pub secrets: BTreeMap<SecretName, SecretSource>,
}

/// Settings that are a flag's too. An absent one is left to flags, variables and defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The policy file by which this process decides. Never together with `enforcer_url`.
    pub policy: Option<PathBuf>,
    /// The enforcer that decides.
    pub enforcer_url: Option<String>,
    /// The file that holds the API key.
    pub api_key_file: Option<PathBuf>,
    /// More certificate authorities, PEM.
    pub ca_file: Option<PathBuf>,
    /// The total deadline of one policy call, at most 10 min.
    pub timeout: Option<Duration>,
    /// Where events and holds are kept.
    pub state_dir: Option<PathBuf>,
    /// Whether nothing runs as long as there is no `tools.lock`.
    pub locked: bool,
    /// The tenant.
    pub tenant: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// The user for whom the agent works.
    pub user: Option<String>,
    /// The tools that the agent was approved for.
    pub scope: Option<Vec<String>>,
    /// The enforcement mode.
    pub mode: Option<Mode>,
    /// The deployment environment.
    pub environment: Option<String>,
    /// What a session may use over all of its calls.
    pub session: SessionSettings,
}

/// What a session may use over all of its calls. Where nothing is said there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionSettings {
    /// Calls that are asked for.
    pub calls: Option<u64>,
    /// Time that tools run, at most a day.
    pub time: Option<Duration>,
    /// Fuel that tools use.
    pub fuel: Option<u64>,
}

impl Config {
    /// Reads a file. Paths in it are relative to its folder.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is no regular file of at most [`crate::CONFIG_MAX`] bytes that only its
    /// owner's side can write, and for everything that [`Config::parse`] refuses.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = error::read(path)?;
        let base = error::folder_of(path)?;
        let config = Self::parse(&text, &base).and_then(|config| {
            // A tool that can write this file can grant.
            let mut private = Private::default();
            private.unchanged(path);
            config.keeps(&private)?;
            Ok(config)
        });
        config.map_err(|error| error.in_file(path))
    }

    /// Reads a text. Paths in it are relative to `base`. Components and granted folders must exist;
    /// nothing else is looked at. No folder may expose the state, a key or a secret's file, and none
    /// that can be written a policy, a component or a program that prints a secret.
    ///
    /// # Errors
    ///
    /// [`ConfigError::At`] with the first thing that is wrong.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ConfigError> {
        Ok(Self::from_node(&toml_tree::parse(text)?, base)?)
    }

    /// The tool whose component is this file. The path must be canonical, as the file's that is run:
    /// two names of a file are one component.
    pub fn tool(&self, component: &Path) -> Option<&ToolConfig> {
        self.tools.iter().find(|tool| tool.component == component)
    }

    fn from_node(node: &Node, base: &Path) -> Result<Self, Problem> {
        let table = node.table(&[
            "policy",
            "enforcer_url",
            "api_key_file",
            "ca_file",
            "timeout",
            "state_dir",
            "locked",
            "tenant",
            "agent",
            "user",
            "scope",
            "mode",
            "environment",
            "session",
            "secrets",
            "tools",
        ])?;
        let settings = Settings::from_table(&table, base)?;
        let secrets = table
            .optional("secrets", |node| secrets(node, base))?
            .unwrap_or_default();
        let mut tools: Vec<ToolConfig> = Vec::new();
        let entries = table.optional("tools", entries)?.unwrap_or_default();
        for (key, node) in entries {
            let tool = ToolConfig::from_node(&key.text, node, base, &secrets)?;
            if let Some(other) = tools.iter().find(|other| other.component == tool.component) {
                return Err(node.problem(format_args!(
                    "the component of `{}` is that of `{}` too: a component has one table",
                    shown(&tool.label),
                    shown(&other.label)
                )));
            }
            tools.push(tool);
        }
        let config = Self {
            settings,
            tools,
            secrets,
        };
        config.keeps(&config.private())?;
        Ok(config)
    }

    /// What is no tool's of all that the configuration names.
    pub fn private(&self) -> Private {
        let settings = &self.settings;
        let mut private = Private::default();
        let unseen = [&settings.state_dir, &settings.api_key_file];
        for path in unseen.into_iter().flatten() {
            private.unseen(path);
        }
        let unchanged = [&settings.policy, &settings.ca_file].into_iter().flatten();
        let components = self.tools.iter().map(|tool| &tool.component);
        for path in unchanged.chain(components) {
            private.unchanged(path);
        }
        for source in self.secrets.values() {
            private.source(source);
        }
        private
    }

    fn keeps(&self, private: &Private) -> Result<(), Problem> {
        for tool in &self.tools {
            for (folder, line) in tool.grants.files.iter().zip(&tool.lines.files) {
                if let Some(exposed) = private.exposed_by(folder) {
                    let at = Place {
                        line: *line,
                        column: 1,
                    };
                    return Err(Problem::new(
                        at,
                        format_args!(
                            "the folder exposes `{}`, which is not the tool's: grant a folder apart \
                             from it{}",
                            shown(&exposed.path.display().to_string()),
                            if exposed.may_be_seen {
                                ", or read-only"
                            } else {
                                ""
                            }
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Settings {
    fn from_table(table: &Table<'_>, base: &Path) -> Result<Self, Problem> {
        let path = |key| table.optional(key, |node| Ok(base.join(node.text()?)));
        let text = |key| table.optional(key, |node| node.text().map(str::to_owned));
        if let (Some(_), Some(url)) = (table.get("policy"), table.get("enforcer_url")) {
            return Err(url.problem("`policy` and `enforcer_url` exclude each other: keep one"));
        }
        let timeout = table.optional("timeout", duration)?;
        if let (Some(node), Some(true)) = (
            table.get("timeout"),
            timeout.map(|timeout| timeout > TIMEOUT_MAX),
        ) {
            return Err(node.problem("the deadline of a policy call is at most 10m"));
        }
        Ok(Self {
            policy: path("policy")?,
            enforcer_url: text("enforcer_url")?,
            api_key_file: path("api_key_file")?,
            ca_file: path("ca_file")?,
            timeout,
            state_dir: path("state_dir")?,
            locked: table.flag("locked")?,
            tenant: text("tenant")?,
            agent: text("agent")?,
            user: text("user")?,
            scope: table.optional("scope", Node::texts)?,
            mode: table.optional("mode", Node::parsed)?,
            environment: text("environment")?,
            session: table
                .optional("session", SessionSettings::from_node)?
                .unwrap_or_default(),
        })
    }
}

impl SessionSettings {
    fn from_node(node: &Node) -> Result<Self, Problem> {
        let table = node.table(&["calls", "time", "fuel"])?;
        let count = |key| {
            table.optional(key, |node| match node.count()? {
                0 => Err(node.problem("a budget of 0 lets nothing run: write a number above 0")),
                count => Ok(count),
            })
        };
        Ok(Self {
            calls: count("calls")?,
            time: table.optional("time", duration)?,
            fuel: count("fuel")?,
        })
    }
}

/// The entries of a table that people name.
fn entries(node: &Node) -> Result<&[(Key, Node)], Problem> {
    let entries = node.entries()?;
    if entries.len() > ENTRIES_MAX {
        return Err(node.problem(format_args!(
            "there are more than {ENTRIES_MAX} entries here"
        )));
    }
    Ok(entries)
}

fn secrets(node: &Node, base: &Path) -> Result<BTreeMap<SecretName, SecretSource>, Problem> {
    entries(node)?
        .iter()
        .map(|(key, node)| {
            let name: SecretName = key
                .text
                .parse()
                .map_err(|error| Problem::new(key.at, error))?;
            Ok((name, secret(node, base)?))
        })
        .collect()
}

fn secret(node: &Node, base: &Path) -> Result<SecretSource, Problem> {
    let table = node.table(&["file", "command"])?;
    match (table.get("file"), table.get("command")) {
        (Some(file), None) => Ok(SecretSource::File(base.join(file.text()?))),
        (None, Some(command)) => {
            let mut words = command.texts()?;
            match words.first_mut() {
                None => Err(command.problem("the command is empty: name a program")),
                // A bare name is looked up by the system, a path is relative to this file.
                Some(program) if program.contains('/') => {
                    let path = base.join(&*program);
                    *program = path
                        .to_str()
                        .ok_or_else(|| command.problem("the program's path is not UTF-8"))?
                        .to_owned();
                    Ok(SecretSource::Command(words))
                }
                Some(_) => Ok(SecretSource::Command(words)),
            }
        }
        (Some(_), Some(_)) | (None, None) => Err(node.problem(
            "a secret has either a `file` or a `command`, for instance \
             `file = \"/run/secrets/github\"`",
        )),
    }
}
