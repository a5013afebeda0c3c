//! `thoth doctor`: whether the set-up holds, and what to do where it does not.

mod closed;
mod enforcer;
mod finding;

use anyhow::Result;
use serde_json::{Value, json};
use thoth_enforcer::Policy;
use thoth_host::grants::Config;
use thoth_host::toolbox::{Toolbox, Tools};
use thoth_host::{Error, Inspector, Mode, Runtime, default_cache_dir};

use self::finding::{Finding, Status};
use super::Exit;
use super::progress::noticed;
use super::settings::{IdentityArgs, PolicyArgs, StateArgs, jail, refuse_fail_open};

/// Check the set-up: configuration, tools, lock, policy, enforcer, clock and state.
///
/// The enforcer is asked about a tool that does not exist, with your API key and without; nothing runs
/// and no event is recorded. That this program fails closed is tried out against a service of its own
/// on loopback, which breaks in each way in which a service can. The exit code is 1 if a check fails.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    identity: IdentityArgs,
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit> {
    let findings = findings(&args).await;
    let fails = findings
        .iter()
        .any(|finding| finding.status == Status::Fail);
    if args.json {
        let checks: Vec<Value> = findings.iter().map(Finding::json).collect();
        tell!("{}", json!({ "ok": !fails, "checks": checks }));
    } else {
        findings.iter().for_each(Finding::print);
    }
    Ok(if fails { Exit::Host } else { Exit::Completed })
}

async fn findings(args: &Args) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Everything hangs on it.
    let config = match args.state.config.read() {
        Err(error) => {
            let todo = "correct the file; nothing else was checked";
            findings.push(Finding::fail("configuration", format!("{error:#}"), todo));
            return findings;
        }
        Ok(config) => config,
    };
    findings.push(match args.state.config.file() {
        Some(file) => Finding::ok("configuration", file.display().to_string()),
        None => Finding::warn(
            "configuration",
            "there is none",
            "write one: `thoth init COMPONENT…`",
        ),
    });
    if let Err(error) = refuse_fail_open() {
        findings.push(Finding::fail(
            "environment",
            error.to_string(),
            "unset the variable",
        ));
    }
    findings.extend(tools(args, &config).await);
    findings.push(mode(args, &config));
    findings.extend(deciding(args, &config).await);
    findings.push(noticed("trying every fault", closed::check()).await);
    findings
}

/// The components, and what they are held to.
async fn tools(args: &Args, config: &Config) -> Vec<Finding> {
    if config.tools.is_empty() {
        let todo = "name components in thoth.toml: `thoth init COMPONENT…` writes one that does";
        return vec![Finding::warn("tools", "the configuration names none", todo)];
    }
    let fail = |error: String| {
        vec![Finding::fail(
            "tools",
            error,
            "see `thoth inspect COMPONENT`",
        )]
    };
    let inspector = match jail().map(|jail| Inspector::new(jail, default_cache_dir().as_deref())) {
        Ok(Ok(inspector)) => inspector,
        Ok(Err(error)) => return fail(error.to_string()),
        Err(error) => return fail(format!("{error:#}")),
    };
    let toolbox = args.state.config.toolbox(config.clone());
    match noticed("compiling components", toolbox.inspect(&inspector)).await {
        Ok(tools) => of_components(&tools)
            .into_iter()
            .chain(of_lock(&tools))
            .collect(),
        Err(error) => {
            let todo = "nothing runs until there is a sound lock: remove one that is not, and run `thoth lock`";
            let mut findings = vec![Finding::fail("lock", error.to_string(), todo)];
            // The components may be sound all the same.
            let mut config = config.clone();
            config.settings.locked = false;
            let toolbox = Toolbox::new(config);
            if let Ok(tools) = noticed("compiling components", toolbox.inspect(&inspector)).await {
                findings.extend(of_components(&tools));
            }
            findings
        }
    }
}

fn of_components(tools: &Tools) -> Vec<Finding> {
    let mut findings = Vec::new();
    for refused in tools.refused() {
        let why = refused.why.to_string();
        match refused.why.as_ref() {
            // The lock's to say.
            Error::NotLocked { .. } | Error::Changed { .. } => {}
            Error::Ambiguous { .. } => {
                let todo = "give one of the components a `prefix` in thoth.toml";
                findings.push(Finding::warn("tools", why, todo));
            }
            _ => {
                let todo = "build the component again, or correct its path";
                findings.push(Finding::fail("tools", why, todo));
            }
        }
    }
    if findings.is_empty() {
        let components = count(tools.components().count(), "component");
        let what = format!("{} of {components}", count(tools.len(), "tool"));
        findings.push(Finding::ok("tools", what));
    }
    findings
}

