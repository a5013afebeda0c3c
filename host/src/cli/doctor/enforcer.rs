//! The enforcer: whether it answers, whether it wants a key, and what it says of an unknown tool.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thoth_host::grants::Config;
use thoth_host::{Cause, Decision, Identity, Runtime, Verdict};

use super::Args;
use super::finding::Finding;

/// How far the clocks may be apart.
const SKEW_MAX: Duration = Duration::from_secs(60);

/// A clock before this is wrong: 2026-01-01, in seconds.
const EPOCH: u64 = 1_767_225_600;

/// Asks the enforcer, with the key and without.
pub(super) async fn check(args: &Args, config: &Config, runtime: &Runtime) -> Vec<Finding> {
    let identity = args.identity.identity(&config.settings);
    let identity = identity.unwrap_or_else(|_| Identity::new("", ""));
    let decision = runtime.probe(identity.clone()).await;
    let mut findings = vec![answered(&decision)];
    if !is_answer(&decision) {
        findings.push(clock(None));
        return findings;
    }
    findings.push(without_key(args, config, identity).await);
    findings.push(clock(args.policy.date(&config.settings).await));
    findings
}

/// Whether the enforcer decided, whatever it decided.
fn is_answer(decision: &Decision) -> bool {
    match &decision.verdict {
        Verdict::Allow | Verdict::Modify(_) | Verdict::StepUp(_) | Verdict::Defer(_) => true,
        Verdict::Block(cause) => {
            matches!(
                cause,
                Cause::Policy | Cause::Deferred | Cause::Denied | Cause::Expired
            )
        }
    }
}

fn answered(decision: &Decision) -> Finding {
    let name = "enforcer";
    match &decision.verdict {
        Verdict::Allow | Verdict::Modify(_) => Finding::warn(
            name,
            "it answers, and allows a tool that does not exist",
            "let its policy block what no rule names",
        ),
        Verdict::StepUp(_) => {
            Finding::ok(name, "it answers, and asks a human about an unknown tool")
        }
        Verdict::Defer(_) => Finding::ok(name, "it answers, and defers an unknown tool"),
        Verdict::Block(_) if is_answer(decision) => {
            Finding::ok(name, "it answers, and blocks a tool that it does not know")
        }
        Verdict::Block(Cause::Status) => Finding::fail(
            name,
            format!("it refuses the question: {}", decision.reason),
            "if that is 401 or 403, correct the API key: THOTH_API_KEY or `--api-key-file FILE`",
        ),
        Verdict::Block(Cause::Unreachable | Cause::Timeout | Cause::Tls) => Finding::fail(
            name,
            format!("it cannot be reached: {}", decision.reason),
            "every call is blocked until it can: check the URL, the network and the certificate",
        ),
        Verdict::Block(cause) => Finding::fail(
            name,
            format!("its answer is no decision ({cause}): {}", decision.reason),
            "every call is blocked until it is: check that the URL is an enforcer's",
        ),
    }
}

/// Whether it answers a caller without a key too.
async fn without_key(args: &Args, config: &Config, identity: Identity) -> Finding {
    let name = "credentials";
    let todo = "let it ask for one: any program that reaches it can ask, and learn the policy";
    match args.policy.has_key(&config.settings) {
        Err(error) => return Finding::fail(name, format!("{error:#}"), "correct the key"),
        Ok(false) => {
            return Finding::warn(name, "no API key is set, and the enforcer wants none", todo);
        }
        Ok(true) => {}
    }
    // Where nothing is left behind.
    let Ok(state) = tempfile::tempdir() else {
        return Finding::ok(name, "the enforcer takes the API key");
    };
    let built = match args.policy.keyless(&config.settings) {
        Ok(builder) => builder.state_dir(state.path()).build().await.ok(),
        Err(_) => None,
    };
    let Some(runtime) = built else {
        return Finding::ok(name, "the enforcer takes the API key");
    };
    let decision = runtime.probe(identity).await;
    runtime.close(Duration::ZERO).await;
    if is_answer(&decision) {
        Finding::warn(name, "the enforcer answers without an API key too", todo)
    } else {
        Finding::ok(name, "the enforcer takes the API key, and wants one")
    }
}

/// Whether the clock is right, by the enforcer's where that is known. Waiting goes by another clock,
/// which cannot be set; this one is in events, and certificates are held to it.
pub(super) fn clock(enforcer: Option<SystemTime>) -> Finding {
    let name = "clock";
    let todo = "set the clock: certificates and the times in events hang on it";
    let now = SystemTime::now();
    let passed = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    if passed < Duration::from_secs(EPOCH) {
        return Finding::fail(name, "it stands before 2026", todo);
    }
    let Some(theirs) = enforcer else {
        return Finding::ok(name, "it is plausible");
    };
    let apart = now
        .duration_since(theirs)
        .unwrap_or_else(|error| error.duration());
    if apart > SKEW_MAX {
        let what = format!("it is {} s away from the enforcer's", apart.as_secs());
        Finding::warn(name, what, todo)
    } else {
        Finding::ok(name, "it agrees with the enforcer's")
    }
}
