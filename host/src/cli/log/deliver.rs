//! `thoth log deliver`: what waits goes to the enforcer now, without a call.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use thoth_host::inert;
use tokio::time::Instant;

use crate::cli::Exit;
use crate::cli::settings::{PolicyArgs, StateArgs, duration};
use crate::cli::stopped::stopped;

/// Between two looks at what waits still.
const POLL: Duration = Duration::from_millis(100);

/// Between two lines about how far it is.
const TELL: Duration = Duration::from_secs(1);

/// Deliver what waits for the enforcer, and show how far it is.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Give up after so long, for instance 10m [default: when all is delivered].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Print one JSON object at the end.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    state: StateArgs,
}

/// Runs the command.
pub(super) async fn run(args: &Args) -> Result<Exit> {
    let config = args.state.config.read()?;
    let settings = &config.settings;
    let state = args.state.dir(settings)?;
    let runtime = args.policy.builder(settings)?.state_dir(&state);
    let runtime = runtime.build().await?;
    let before = runtime.log_status().await?;
    let end = args.wait.map(|wait| Instant::now() + wait);
    let mut told = Instant::now();
    let mut stop = std::pin::pin!(stopped());
    let status = loop {
        let status = runtime.log_status().await?;
        let over = end.is_some_and(|end| Instant::now() >= end);
        if status.waiting == 0 || over {
            break status;
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            let done = status.delivered.saturating_sub(before.delivered);
            let trouble = status.last_error.as_ref().map(|error| format!("; {error}"));
            let line = format!(
                "{done} delivered, {} wait{}",
                status.waiting,
                trouble.unwrap_or_default()
            );
            say!("thoth: {}", inert(&line, 500));
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = &mut stop => break status,
        }
    };
    runtime.close(Duration::ZERO).await;
    let delivered = status.delivered.saturating_sub(before.delivered);
    let refused = status.rejected.saturating_sub(before.rejected);
    if args.json {
        let report = json!({
            "delivered": delivered,
            "refused": refused,
            "waiting": status.waiting,
            "last_error": status.last_error,
        });
        tell!("{report:#}");
    } else {
        let line = format!(
            "{delivered} delivered, {refused} refused for good, {} wait",
            status.waiting
        );
        tell!("{line}");
    }
    Ok(if status.waiting == 0 {
        Exit::Completed
    } else {
        Exit::Host
    })
}
