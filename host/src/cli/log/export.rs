//! `thoth log export`: the log as JSON Lines, plain or in OCSF's words.

use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use super::entry::Read;
use super::{LogArgs, ocsf};
use crate::cli::Exit;

/// Write the records as JSON Lines to stdout, the oldest first.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// What a line is.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Begin behind the record with this index, where an earlier export ended.
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    after: u64,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// All of the record, with its place in the chain.
    #[default]
    Plain,
    /// An API Activity event of the Open Cybersecurity Schema Framework 1.3.
    Ocsf,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let archive = args.log.open()?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    archive.visit(args.after, |entry| {
        let read = Read::new(entry);
        let line = match args.format {
            Format::Plain => read.to_json(),
            Format::Ocsf => ocsf::event(&read),
        };
        written = writeln!(out, "{line}");
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    match written.and_then(|()| out.flush()) {
        // Who reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Completed),
        other => other
            .context("cannot write the export")
            .map(|()| Exit::Completed),
    }
}
