//! A session over several runs of the command, and what it may use.

use std::time::Duration;

use anyhow::Result;
use thoth_host::{Budget, Identity, Runtime, Session};

use super::settings::duration;

/// How the session goes on, and its budget.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Session")]
pub(super) struct SessionArgs {
    /// Go on with the session that `--session-id` names: with its history from the log, and with what it
    /// has used of its budget.
    #[arg(long, requires = "session_id")]
    resume: bool,
    /// Go on with the call of the session that waits under this hold, as `hold_token` named it. Tool and
    /// arguments must be those that were held.
    #[arg(long, value_name = "TOKEN", requires = "resume")]
    hold: Option<String>,
    /// Refuse calls of the session after so many.
    #[arg(long, value_name = "COUNT")]
    session_calls: Option<u64>,
    /// Refuse calls of the session once its tools have run so long, for instance 10m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    session_time: Option<Duration>,
    /// Refuse calls of the session once its tools have used so much fuel.
    #[arg(long, value_name = "UNITS")]
    session_fuel: Option<u64>,
}

impl SessionArgs {
    /// The hold of the call to go on with.
    pub(super) fn hold(&self) -> Option<&str> {
        self.hold.as_deref()
    }

    /// The session.
    pub(super) async fn open(&self, runtime: &Runtime, identity: Identity) -> Result<Session> {
        let session = if self.resume {
            runtime.resume_session(identity).await?
        } else {
            runtime.session(identity)
        };
        Ok(session.with_budget(Budget {
            calls: self.session_calls,
            wall: self.session_time,
            fuel: self.session_fuel,
        }))
    }
}
