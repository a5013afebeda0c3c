//! The command line: what it offers, and what its exit codes mean.

mod approvals;
mod approver;
mod call;
mod completions;
mod doctor;
mod enforcer;
mod grants;
mod init;
mod inspect;
mod lock;
mod log;
mod progress;
mod report;
pub(crate) mod said;
mod serve;
mod session;
mod settings;
mod stopped;
mod telemetry;
mod tools;
mod wrap;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Govern the tool calls of AI agents: every call of an untrusted WebAssembly component is decided
/// by a policy service before it runs, and leaves events.
#[derive(Debug, Parser)]
#[command(
    name = "thoth",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 completed, 1 host error, 2 usage, 3 refused, 4 pending approval, 5 the tool failed.\n\
                  Results go to stdout, everything else to stderr."
)]
pub(crate) struct Args {
    /// Say more on stderr (also THOTH_LOG_LEVEL=debug).
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Call(Box<call::Args>),
    Inspect(inspect::Args),
    Wrap(wrap::Args),
    Lock(lock::Args),
    Tools(tools::Args),
    Init(init::Args),
    #[command(visible_alias = "selftest")]
    Doctor(Box<doctor::Args>),
    Completions(completions::Completions),
    Man(completions::Man),
    Serve(Box<serve::Args>),
    #[command(subcommand)]
    Enforcer(enforcer::Command),
    #[command(subcommand)]
    Approvals(approvals::Command),
    #[command(subcommand)]
    Log(log::Command),
}

pub(crate) use self::settings::COMPILE;
pub(crate) use self::telemetry::start as start_telemetry;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Completed = 0,
    /// The host could not do it.
    Host = 1,
    /// It was asked wrongly.
    Usage = 2,
    /// The call was refused.
    Refused = 3,
    /// The call waits for approval.
    Pending = 4,
    /// The tool failed or hit a limit.
    Failed = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A mistake in how the command was called, as opposed to something that went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Exit {
    /// The exit code for an error.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        use thoth_host::{CallError, Error};
        let usage = error.is::<Usage>()
            || error.is::<CallError>()
            || matches!(
                error.downcast_ref::<Error>(),
                Some(
                    Error::NoEnforcer
                        | Error::TwoEnforcers
                        | Error::Setting { .. }
                        | Error::Origin(_)
                )
            );
        if usage { Self::Usage } else { Self::Host }
    }
}

/// An error as a message: what was being done, and why it failed, each once.
pub(crate) fn message(error: &anyhow::Error) -> String {
    let mut message = String::from("thoth");
    for cause in error.chain() {
        let cause = cause.to_string();
        if !message.contains(&cause) {
            message.push_str(": ");
            message.push_str(&cause);
        }
    }
    message
}

impl Args {
    /// Whether the command has something to tell a collector: it governs calls.
    pub(crate) fn is_traced(&self) -> bool {
        matches!(self.command, Command::Call(_) | Command::Serve(_))
    }
}

/// Runs a command.
pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Call(args) => call::run(*args).await,
        Command::Inspect(args) => inspect::run(args).await,
        Command::Wrap(args) => wrap::run(args),
        Command::Lock(args) => lock::run(args).await,
        Command::Tools(args) => tools::run(args).await,
        Command::Init(args) => init::run(args).await,
        Command::Doctor(args) => doctor::run(*args).await,
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
        Command::Serve(args) => serve::run(*args).await,
        Command::Enforcer(command) => enforcer::run(command).await,
        Command::Approvals(command) => approvals::run(command).await,
        Command::Log(command) => log::run(command).await,
    }
}

/// Sends the crates' own log to stderr. `THOTH_LOG_LEVEL`, else `LOG_LEVEL`, sets the level.
pub(crate) fn log(verbose: bool) {
    let level = ["THOTH_LOG_LEVEL", "LOG_LEVEL"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .and_then(|level| match level.trim().to_ascii_lowercase().as_str() {
            "trace" | "debug" | "notset" | "10" => Some("thoth=debug,info"),
            "info" | "20" => Some("info"),
            "warn" | "warning" | "30" => Some("warn"),
            "error" | "critical" | "fatal" | "40" => Some("error"),
            _ => None,
        });
    let level = if verbose {
        "debug"
    } else {
        level.unwrap_or("error")
    };
    // The protocol's own crate would log arguments and results whole, and an error for each client that leaves.
    let filter = tracing_subscriber::EnvFilter::new(format!("{level},rmcp=off"));
    let _already_set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| said::Log)
        .try_init();
}
