//! `thoth log`: the durable log, for people, scripts and auditors. It is read here and never changed;
//! only `deliver` records what the enforcer took.

mod deliver;
mod entry;
mod export;
mod ocsf;
mod show;
mod status;
mod story;
mod tail;
mod verify;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use thoth_host::log::Archive;

use super::Exit;
use super::settings::StateArgs;

/// Read, check and export the durable log: who asked for what, what was decided, what came of it.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  \
    thoth log tail --follow\n  \
    thoth log show 3f2a90\n  \
    thoth log verify --checkpoints /mnt/elsewhere/events.db.checkpoints\n  \
    thoth log export --format ocsf > events.jsonl")]
pub(super) enum Command {
    Tail(tail::Args),
    Show(show::Args),
    Verify(verify::Args),
    Export(export::Args),
    Status(status::Args),
    Deliver(Box<deliver::Args>),
}

/// Which log is read.
#[derive(Debug, clap::Args)]
pub(super) struct LogArgs {
    /// Read this log file instead of the state folder's, a copy for instance.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
}

impl LogArgs {
    fn path(&self) -> Result<PathBuf> {
        if let Some(path) = &self.log {
            return Ok(path.clone());
        }
        let folder = self.state.dir(&self.state.config.read()?.settings)?;
        Ok(folder.join(thoth_host::log::FILE))
    }

    fn open(&self) -> Result<Archive> {
        Ok(Archive::open(&self.path()?)?)
    }
}

/// Runs the command.
pub(super) async fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Tail(args) => tail::run(args).await,
        Command::Show(args) => show::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Deliver(args) => deliver::run(&args).await,
    }
}
