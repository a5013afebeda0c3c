//! `thoth log tail`: the last records, and with `--follow` each new one as it comes.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;

use super::LogArgs;
use super::entry::Read;
use crate::cli::Exit;
use crate::cli::stopped::stopped;

/// Between two looks for what was appended.
const POLL: Duration = Duration::from_millis(150);

/// Show the last records; with `--follow` go on with each new one.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Show this many.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
    lines: u64,
    /// Wait for what is appended, by any process, and show it.
    #[arg(long, short)]
    follow: bool,
    /// Print each record as one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit> {
    let archive = args.log.open()?;
    let mut last = archive.head()?.index.saturating_sub(args.lines);
    let mut stop = std::pin::pin!(stopped());
    loop {
        archive.visit(last, |entry| {
            last = entry.index;
            let read = Read::new(entry);
            if args.json {
                tell!("{}", read.to_json());
            } else {
                tell!("{}", read.line());
            }
            ControlFlow::Continue(())
        })?;
        if !args.follow {
            return Ok(Exit::Completed);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = &mut stop => return Ok(Exit::Completed),
        }
    }
}
