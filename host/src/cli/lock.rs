//! `thoth lock`: look at the components of a toolbox, and take them as they are.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use thoth_host::toolbox::{Lock, Pin, Toolbox};
use thoth_host::{Error, Inspector, default_cache_dir, inert};

use super::Exit;
use super::grants::ConfigArgs;
use super::progress::noticed;
use super::settings::jail;

/// Take the components as they are: pin their digests, worlds and schemas in `tools.lock`.
///
/// The lock is kept beside the configuration. Where there is one, nothing runs but what it pins, and a
/// component that changed is refused with what changed, until it is locked again. Without a component,
/// everything that the configuration names and the lock has is taken.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    thoth lock                  what thoth.toml names, and what was locked before\n  \
    thoth lock ./tools          the components of a folder as well\n  \
    thoth lock --check          say what changed and write nothing; exit code 1 if anything did")]
pub(super) struct Args {
    /// Components to take, or folders of them.
    components: Vec<PathBuf>,
    /// Write nothing; the exit code is 1 where the lock does not fit.
    #[arg(long)]
    check: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// What is to be said of one component.
struct Finding {
    name: String,
    path: String,
    sha256: String,
    status: &'static str,
    changes: Vec<String>,
    tools: Vec<String>,
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit> {
    let mut config = args.config.read()?;
    // To make a lock, none is needed.
    config.settings.locked = false;
    let path = args.config.lock().context(
        "there is no place for a lock: set HOME, or name a configuration with `--config FILE`",
    )?;
    let before = match Lock::read(&path)? {
        Some(lock) => lock,
        None => Lock::new(&path)?,
    };
    let mut places = args.components.clone();
    if places.is_empty() {
        places.extend(config.tools.iter().map(|tool| tool.component.clone()));
        let pinned = before.pins().iter().map(|pin| before.resolve(pin));
        places.extend(pinned.filter(|file| file.exists()));
        if places.is_empty() && before.pins().is_empty() {
            return Err(super::Usage(
                "there is nothing to lock: name a component or a folder, or list tools in thoth.toml"
                    .into(),
            )
            .into());
        }
    }
    let mut now = before.clone();
    let mut findings = Vec::new();
    if !places.is_empty() {
        let toolbox = places.iter().fold(Toolbox::new(config), Toolbox::place);
        let inspector = Inspector::new(jail()?, default_cache_dir().as_deref())?;
        let tools = noticed("compiling components", toolbox.inspect(&inspector)).await?;
        for refused in tools.refused() {
            match refused.why.as_ref() {
                Error::Ambiguous { .. } => say!("thoth: {}", inert(&refused.why.to_string(), 500)),
                why => anyhow::bail!("{why}; nothing was locked"),
            }
        }
        for component in tools.components() {
            let path = now.relative(component.path).with_context(|| {
                format!(
                    "`{}` cannot be locked: its path is not UTF-8",
                    component.path.display()
                )
            })?;
            let pin = Pin::of(component.tool, component.name, path);
            findings.push(Finding::of(before.pin(component.path), &pin));
            now.set(pin)?;
        }
    }
    // What a folder does not hold any more is locked no longer.
    for pin in before.pins() {
        let file = before.resolve(pin);
        let is_asked = args.components.is_empty()
            || args.components.iter().any(|place| {
                place
                    .canonicalize()
                    .is_ok_and(|place| file.starts_with(place))
            });
        if is_asked && !file.exists() {
            now.remove(&pin.path);
            findings.push(Finding::gone(pin));
        }
    }
    let fits = findings.iter().all(|finding| finding.status == "same");
    if !args.check && (!fits || !path.exists()) {
        now.save()?;
    }
    print(&args, &now, &findings);
    if args.check && !fits {
        say!(
            "thoth: `{}` does not fit what is there: if that is meant, run `thoth lock`",
            path.display()
        );
        return Ok(Exit::Host);
    }
    Ok(Exit::Completed)
}

impl Finding {
    fn of(before: Option<&Pin>, now: &Pin) -> Self {
        let changes = before.map(|before| before.changes(now));
        let status = match &changes {
            None => "new",
            Some(changes) if changes.is_empty() => "same",
            Some(_) => "changed",
        };
        let changes = changes.unwrap_or_default();
        Self {
            name: now.name.clone(),
            path: now.path.clone(),
            sha256: now.sha256.clone(),
            status,
            changes: changes.iter().map(ToString::to_string).collect(),
            tools: now.tools.iter().map(|tool| tool.name.clone()).collect(),
        }
    }

    fn gone(pin: &Pin) -> Self {
        Self {
            name: pin.name.clone(),
            path: pin.path.clone(),
            sha256: pin.sha256.clone(),
            status: "gone",
            changes: Vec::new(),
            tools: Vec::new(),
        }
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "path": self.path,
            "sha256": self.sha256,
            "status": self.status,
            "changes": self.changes,
            "tools": self.tools,
        })
    }
}

fn print(args: &Args, lock: &Lock, findings: &[Finding]) {
    if args.json {
        let components: Vec<Value> = findings.iter().map(Finding::json).collect();
        tell!(
            "{}",
            json!({ "lock": lock.path(), "written": !args.check, "components": components })
        );
        return;
    }
    for finding in findings {
        let digest: String = finding.sha256.chars().take(12).collect();
        let tools = match finding.tools.as_slice() {
            [] => String::new(),
            tools => format!(": {}", tools.join(", ")),
        };
        let line = format!(
            "{:<8}{} · sha256:{digest}…{tools}",
            finding.status, finding.name
        );
        tell!("{}", inert(&line, 500));
        for change in &finding.changes {
            tell!("          {}", inert(change, 500));
        }
    }
}
