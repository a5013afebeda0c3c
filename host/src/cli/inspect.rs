//! `thoth inspect`: what a component offers and what it could reach for, without running any of it.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};
use thoth_host::grants::Grants;
use thoth_host::{Inspector, Tool, default_cache_dir, inert};

use super::Exit;
use super::grants::{ConfigArgs, GrantArgs, LimitArgs};
use super::progress::noticed;
use super::settings::jail;

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
    let tool = noticed(
        &format!("compiling {}", args.component.display()),
        inspector.load(&args.component),
    )
    .await?;
    let config = args.config.read()?;
    let granted = args
        .grants
        .granted(&config, &args.limits, &args.component, &[])?;
    granted.check(&tool)?;
    let grants = &granted.grant.grants;
    let text = if args.json {
        format!("{:#}\n", document(&tool, grants))
    } else {
        page(&tool, grants)
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Exit::Completed),
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

fn page(tool: &Tool, grants: &Grants) -> String {
    let mut out = format!(
        "{} · {} · sha256:{}\n",
        tool.name(),
        size(tool.size()),
        tool.sha256()
    );
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
