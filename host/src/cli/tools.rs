//! `thoth tools`: what a toolbox offers, in the words of the API that is to be told.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::Value;
use thoth_host::toolbox::Tools;
use thoth_host::{Dialect, Inspector, default_cache_dir, inert};

use super::grants::ConfigArgs;
use super::progress::noticed;
use super::settings::jail;
use super::{Exit, report};

/// List the tools of the configuration, or of components and folders.
///
/// With a format, it prints the JSON array that the API takes as `tools`. What `tools.lock` does not
/// let run is not listed, and said on stderr.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    thoth tools\n  \
    thoth tools ./tools --format anthropic > tools.json")]
pub(super) struct Args {
    /// Components, or folders of them [default: what the configuration names].
    components: Vec<PathBuf>,
    /// The API to tell of the tools.
    #[arg(long, value_name = "API")]
    format: Option<Format>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Model Context Protocol, as `tools/list` has them.
    Mcp,
    /// OpenAI's Chat Completions.
    #[value(name = "openai")]
    OpenAi,
    /// OpenAI's Responses.
    #[value(name = "openai-responses")]
    OpenAiResponses,
    /// Anthropic's Messages.
    Anthropic,
}

impl From<Format> for Dialect {
    fn from(format: Format) -> Self {
        match format {
            Format::Mcp => Self::Mcp,
            Format::OpenAi => Self::OpenAi,
            Format::OpenAiResponses => Self::OpenAiResponses,
            Format::Anthropic => Self::Anthropic,
        }
    }
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit> {
    let config = args.config.read()?;
    if args.components.is_empty() && config.tools.is_empty() {
        let why = "there are no tools: name a component or a folder, or list tools in thoth.toml";
        return Err(super::Usage(why.into()).into());
    }
    let toolbox = args
        .components
        .iter()
        .fold(args.config.toolbox(config), |toolbox, place| {
            toolbox.place(place)
        });
    let inspector = Inspector::new(jail()?, default_cache_dir().as_deref())?;
    let tools = noticed("compiling components", toolbox.inspect(&inspector)).await?;
    for refused in tools.refused() {
        say!("thoth: {}", inert(&refused.why.to_string(), 1_000));
    }
    match args.format {
        Some(format) => definitions(&tools, format.into()),
        None => page(&tools),
    }
    Ok(if tools.is_empty() && !tools.refused().is_empty() {
        Exit::Host
    } else {
        Exit::Completed
    })
}

fn definitions(tools: &Tools, dialect: Dialect) {
    let mut list = Vec::new();
    for (definition, _) in tools.iter() {
        match dialect.definition(definition) {
            Ok(definition) => list.push(definition),
            Err(error) => say!("thoth: {error}"),
        }
    }
    if let Some(most) = dialect.tools_max().filter(|most| list.len() > *most) {
        let count = list.len();
        say!(
            "thoth: {dialect} takes at most {most} tools, and these are {count}: name fewer components"
        );
    }
    tell!(
        "{}",
        report::inert_json(&format!("{:#}", Value::Array(list)))
    );
}

fn page(tools: &Tools) {
    for component in tools.components() {
        tell!("{}", inert(component.name, 80));
        for definition in component.tool.definitions() {
            // A name that two components use is not offered.
            if tools.find(&definition.name).is_none() {
                continue;
            }
            let first = definition.description.lines().next().unwrap_or_default();
            let line = format!("  {}  {first}", definition.usage());
            tell!("{}", inert(line.trim_end(), 200));
        }
    }
}
