//! `thoth call`: one governed call of one function of one component.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use thoth_host::{
    Call, CallOptions, Hold, Mode, Outcome, Runtime, Session, Tool, TraceParent, inert,
};

use super::grants::{GrantArgs, LimitArgs, private, secrets};
use super::progress::noticed;
use super::session::SessionArgs;
use super::settings::{IdentityArgs, PolicyArgs, StateArgs, call_id, duration, var};
use super::stopped::stopped;
use super::{Exit, Usage, report};

/// How long the command waits for its events to be delivered.
const DELIVERY: Duration = Duration::from_secs(2);

/// The longest text of arguments that is read, in bytes; the governor refuses far less.
const ARGUMENTS_MAX: u64 = 1 << 20;

/// Call one tool, once, on the enforcer's word.
///
/// Any component is a tool: each function it exports can be called by its name in snake case, with
/// a JSON object of its parameters. `thoth inspect COMPONENT` lists them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    thoth call docs.wasm search_docs '{\"query\": \"leave\"}' --policy policy.cedar\n  \
    echo '{\"query\": \"leave\"}' | thoth call docs.wasm search_docs - --enforcer-url https://enforce.acme.example\n  \
    thoth call bank.wasm transfer @payment.json --policy policy.cedar --wait 0s --json\n  \
    thoth call fetch.wasm fetch_json '{\"url\": \"https://api.example.com/v1/items\"}' \\\n    \
    --allow-net 'https://api.example.com/v1/* GET govern' --policy policy.cedar")]
pub(super) struct Args {
    /// The component, a .wasm file.
    component: PathBuf,
    /// The tool; may be left out where the component offers one only.
    tool: Option<String>,
    /// The arguments: JSON, `-` for stdin, or `@FILE` [default: {}].
    arguments: Option<String>,
    /// Print one JSON object about the outcome instead of the bare result.
    #[arg(long)]
    json: bool,
    /// How long to wait for an approval, for instance 0s or 10m [default: until the hold expires].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// The trace that the call belongs to (W3C Trace Context) [env: TRACEPARENT].
    #[arg(long, value_name = "TRACEPARENT", value_parser = trace_parent)]
    traceparent: Option<TraceParent>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    grants: GrantArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    identity: IdentityArgs,
    #[command(flatten)]
    session: SessionArgs,
}

/// Runs the command.
pub(super) async fn run(mut args: Args) -> Result<Exit> {
    // `thoth call tool.wasm '{…}'`: one word after the component that cannot be a tool's name.
    if args.arguments.is_none()
        && args
            .tool
            .as_ref()
            .is_some_and(|word| word.starts_with(['{', '[', '@', '-']))
    {
        args.arguments = args.tool.take();
    }
    let config = args.state.config.read()?;
    let settings = &config.settings;
    let identity = args.identity.identity(settings)?;
    let observe = identity.mode == Mode::Observe;
    let state = args.state.dir(settings)?;
    let private = private(&config, &args.state, &args.policy)?;
    let granted = args.grants.granted(
        &config,
        &args.limits,
        &args.component,
        &private,
        &secrets(&config),
    )?;
    let is_embedded = args.policy.is_embedded(settings);
    let folder = args.state.named(settings).map(Path::to_owned);
    let named = folder.clone();
    let builder = args.policy.builder(settings)?.state_dir(&state);
    let builder = builder.on_hold(move |effect, arguments, hold| {
        let how = how_to_approve(hold, is_embedded, folder.as_deref());
        let line = format!(
            "{effect} {arguments} waits for approval: {}; {how}",
            hold.reason
        );
        say!("thoth: {}", inert(&line, 2_000));
    });
    let runtime = builder.build().await?;
    report::tell_warnings(runtime.enforcer().map(|enforcer| enforcer.policy()));
    let arguments = read_arguments(args.arguments.as_deref())?;
    let budget = args.session.budget(settings);
    let grant = granted.grant.clone();
    let toolbox = args.state.config.toolbox(config);
    let toolbox = toolbox.granting(move |_| Ok(grant.clone()));
    let tool = noticed(
        &format!("compiling {}", args.component.display()),
        toolbox.component(&runtime, &args.component),
    )
    .await?;
    granted.check(&tool)?;
    for notice in runtime.notices().iter().chain(tool.notices()) {
        say!("thoth: {}", inert(notice, 300));
    }
    let name = choose(&tool, args.tool.as_deref())?;
    if observe {
        say!("thoth: observe mode: the call runs whatever the enforcer says");
    }
    let session = args.session.open(&runtime, identity, budget).await?;
    // A variable is often set for other programs, so one that is no trace is none.
    let trace = args
        .traceparent
        .or_else(|| TraceParent::parse(&var("TRACEPARENT")?));
    let options = CallOptions::new().trace_parent(trace);
    let mut stop = std::pin::pin!(stopped());
    let begun = async {
        match args.session.hold() {
            Some(token) => {
                session
                    .pick_up(&tool, &name, &arguments, token, options)
                    .await
            }
            None => {
                let options = options.call_id(call_id());
                session.call_with(&tool, &name, &arguments, options).await
            }
        }
    };
    let mut call = tokio::select! {
        call = begun => call?,
        () = &mut stop => {
            return interrupted(runtime, session, &name, args.session.hold()).await;
        }
    };
    if let Outcome::Pending(hold) = &call.outcome
        && args.wait != Some(Duration::ZERO)
    {
        let is_embedded = runtime.enforcer().is_some();
        let how = how_to_approve(hold, is_embedded, named.as_deref());
        let line = format!("{name} waits for approval: {}; {how}", hold.reason);
        say!("thoth: {}", inert(&line, 2_000));
        let token = hold.token.clone();
        call = tokio::select! {
            call = session.wait(call, args.wait) => call,
            () = &mut stop => return interrupted(runtime, session, &name, Some(&token)).await,
        };
    }
    session.end().await;
    print(&call, args.json)?;
    report::tell_undelivered(&runtime.close(DELIVERY).await);
    Ok(report::exit(&call))
}

