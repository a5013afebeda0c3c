//! `thoth log show`: one call as a story.

use anyhow::Result;
use thoth_host::inert;

use super::LogArgs;
use super::entry::Read;
use super::story;
use crate::cli::Exit;

/// Show one call: who asked, what was decided and why, what the tool reached for, what it used and what
/// came back.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The call's id, or the beginning of it.
    call: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let entries = args.log.open()?.call(&args.call)?;
    let records: Vec<Read> = entries.into_iter().map(Read::new).collect();
    let story = story::of(&records);
    if args.json {
        tell!("{story:#}");
    } else {
        for line in story::lines(&story) {
            tell!("{}", inert(&line, 2_000));
        }
    }
    Ok(Exit::Completed)
}
