//! A session over several runs of the command, and what a session may use.

use std::time::Duration;

use anyhow::Result;
use thoth_host::grants::Settings;
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
    #[command(flatten)]
    budget: BudgetArgs,
}

/// What a session may use over all of its calls.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Session")]
pub(super) struct BudgetArgs {
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

impl BudgetArgs {
    /// What flags say, and the configuration where they say nothing.
    pub(super) fn budget(&self, settings: &Settings) -> Budget {
        let configured = settings.session;
        Budget {
            calls: self.session_calls.or(configured.calls),
            wall: self.session_time.or(configured.time),
            fuel: self.session_fuel.or(configured.fuel),
        }
    }
}

impl SessionArgs {
    /// The hold of the call to go on with.
    pub(super) fn hold(&self) -> Option<&str> {
        self.hold.as_deref()
    }

    /// What it may use.
    pub(super) fn budget(&self, settings: &Settings) -> Budget {
        self.budget.budget(settings)
    }

    /// The session.
    pub(super) async fn open(
        &self,
        runtime: &Runtime,
        identity: Identity,
        budget: Budget,
    ) -> Result<Session> {
        let session = if self.resume {
            runtime.resume_session(identity).await?
        } else {
            runtime.session(identity)
        };
        Ok(session.with_budget(budget))
    }
}
