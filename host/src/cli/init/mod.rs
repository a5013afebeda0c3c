//! `thoth init`: a configuration, a policy and a client's snippet to begin with.

mod files;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use thoth_host::toolbox::Toolbox;
use thoth_host::{Inspector, default_cache_dir, default_config_file, grants::Config, inert};

use super::progress::noticed;
use super::settings::jail;
use super::{Exit, Usage};

/// Write a configuration, a policy and the snippet for an MCP client, with comments.
///
/// It writes thoth.toml, policy.cedar and mcp.json. Components that are named get a table each, with
/// what they could ask for, and a rule for each tool: a person decides until the rule says otherwise.
/// Nothing that is there is overwritten.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    thoth init ledger.wasm docs.wasm\n  \
    thoth init ./tools --dir ./agent && thoth doctor --config ./agent/thoth.toml")]
pub(super) struct Args {
    /// Components to govern, or folders of them.
    components: Vec<PathBuf>,
    /// Write to this folder [default: $XDG_CONFIG_HOME/thoth, where the configuration is found without
    /// being named].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Overwrite what is there.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit> {
    let usual = default_config_file().and_then(|file| file.parent().map(Path::to_path_buf));
    let is_usual = args.dir.is_none();
    let folder = args.dir.or(usual).ok_or_else(|| {
        Usage("neither XDG_CONFIG_HOME nor HOME is set: name a folder with `--dir DIR`".into())
    })?;
    let cannot = || format!("cannot write to `{}`", folder.display());
    fs::create_dir_all(&folder).with_context(cannot)?;
    // By its true name: what is written names files by theirs.
    let folder = folder.canonicalize().with_context(cannot)?;
    let components = if args.components.is_empty() {
        Vec::new()
    } else {
        looked_at(&args.components, &folder).await?
    };
    let config = folder.join("thoth.toml");
    let program = std::env::current_exe().context("cannot find this program again")?;
    let files = [
        (config.clone(), files::configuration(&components)),
        (folder.join("policy.cedar"), files::policy(&components)),
        (folder.join("mcp.json"), files::client(&program, &config)),
    ];
    if !args.force
        && let Some((there, _)) = files
            .iter()
            .find(|(path, _)| path.symlink_metadata().is_ok())
    {
        let why = format!(
            "`{}` is there already, so nothing was written; `--force` overwrites it",
            there.display()
        );
        return Err(Usage(why).into());
    }
    for (path, text) in &files {
        write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
        tell!("wrote {}", inert(&path.display().to_string(), 300));
    }
    next(&config, is_usual, &components);
    Ok(Exit::Completed)
}

/// Loads what is named, to see what it offers and could ask for.
async fn looked_at(places: &[PathBuf], folder: &Path) -> Result<Vec<files::Found>> {
    let toolbox = places
        .iter()
        .fold(Toolbox::new(Config::default()), Toolbox::place);
    let inspector = Inspector::new(jail()?, default_cache_dir().as_deref())?;
    let tools = noticed("compiling components", toolbox.inspect(&inspector)).await?;
    if let Some(refused) = tools.refused().first() {
        anyhow::bail!("{}; nothing was written", refused.why);
    }
    let mut found: Vec<files::Found> = Vec::new();
    for component in tools.components() {
        let path = component
            .path
            .strip_prefix(folder)
            .unwrap_or(component.path);
        let path = path.to_str().with_context(|| {
            format!(
                "`{}` cannot be written down: it is not UTF-8",
                component.path.display()
            )
        })?;
        // Two files of one name in two folders are two tools.
        let taken = |label: &str| found.iter().any(|other| other.label == label);
        // As much of the name as a label takes, with room for a number.
        let name: String = component
            .name
            .chars()
            .filter(|c| !c.is_control())
            .take(56)
            .collect();
        let labels =
            std::iter::once(name.clone()).chain((2..).map(|number| format!("{name}-{number}")));
        let label = labels
            .into_iter()
            .find(|label| !taken(label))
            .unwrap_or_default();
        found.push(files::Found {
            label,
            path: path.to_owned(),
            tools: component
                .tool
                .definitions()
                .iter()
                .map(|tool| tool.name.clone())
                .collect(),
            imports: component.tool.imports().to_vec(),
        });
    }
    Ok(found)
}

/// Writes a file, whole or not at all, so that nobody else can change what it grants.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn next(config: &Path, is_usual: bool, components: &[files::Found]) {
    let flag = if is_usual {
        String::new()
    } else {
        format!(" --config {}", inert(&config.display().to_string(), 300))
    };
    say!("thoth: next:");
    if components.is_empty() {
        say!(
            "  add your components to {}, or run `thoth init --force COMPONENT…`",
            config.display()
        );
    }
    say!("  thoth lock{flag}      take the components as they are; nothing runs before");
    say!("  thoth doctor{flag}    check it all");
    if let Some((component, tool)) = components
        .iter()
        .find_map(|component| Some((component, component.tools.first()?)))
    {
        let file = config.with_file_name(&component.path);
        say!(
            "  thoth call {} {tool} '{{…}}'{flag}    and `thoth approvals list` in another terminal",
            inert(&file.display().to_string(), 300)
        );
    }
    say!("  put what is in mcp.json into your agent's MCP configuration");
}