fn of_lock(tools: &Tools) -> Vec<Finding> {
    let Some(lock) = tools.lock() else {
        let todo = "pin the components as they are: `thoth lock`";
        let what = "there is none, so components may change";
        return vec![Finding::warn("lock", what, todo)];
    };
    let differs = tools.refused().iter().filter(|refused| {
        matches!(
            *refused.why,
            Error::NotLocked { .. } | Error::Changed { .. }
        )
    });
    let todo = "if that is meant, run `thoth lock`";
    let differs: Vec<Finding> = differs
        .map(|refused| Finding::fail("lock", refused.why.to_string(), todo))
        .collect();
    if differs.is_empty() {
        return vec![Finding::ok("lock", lock.path().display().to_string())];
    }
    differs
}

fn mode(args: &Args, config: &Config) -> Finding {
    match args.identity.identity(&config.settings) {
        Err(error) => Finding::fail(
            "identity",
            error.to_string(),
            "correct the variable or flag",
        ),
        Ok(identity) if identity.mode == Mode::Observe => Finding::warn(
            "identity",
            "observe mode: calls run whatever the enforcer says",
            "leave observe mode when you have seen enough",
        ),
        Ok(identity) if identity.tenant_id.is_empty() || identity.agent_id.is_empty() => {
            Finding::warn(
                "identity",
                "no tenant or no agent is named, so a policy cannot tell who calls",
                "name them in thoth.toml: `tenant` and `agent`",
            )
        }
        Ok(identity) => Finding::ok(
            "identity",
            format!(
                "agent `{}` of tenant `{}`",
                identity.agent_id, identity.tenant_id
            ),
        ),
    }
}

/// Policy, enforcer, clock and state folder: what a runtime is made of.
async fn deciding(args: &Args, config: &Config) -> Vec<Finding> {
    let settings = &config.settings;
    let mut findings = Vec::new();
    let policy_file = args.policy.policy_file().or(settings.policy.as_deref());
    let is_embedded = args.policy.is_embedded(settings);
    if let (true, Some(file)) = (is_embedded, policy_file) {
        findings.push(policy(file));
    }
    let state = match args.state.dir(settings) {
        Ok(state) => state,
        Err(error) => {
            findings.push(Finding::fail(
                "state",
                error.to_string(),
                "name one: `--state-dir DIR`",
            ));
            return findings;
        }
    };
    let built = match args.policy.builder(settings) {
        Ok(builder) => builder
            .state_dir(&state)
            .build()
            .await
            .map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => {
            findings.extend(not_built(
                &error,
                findings.iter().any(|f| f.status == Status::Fail),
            ));
            return findings;
        }
    };
    if is_embedded {
        findings.push(Finding::ok(
            "enforcer",
            "decides in this process, by the policy",
        ));
        findings.push(enforcer::clock(None));
    } else {
        findings.extend(enforcer::check(args, config, &runtime).await);
    }
    findings.push(log(&runtime, &state.display().to_string()).await);
    runtime.close(std::time::Duration::ZERO).await;
    findings
}

fn policy(file: &std::path::Path) -> Finding {
    let todo = format!(
        "correct it, and see `thoth enforcer check {}`",
        file.display()
    );
    match Policy::load(file) {
        Err(error) => Finding::fail("policy", error.to_string(), todo),
        Ok(policy) => {
            let check = policy.check();
            let what = format!("{} in {}", count(check.policies, "policy"), file.display());
            match check.warnings.first() {
                Some(warning) => Finding::warn("policy", format!("{what}: {warning}"), todo),
                None => Finding::ok("policy", what),
            }
        }
    }
}

/// Why no call would be governed at all.
fn not_built(error: &anyhow::Error, is_said: bool) -> Option<Finding> {
    let what = super::message(error);
    let what = what.strip_prefix("thoth: ").unwrap_or(&what).to_owned();
    let (name, todo) = match error.downcast_ref::<Error>() {
        Some(Error::NoEnforcer) => ("policy", "write one: `thoth init`, or name an enforcer"),
        Some(Error::TwoEnforcers) => ("policy", "take one of them away"),
        Some(Error::State { .. } | Error::Outbox(_) | Error::Store(_)) => (
            "state",
            "correct the folder, or name another: `--state-dir DIR`",
        ),
        // The policy has been spoken of.
        Some(Error::Policy(_)) if is_said => return None,
        _ => ("enforcer", "correct the setting"),
    };
    Some(Finding::fail(name, what, todo))
}

async fn log(runtime: &Runtime, folder: &str) -> Finding {
    match runtime.log_status().await {
        Err(error) => Finding::fail(
            "state",
            format!("the log in {folder} cannot be read: {error}"),
            "correct the folder, or name another: `--state-dir DIR`",
        ),
        Ok(status) if status.waiting > 0 && status.last_error.is_some() => Finding::warn(
            "state",
            format!(
                "{} in {folder} wait to be delivered: {}",
                count(
                    usize::try_from(status.waiting).unwrap_or(usize::MAX),
                    "event"
                ),
                status.last_error.unwrap_or_default()
            ),
            "they are kept, and delivered once the enforcer takes them",
        ),
        Ok(_) => Finding::ok("state", folder),
    }
}

fn count(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}
