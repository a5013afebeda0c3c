//! `thoth inspect`: what a component offers and what it could reach for, without running any of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use thoth_host::grants::Grants;
use thoth_host::wrapping::{self, Digest, Integrity, Seal};
use thoth_host::{COMPONENT_MAX, Inspector, Tool, default_cache_dir, inert};

use super::Exit;
use super::grants::{ConfigArgs, GrantArgs, LimitArgs, secrets};
use super::progress::noticed;
use super::settings::jail;
use super::wrap::read;

/// Show a component's tools with their schemas, its imports and its digest. Nothing of it runs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component, a .wasm file.
    component: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    grants: GrantArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit> {
    let inspector = Inspector::new(jail()?, default_cache_dir().as_deref())?;
    let loaded = noticed(
        &format!("compiling {}", args.component.display()),
        inspector.load(&args.component),
    )
    .await;
    let (tool, wrapped) = match (loaded, Wrapped::of(&args.component)) {
        (Ok(tool), wrapped) => (tool, wrapped?),
        (Err(error), wrapped) => {
            // It may be meant for another host, and whether it is intact can be said all the same.
            if let Ok(Some(wrapped)) = wrapped {
                write(&wrapped.alone(&args, &error.to_string()))?;
            }
            return Err(error.into());
        }
    };
    if let Some(wrapped) = &wrapped
        && wrapped.whole.sha256 != tool.sha256()
    {
        bail!(
            "{} changed while it was read; try again",
            args.component.display()
        );
    }
    let config = args.config.read()?;
    let granted = args.grants.granted(
        &config,
        &args.limits,
        &args.component,
        &config.private(),
        &secrets(&config),
    )?;
    granted.check(&tool)?;
    let grants = &granted.grant.grants;
    let text = if args.json {
        let mut document = document(&tool, grants);
        if let (Some(wrapped), Some(object)) = (&wrapped, document.as_object_mut()) {
            object.insert("wrapped".to_owned(), wrapped.document());
        }
        format!("{document:#}\n")
    } else {
        let wrapped = wrapped.map_or_else(String::new, |wrapped| wrapped.page());
        page(&tool, grants, &wrapped)
    };
    write(&text)?;
    Ok(Exit::Completed)
}

fn write(text: &str) -> std::io::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