pub(super) fn how_to_approve(hold: &Hold, is_embedded: bool, folder: Option<&Path>) -> String {
    match &hold.approval_url {
        Some(url) => format!("approve it at {url}"),
        None if is_embedded => {
            let folder = folder.map(|dir| format!(" --state-dir {}", quoted(dir)));
            let folder = folder.unwrap_or_default();
            format!(
                "approve it with `thoth approvals approve {}{folder}`",
                hold.token
            )
        }
        None => format!("approve hold {} at the enforcer", hold.token),
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+@%=:,".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The caller gives up: what runs is stopped, what is held does not run, and what was recorded is
/// delivered.
async fn interrupted(
    runtime: Runtime,
    session: Session,
    name: &str,
    token: Option<&str>,
) -> Result<Exit> {
    let held = token.map(|token| format!("; hold {token} is left undecided"));
    say!(
        "thoth: {} was interrupted{}",
        inert(name, 80),
        held.unwrap_or_default()
    );
    session.end().await;
    runtime.close(DELIVERY).await;
    Ok(Exit::Host)
}

fn trace_parent(text: &str) -> Result<TraceParent, String> {
    let form = "it is `00-`, 32 hex digits, `-`, 16 hex digits, `-`, 2 hex digits";
    TraceParent::parse(text).ok_or_else(|| form.into())
}

fn print(call: &Call, json: bool) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = if json {
        writeln!(
            stdout,
            "{}",
            report::inert_json(&report::json(call).to_string())
        )
    } else {
        if let Some(line) = report::line(call) {
            say!("thoth: {}", inert(&line, 2_000));
        }
        match &call.outcome {
            Outcome::Completed(result) if stdout.is_terminal() => {
                let value: Value = serde_json::from_str(result)?;
                writeln!(stdout, "{}", report::inert_json(&format!("{value:#}")))
            }
            Outcome::Completed(result) => writeln!(stdout, "{}", report::inert_json(result)),
            Outcome::Failed(_) | Outcome::Refused(_) | Outcome::Pending(_) => Ok(()),
        }
    };
    match written.and_then(|()| stdout.flush()) {
        // Who reads the result has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write the result"),
    }
}

fn choose(tool: &Tool, name: Option<&str>) -> Result<String> {
    let known: Vec<&str> = tool
        .definitions()
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    match (name, known.as_slice()) {
        (Some(name), _) if known.contains(&name) => Ok(name.into()),
        (None, [only]) => Ok((*only).into()),
        (_, []) => {
            let why = tool
                .refused()
                .first()
                .map(|refused| format!(": `{}` {}", refused.export, refused.why));
            anyhow::bail!(
                "`{}` offers no tool{}",
                tool.name(),
                why.unwrap_or_default()
            )
        }
        (Some(name), _) => {
            // A function that is there but cannot be called says why.
            let refused = tool
                .refused()
                .iter()
                .find(|refused| refused.export.replace('-', "_").contains(name));
            let why = match refused {
                Some(refused) => format!("`{}` cannot be called: {}", refused.export, refused.why),
                None => format!("no tool `{name}` in `{}`", tool.name()),
            };
            Err(Usage(format!("{why}; there is: {}", known.join(", "))).into())
        }
        (None, _) => Err(Usage(format!(
            "`{}` offers several tools: name one of {}",
            tool.name(),
            known.join(", ")
        ))
        .into()),
    }
}

fn read_arguments(given: Option<&str>) -> Result<String> {
    let mut text = String::new();
    match given {
        None => return Ok("{}".into()),
        Some("-") => {
            std::io::stdin()
                .lock()
                .take(ARGUMENTS_MAX + 1)
                .read_to_string(&mut text)
                .map_err(|error| Usage(format!("cannot read the arguments from stdin: {error}")))?;
        }
        Some(word) => match word.strip_prefix('@') {
            Some(file) => {
                std::fs::File::open(file)
                    .and_then(|file| file.take(ARGUMENTS_MAX + 1).read_to_string(&mut text))
                    .map_err(|error| {
                        Usage(format!("cannot read the arguments from `{file}`: {error}"))
                    })?;
            }
            None => return Ok(word.into()),
        },
    }
    Ok(text)
}
