//! `thoth log status`: how much waits for whom, and why.

use std::time::SystemTime;

use anyhow::Result;
use serde_json::{Value, json};
use thoth_host::{Status, inert};

use super::LogArgs;
use crate::cli::Exit;

/// Show how many records there are, and what waits for delivery.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Exit> {
    let archive = args.log.open()?;
    let head = archive.head()?;
    let destinations = archive.status()?;
    if args.json {
        let rows: Vec<Value> = destinations
            .iter()
            .map(|(name, status)| row(name, status))
            .collect();
        let hash = head.hash.to_string();
        let all = json!({"records": head.index, "hash": hash, "destinations": rows});
        tell!("{all:#}");
        return Ok(Exit::Completed);
    }
    tell!("{} records, the last has hash {}", head.index, head.hash);
    for (name, status) in &destinations {
        tell!("{}", inert(&line(name, status), 2_000));
    }
    Ok(Exit::Completed)
}

fn line(name: &str, status: &Status) -> String {
    let mut line = format!(
        "{name}: {} delivered, {} waiting ({} KiB)",
        status.delivered,
        status.waiting,
        status.waiting_bytes.div_ceil(1024),
    );
    if let Some(age) = age(status) {
        line.push_str(&format!(", the oldest for {age} s"));
    }
    if status.rejected > 0 {
        line.push_str(&format!(", {} refused for good", status.rejected));
    }
    if let Some(error) = &status.last_error {
        line.push_str(&format!("; last error: {error}"));
    }
    line
}

/// Seconds that the oldest event has waited.
fn age(status: &Status) -> Option<u64> {
    let oldest = status.oldest_waiting?;
    Some(SystemTime::now().duration_since(oldest).ok()?.as_secs())
}

fn row(name: &str, status: &Status) -> Value {
    json!({
        "destination": name,
        "delivered": status.delivered,
        "waiting": status.waiting,
        "waiting_bytes": status.waiting_bytes,
        "oldest_waiting_seconds": age(status),
        "refused": status.rejected,
        "last_error": status.last_error,
    })
}