fn document(tool: &Tool, grants: &Grants) -> Value {
    let tools: Vec<Value> = tool
        .definitions()
        .iter()
        .map(|definition| {
            json!({
                "name": definition.name,
                "description": definition.description,
                "input_schema": definition.input_schema,
                "output_schema": definition.output_schema,
                "export": definition.export.as_ref().map(|export| {
                    json!({ "interface": export.interface, "function": export.function })
                }),
            })
        })
        .collect();
    let refused: Vec<Value> = tool
        .refused()
        .iter()
        .map(|refused| json!({ "export": refused.export, "why": refused.why }))
        .collect();
    json!({
        "component": tool.name(),
        "sha256": tool.sha256(),
        "bytes": tool.size(),
        "tools": tools,
        "refused": refused,
        "imports": tool.imports(),
        "grants": {
            "network": grants.network.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "files": grants.files.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "environment": grants.environment,
            "secrets": grants.secrets.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
    })
}

/// That a component was wrapped, and whether it is as it was.
struct Wrapped {
    whole: Digest,
    seal: Result<Seal, String>,
    integrity: Integrity,
}

impl Wrapped {
    /// None where it was not wrapped.
    fn of(path: &Path) -> Result<Option<Self>> {
        let bytes = read(path, COMPONENT_MAX)?;
        Ok(wrapping::seal(&bytes).map(|seal| {
            let integrity = match &seal {
                Ok(seal) => wrapping::verify(&bytes, seal),
                Err(why) => Integrity::Altered(why.clone()),
            };
            Self {
                whole: Digest::of(&bytes),
                seal,
                integrity,
            }
        }))
    }

    /// What is told of one that this host cannot load.
    fn alone(&self, args: &Args, why: &str) -> String {
        let Digest { sha256, bytes } = &self.whole;
        if args.json {
            let document = json!({
                "component": args.component.display().to_string(),
                "sha256": sha256,
                "bytes": bytes,
                "wrapped": self.document(),
                "error": why,
            });
            return format!("{document:#}\n");
        }
        let name = inert(&args.component.display().to_string(), 300);
        format!("{name} · {bytes} bytes · sha256:{sha256}\n{}", self.page())
    }

    /// Whether it is intact, and why not.
    fn integrity(&self) -> (&'static str, &str) {
        match &self.integrity {
            Integrity::Intact => ("intact", ""),
            Integrity::Altered(why) => ("altered", why),
            Integrity::Unverified(why) => ("unverified", why),
        }
    }

    fn is_known(seal: &Seal) -> bool {
        let governor = match seal.adapter {
            Some(_) => wrapping::GOVERNOR,
            None => wrapping::HTTP_GOVERNOR,
        };
        seal.governor == Digest::of(governor)
    }

    fn document(&self) -> Value {
        let (integrity, why) = self.integrity();
        let seal = self.seal.as_ref().ok();
        json!({
            "integrity": integrity,
            "why": (!why.is_empty()).then_some(why),
            "thoth": seal.map(|seal| &seal.thoth),
            "component": seal.map(|seal| &seal.component),
            "governor": seal.map(|seal| &seal.governor),
            "governor_is_built_in": seal.map(Self::is_known),
            "adapter": seal.map(|seal| &seal.adapter),
            "http": seal.and_then(|seal| seal.front.as_ref()).map(|front| front.kind),
            "sees_environment": seal.map(|seal| &seal.keep_env),
        })
    }

    fn page(&self) -> String {
        let (integrity, why) = self.integrity();
        let mut out = match &self.seal {
            Ok(seal) => {
                let whose = if Self::is_known(seal) {
                    "the one of this thoth"
                } else {
                    "not one that this thoth knows"
                };
                let adapter = seal.adapter.as_ref().map_or_else(String::new, |adapter| {
                    format!("  adapter sha256:{}\n", inert(&adapter.sha256, 64))
                });
                let sees = match seal.keep_env.as_slice() {
                    [] => String::new(),
                    names => format!(
                        "  it sees of the environment: {}\n",
                        inert(&names.join(", "), 300)
                    ),
                };
                format!(
                    "\nwrapped by thoth {}\n  governor sha256:{}, {whose}\n{adapter}  component sha256:{}\n{sees}",
                    inert(&seal.thoth, 40),
                    inert(&seal.governor.sha256, 64),
                    inert(&seal.component.sha256, 64),
                )
            }
            Err(_) => String::from("\nwrapped\n"),
        };
        out.push_str(&format!("  {integrity}"));
        if !why.is_empty() {
            out.push_str(&format!(": {}", inert(why, 300)));
        }
        out.push('\n');
        out
    }
}

fn page(tool: &Tool, grants: &Grants, wrapped: &str) -> String {
    let mut out = format!(
        "{} · {} · sha256:{}\n",
        tool.name(),
        size(tool.size()),
        tool.sha256()
    );
    out.push_str(wrapped);
    out.push_str("\ntools\n");
    for definition in tool.definitions() {
        out.push_str(&format!("  {}\n", definition.usage()));
        for line in definition.description.lines() {
            out.push_str(&format!("      {}\n", inert(line, 300)));
        }
    }
    if tool.is_provider() {
        out.push_str("  named by the component itself when it is loaded for a call\n");
    } else if tool.definitions().is_empty() {
        out.push_str("  none\n");
    }
    if !tool.refused().is_empty() {
        out.push_str("\ncannot be called\n");
        for refused in tool.refused() {
            out.push_str(&inert(
                &format!("  {}: {}", refused.export, refused.why),
                500,
            ));
            out.push('\n');
        }
    }
    out.push_str("\nimports: what it could ask for\n");
    for import in tool.imports() {
        out.push_str(&format!("  {}\n", inert(import, 300)));
    }
    if tool.imports().is_empty() {
        out.push_str("  none\n");
    }
    out.push_str("\ngranted: what it gets\n");
    for line in grants.to_string().lines() {
        out.push_str(&format!("  {}\n", inert(line, 500)));
    }
    out.push_str("\nthoth inspect --json prints the schemas; thoth call runs a tool\n");
    out
}

fn size(bytes: usize) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} bytes"),
        10_000..=9_999_999 => format!("{} KB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}
