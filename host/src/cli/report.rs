//! What came of a call, for programs (`--json`) and for people.

use serde_json::{Map, Value, json};
use thoth_enforcer::Policy;
use thoth_host::{Call, Evidence, Outcome, Undelivered, inert, is_hidden};

use super::Exit;

/// The object that `--json` prints. Its shape is a public contract: keys are only ever added.
pub(super) fn json(call: &Call) -> Value {
    let mut out = Map::new();
    let (outcome, evidence) = match &call.outcome {
        Outcome::Completed(result) => {
            out.insert("result".into(), parsed(result));
            ("completed", None)
        }
        Outcome::Failed(failure) => {
            out.insert("cause".into(), failure.cause.as_str().into());
            out.insert("reason".into(), failure.message.as_str().into());
            if let Some(error) = &failure.error {
                out.insert("error".into(), parsed(error));
            }
            ("failed", None)
        }
        Outcome::Refused(refusal) => {
            out.insert("cause".into(), refusal.cause.as_str().into());
            out.insert("reason".into(), refusal.reason.as_str().into());
            if let Some(seconds) = refusal.retry_after_seconds {
                out.insert("retry_after_seconds".into(), seconds.into());
            }
            ("refused", Some(&refusal.evidence))
        }
        Outcome::Pending(hold) => {
            out.insert("reason".into(), hold.reason.as_str().into());
            out.insert("hold_token".into(), hold.token.as_str().into());
            if let Some(url) = &hold.approval_url {
                out.insert("approval_url".into(), url.as_str().into());
            }
            ("pending", Some(&hold.evidence))
        }
    };
    if let Some(evidence) = evidence {
        for (key, value) in grounds(evidence) {
            out.insert(key.into(), value.into());
        }
    }
    let mut report = Map::new();
    report.insert("outcome".into(), outcome.into());
    report.insert("tool".into(), call.tool.as_str().into());
    report.append(&mut out);
    if let Some(traces) = &call.traces {
        report.insert("usage".into(), traces.usage.to_json());
        for (key, text) in [("stdout", &traces.stdout), ("stderr", &traces.stderr)] {
            if !text.is_empty() {
                report.insert(key.into(), text.as_str().into());
            }
        }
        if traces.masked {
            report.insert("masked".into(), true.into());
        }
    }
    report.insert("session_id".into(), json!(call.session_id));
    report.insert("call_id".into(), json!(call.call_id));
    Value::Object(report)
}

/// JSON text with every character that could drive a terminal, hide or turn the text around written as
/// an escape. To a program it is the same JSON.
pub(super) fn inert_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Line breaks are the layout; within a string JSON has them escaped.
        if is_hidden(c) && c != '\n' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// The line for a person. `None` where the result says it all.
pub(super) fn line(call: &Call) -> Option<String> {
    let tool = &call.tool;
    match &call.outcome {
        Outcome::Completed(_) => None,
        Outcome::Failed(failure) => {
            let error = failure
                .error
                .as_ref()
                .map(|error| format!(": {error}"))
                .unwrap_or_default();
            Some(format!(
                "{tool} failed ({}): {}{error}",
                failure.cause, failure.message
            ))
        }
        Outcome::Refused(refusal) => {
            let reason = match refusal.reason.as_str() {
                "" => "no reason was given",
                reason => reason,
            };
            let mut line = format!("{tool} refused ({}): {reason}", refusal.cause);
            for (key, value) in grounds(&refusal.evidence) {
                line.push_str(&format!(" · {key} {value}"));
            }
            if let Some(seconds) = refusal.retry_after_seconds {
                line.push_str(&format!(" · try again in {seconds} s"));
            }
            Some(line)
        }
        Outcome::Pending(hold) => Some(format!(
            "{tool} waits for approval: {} · hold {}",
            hold.reason, hold.token
        )),
    }
}

/// The exit code for an outcome.
pub(super) fn exit(call: &Call) -> Exit {
    match &call.outcome {
        Outcome::Completed(_) => Exit::Completed,
        Outcome::Failed(failure) if failure.cause == thoth_host::FailureCause::HostFault => {
            Exit::Host
        }
        Outcome::Failed(_) => Exit::Failed,
        Outcome::Refused(_) => Exit::Refused,
        Outcome::Pending(_) => Exit::Pending,
    }
}

/// Says what is odd about a policy file: a forbid that can never match forbids nothing.
pub(super) fn tell_warnings(policy: Option<&Policy>) {
    for warning in policy.iter().flat_map(|policy| policy.check().warnings) {
        say!("thoth: warning: {}", inert(&warning.to_string(), 1_000));
    }
}

/// Says what the enforcer has not got.
pub(super) fn tell_undelivered(left: &Undelivered) {
    let events = |count: u64| format!("{count} event{}", if count == 1 { "" } else { "s" });
    let why = left.last_error.as_ref();
    let why = why.map(|error| format!(" ({})", inert(error, 300)));
    let why = why.unwrap_or_default();
    if left.waiting > 0 {
        say!(
            "thoth: {} not delivered yet{why}; the next run delivers what is left",
            events(left.waiting)
        );
    }
    if left.refused > 0 {
        say!(
            "thoth: {} refused by the enforcer for good{why}; they stay in the log",
            events(left.refused)
        );
    }
}

fn grounds(evidence: &Evidence) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("violation_id", &evidence.violation_id),
        ("decision_reason_code", &evidence.reason_code),
        ("action_classification", &evidence.classification),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value.as_deref()?)))
}

/// A tool's JSON as a value; as text, should it ever not be JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()))
}
