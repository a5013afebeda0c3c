//! `thoth log verify`: proves offline that nothing was changed, put in or left out.

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use thoth_host::inert;
use thoth_host::log::{self, Verified};

use super::LogArgs;
use crate::cli::{Exit, Usage};

/// Prove that the log is whole: every record is there, unchanged and in its place, and agrees with the
/// signed checkpoints.
///
/// It ends with exit code 1 and names the first record that is wrong. Checkpoints beside the log are
/// read by themselves; a copy of them that was taken elsewhere in time proves what whoever can write
/// to the state folder cannot undo.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Check against the checkpoints in this file as well.
    #[arg(long, value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// The public key that must have signed them, 64 hex digits [default: of the key beside the log, if
    /// there is one].
    #[arg(long, value_name = "HEX")]
    key: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let path = args.log.path()?;
    let archive = args.log.open()?;
    let key = match &args.key {
        Some(key) => Some(key.to_ascii_lowercase()),
        None => log::public_key(&path).context("cannot read the key beside the log")?,
    };
    let beside = log::checkpoints_path(&path);
    let mut lines = Vec::new();
    if beside.exists() {
        lines.extend(read(&beside)?);
    }
    for file in &args.checkpoints {
        lines.extend(read(file)?);
    }
    let watched = std::io::stderr().is_terminal() && !args.json;
    let verified = log::verify(&archive, lines, key.as_deref(), |records| {
        if watched && records % 500_000 == 0 {
            say!("thoth: {records} records are right …");
        }
    });
    if args.json {
        tell!("{:#}", report(&verified));
    } else {
        tell!("{}", summary(&verified));
    }
    Ok(match verified.flaw {
        None => Exit::Completed,
        Some(_) => Exit::Host,
    })
}

/// The lines of a file of checkpoints, each with where it stands.
fn read(file: &Path) -> Result<Vec<(String, String)>> {
    let bytes = fs::read(file)
        .map_err(|error| Usage(format!("cannot read `{}`: {error}", file.display())))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().enumerate();
    Ok(lines
        .map(|(number, line)| {
            (
                format!("{}:{}", file.display(), number + 1),
                line.to_owned(),
            )
        })
        .collect())
}

fn summary(verified: &Verified) -> String {
    let Verified {
        records,
        head,
        checkpoints,
        signed_through,
        keys,
        flaw,
    } = verified;
    match flaw {
        Some(flaw) => inert(
            &format!("NOT WHOLE: {flaw}; the {records} records before are right"),
            1_000,
        ),
        None => format!(
            "whole: {records} records, the last has hash {}; {checkpoints} checkpoints agree, signed through record {signed_through} by {}",
            head.hash,
            if keys.is_empty() {
                "nobody".into()
            } else {
                keys.join(", ")
            },
        ),
    }
}

fn report(verified: &Verified) -> serde_json::Value {
    json!({
        "whole": verified.flaw.is_none(),
        "flaw": verified.flaw.as_ref().map(ToString::to_string),
        "records": verified.records,
        "hash": verified.head.hash.to_string(),
        "checkpoints": verified.checkpoints,
        "signed_through": verified.signed_through,
        "keys": verified.keys,
    })
}
