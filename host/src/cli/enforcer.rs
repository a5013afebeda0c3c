//! `thoth enforcer`: the embedded enforcer on loopback for any Thoth SDK, and the policy checker.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;
use thoth_enforcer::{Enforcer, Options, Policy, Secret, Store};
use thoth_host::inert;
use tokio::net::TcpListener;

use super::approvals::local_user;
use super::approver;
use super::settings::{StateArgs, key_text};
use super::stopped::stopped;
use super::{Exit, Usage, report, said};

/// Run the embedded enforcer on loopback, or check a policy file.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Serve(Serve),
    Check(Check),
}

/// Answer policy calls of any Thoth SDK on a loopback address, by a policy file.
///
/// Prints the base URL on stdout once it listens. The API key that callers must send is
/// THOTH_API_KEY or the content of `--api-key-file`; with neither, any local program may ask.
/// Approving takes another credential, the approver token, which is kept in the state folder. A link to
/// the page on which a person decides is printed on stderr; its key is for that person only, and ends
/// with the process.
#[derive(Debug, clap::Args)]
pub(super) struct Serve {
    /// The policy file.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The loopback address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8930")]
    listen: SocketAddr,
    /// Read the API key from this file.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
}

/// Validate a policy file; problems are named with line and column.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The policy file.
    file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Serve(args) => serve(args).await,
        Command::Check(args) => check(&args),
    }
}

async fn serve(args: Serve) -> Result<Exit> {
    said::apart();
    if !args.listen.ip().is_loopback() {
        return Err(Usage(format!(
            "`{}` is not a loopback address: the embedded enforcer serves this machine only",
            args.listen
        ))
        .into());
    }
    let policy = Policy::load(&args.policy)?;
    report::tell_warnings(Some(&policy));
    let state = args.state.dir(&args.state.config.read()?.settings)?;
    thoth_host::prepare_state_dir(&state)?;
    let store = Store::open(&state.join("enforcer.db"))?;
    let key = api_key(args.api_key_file.as_deref())?;
    if key.is_none() {
        say!(
            "thoth: no API key is set (THOTH_API_KEY, `--api-key-file`): any local program may ask"
        );
    }
    let token_file = state.join(approver::TOKEN_FILE);
    let token = approver::token(&token_file)?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; choose another with `--listen`",
            args.listen
        )
    })?;
    let url = format!("http://{}", listener.local_addr()?);
    let options = Options {
        api_key: key,
        approver_token: Some(Secret::new(&token)),
        base_url: Some(url.clone()),
        approver: Some(local_user()),
        ..Options::default()
    };
    let enforcer = Arc::new(Enforcer::new(policy, store, options)?);
    say!(
        "thoth: deciding by {}; approve with `thoth approvals`, or over HTTP with the token in {}",
        inert(&args.policy.display().to_string(), 2_000),
        token_file.display()
    );
    if let Some(link) = enforcer.page_link() {
        say!("thoth: approve in a browser at {link}");
    }
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{url}").and_then(|()| stdout.flush())?;
    thoth_enforcer::serve(listener, enforcer, stopped()).await?;
    Ok(Exit::Completed)
}

/// The key that callers must send, if one is asked for. One that is asked for and blank is an error: it must
/// not become none.
fn api_key(file: Option<&Path>) -> Result<Option<Secret>> {
    let (what, text) = match file {
        Some(file) => ("the API key file", key_text(file)?),
        None => match std::env::var_os("THOTH_API_KEY") {
            None => return Ok(None),
            Some(key) if key.is_empty() => return Ok(None),
            Some(key) => {
                let key = key.into_string();
                let key = key.map_err(|_| Usage("THOTH_API_KEY is not UTF-8".into()))?;
                ("THOTH_API_KEY", key)
            }
        },
    };
    let key = Secret::new(text.trim());
    if key.is_blank() {
        return Err(Usage(format!(
            "{what} is blank: put the key there, or leave it out"
        ))
        .into());
    }
    Ok(Some(key))
}

fn check(args: &Check) -> Result<Exit> {
    let policy = match Policy::load(&args.file) {
        Ok(policy) => policy,
        Err(error) => {
            if args.json {
                let problems: Vec<String> =
                    error.problems().iter().map(ToString::to_string).collect();
                tell!(
                    "{}",
                    json!({ "valid": false, "problems": problems, "error": error.to_string() })
                );
            }
            return Err(error.into());
        }
    };
    let found = policy.check();
    report::tell_warnings(Some(&policy));
    if args.json {
        let warnings: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
        tell!(
            "{}",
            json!({
                "valid": true,
                "pack_id": found.pack_id,
                "pack_version": found.pack_version,
                "policies": found.policies,
                "by_decision": found.by_decision,
                "warnings": warnings,
            })
        );
    } else {
        let kinds: Vec<String> = found
            .by_decision
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        tell!(
            "{} is valid: {} policies ({})",
            inert(&args.file.display().to_string(), 2_000),
            found.policies,
            kinds.join(", ")
        );
    }
    Ok(Exit::Completed)
}
