//! `thoth approvals`: a human's word on held calls, from a terminal.
//!
//! It works on the embedded enforcer's store in the state folder, so it needs no server to run, and
//! the operating system's file permissions are the credential.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};
use thoth_enforcer::{Approval, ApprovalStatus, Resolution, ResolveError, Store};
use thoth_host::inert;

use super::report::inert_json;
use super::settings::StateArgs;
use super::{Exit, Usage};

/// Where the embedded enforcer keeps holds, in the state folder.
const STORE: &str = "enforcer.db";

/// List, show, approve or deny calls that the embedded enforcer holds for a human.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show what waits, the oldest first.
    List {
        /// Show what was decided or has expired as well.
        #[arg(long)]
        all: bool,
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Show one held call: who asks, what for, what would run, and what became of it.
    Show {
        /// The hold's token, from `thoth approvals list`.
        token: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: StateArgs,
    },
    /// Let a held call run, once.
    Approve(Resolve),
    /// Refuse a held call.
    Deny(Resolve),
}

#[derive(Debug, clap::Args)]
pub(super) struct Resolve {
    /// The hold's token, from `thoth approvals list`.
    token: String,
    /// Why; the agent is told.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    state: StateArgs,
}

/// Runs the command.
pub(super) async fn run(command: Command) -> Result<Exit> {
    match command {
        Command::List { all, json, state } => {
            let status = (!all).then_some(ApprovalStatus::Pending);
            // In the usual folder nothing has been held yet; another one may be the wrong one.
            let settings = state.config.read()?.settings;
            let file = state.dir(&settings)?.join(STORE);
            let approvals = match state.named(&settings) {
                None if !file.exists() => Vec::new(),
                _ => open_file(&file)?.approvals(status)?,
            };
            if json {
                let rows: Vec<Value> = approvals.iter().map(row).collect();
                tell!("{}", inert_json(&format!("{:#}", Value::Array(rows))));
            } else if approvals.is_empty() {
                say!("thoth: nothing waits for approval");
            } else {
                for approval in &approvals {
                    tell!("{}", line(approval));
                }
            }
            Ok(Exit::Completed)
        }
        Command::Show { token, json, state } => {
            let found = open(&state)?.approval(&token)?;
            let approval = found.ok_or(ResolveError::Unknown(token));
            let approval = approval.map_err(|error| Usage(error.to_string()))?;
            if json {
                tell!("{}", inert_json(&format!("{:#}", row(&approval))));
            } else {
                for line in story(&approval) {
                    tell!("{line}");
                }
            }
            Ok(Exit::Completed)
        }
        Command::Approve(args) => resolve(&args, Resolution::Approve),
        Command::Deny(args) => resolve(&args, Resolution::Deny),
    }
}

fn resolve(args: &Resolve, resolution: Resolution) -> Result<Exit> {
    let store = open(&args.state)?;
    let by = local_user();
    let resolved = store.resolve(&args.token, resolution, &by, args.reason.as_deref());
    match resolved {
        Ok(approval) => {
            tell!("{} {}", approval.status.as_str(), line(&approval));
            Ok(Exit::Completed)
        }
        Err(ResolveError::Store(error)) => Err(error.into()),
        Err(error) => Err(Usage(error.to_string()).into()),
    }
}

/// Who decides on this machine, as the record names them.
pub(super) fn local_user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "local user".into())
}

fn open(state: &StateArgs) -> Result<Store> {
    open_file(&state.dir(&state.config.read()?.settings)?.join(STORE))
}

fn open_file(file: &Path) -> Result<Store> {
    if !file.exists() {
        let missing = format!(
            "no holds are kept in `{}`; name the state folder of the enforcer with `--state-dir`",
            file.display()
        );
        return Err(Usage(missing).into());
    }
    Store::open(file).context("cannot read the holds")
}

fn line(approval: &Approval) -> String {
    let left = match approval.status {
        ApprovalStatus::Pending => format!("{} s left", approval.time_left.as_secs()),
        ApprovalStatus::Approved | ApprovalStatus::Denied | ApprovalStatus::Expired => {
            approval.status.as_str().to_owned()
        }
    };
    // Agent and tool wrote some of this: it must not be able to drive the terminal.
    inert(
        &format!(
            "{}  {}  {}@{} for {}  {}  {}",
            approval.token,
            approval.tool_name,
            approval.agent_id,
            approval.tenant_id,
            if approval.user_id.is_empty() {
                "nobody"
            } else {
                &approval.user_id
            },
            approval.arguments,
            left
        ),
        2_000,
    )
}

/// One held call, a fact a line.
fn story(approval: &Approval) -> Vec<String> {
    let user = match approval.user_id.as_str() {
        "" => "nobody",
        user => user,
    };
    let mut lines = vec![
        ("call", approval.tool_name.clone()),
        (
            "agent",
            format!("{} of {}", approval.agent_id, approval.tenant_id),
        ),
        ("for", user.to_owned()),
        ("session", approval.session_id.clone()),
    ];
    for (name, value) in &approval.context {
        let text = value.as_str().map(str::to_owned);
        lines.push((name, text.unwrap_or_else(|| value.to_string())));
    }
    if let Some(asked) = &approval.asked_arguments {
        lines.push(("asked for", asked.clone()));
    }
    lines.push(("would run", approval.arguments.clone()));
    lines.push(("because", approval.reason.clone()));
    if let Some(component) = &approval.component {
        lines.push(("tool sha256", component.clone()));
    }
    lines.push(("digest", approval.digest.clone()));
    let status = match (&approval.status, &approval.resolved_by) {
        (ApprovalStatus::Pending, _) => format!("pending, {} s left", approval.time_left.as_secs()),
        (status, Some(by)) => format!("{} by {by}", status.as_str()),
        (status, None) => status.as_str().to_owned(),
    };
    lines.push(("status", status));
    if let Some(reason) = &approval.resolution_reason {
        lines.push(("reason", reason.clone()));
    }
    let shown = lines.into_iter();
    shown
        // As above: none of this may drive the terminal.
        .map(|(name, text)| format!("{:<20} {}", inert(name, 40), inert(&text, 300_000)))
        .collect()
}

fn row(approval: &Approval) -> Value {
    let seconds = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    };
    json!({
        "token": approval.token,
        "status": approval.status.as_str(),
        "tenant_id": approval.tenant_id,
        "agent_id": approval.agent_id,
        "user_id": approval.user_id,
        "session_id": approval.session_id,
        "tool_name": approval.tool_name,
        "arguments": serde_json::from_str::<Value>(&approval.arguments).unwrap_or_default(),
        "arguments_sha256": approval.arguments_digest,
        "asked_arguments": approval
            .asked_arguments
            .as_ref()
            .map(|text| serde_json::from_str::<Value>(text).unwrap_or_default()),
        "tool_sha256": approval.component,
        "digest": approval.digest,
        "context": approval.context,
        "seconds_left": approval.time_left.as_secs(),
        "reason": approval.reason,
        "requested_at": seconds(approval.requested_at),
        "expires_at": seconds(approval.expires_at),
        "resolved_by": approval.resolved_by,
        "resolution_reason": approval.resolution_reason,
    })
}
