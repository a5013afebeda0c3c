//! From what came of a governed call to what an MCP client is told.
//!
//! A model reads `content`, and programs `_meta`. `structuredContent` has the result only: clients hold it
//! against the tool's schema even where it is an error.

use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::{Map, Value, json};

use super::catalog::Offered;
use crate::answer::{after_failure, after_refusal, grounds};
use crate::session::{Call, CallError};
use crate::tool::inert;
use crate::{FailureCause, Hold, Outcome, Refusal, ToolFailure};

/// The key in `_meta` under which the outcome is told.
pub(super) const META: &str = "thoth/outcome";

/// The longest sentence about an outcome, in characters.
const SENTENCE_MAX: usize = 2_000;

/// What came of a call that is over.
pub(super) fn of(call: &Call, offered: &Offered, takes_any_json: bool) -> CallToolResult {
    match &call.outcome {
        Outcome::Completed(result) => completed(call, result, offered, takes_any_json),
        Outcome::Failed(failure) => failed(call, failure),
        Outcome::Refused(refusal) => refused(call, refusal),
        Outcome::Pending(hold) => pending(&call.call_id, &call.tool, hold),
    }
}

fn completed(call: &Call, result: &str, offered: &Offered, takes_any_json: bool) -> CallToolResult {
    let value: Value = match serde_json::from_str(result) {
        Ok(value) => value,
        Err(_) => Value::String(result.into()),
    };
    let text = match &value {
        Value::String(text) => text.clone(),
        _ => result.to_owned(),
    };
    let mut answer = CallToolResult::success(vec![ContentBlock::text(text)]);
    let wraps = offered.wraps && !takes_any_json;
    answer.structured_content = Some(if wraps {
        json!({ "result": value })
    } else {
        value
    });
    answer.meta = Some(meta(
        json!({ "outcome": "completed", "call_id": call.call_id }),
    ));
    answer
}

fn failed(call: &Call, failure: &ToolFailure) -> CallToolResult {
    let error = failure.error.as_deref().map(parsed);
    let mut sentence = format!(
        "{} failed ({}): {}",
        call.tool, failure.cause, failure.message
    );
    if let Some(error) = &error {
        sentence.push_str(&format!(": {error}"));
    }
    let mut report = report("failed", &call.call_id, &call.tool);
    report.insert("cause".into(), failure.cause.as_str().into());
    report.insert("reason".into(), failure.message.as_str().into());
    if let Some(error) = error {
        report.insert("error".into(), error);
    }
    error_result(&sentence, report, after_failure(failure.cause))
}

fn refused(call: &Call, refusal: &Refusal) -> CallToolResult {
    let reason = match refusal.reason.as_str() {
        "" => "no reason was given",
        reason => reason,
    };
    let sentence = format!(
        "{} did not run, it was refused ({}): {reason}",
        call.tool, refusal.cause
    );
    let mut report = report("refused", &call.call_id, &call.tool);
    report.insert("cause".into(), refusal.cause.as_str().into());
    report.insert("reason".into(), refusal.reason.as_str().into());
    grounds(&mut report, &refusal.evidence);
    if let Some(seconds) = refusal.retry_after_seconds {
        report.insert("retry_after_seconds".into(), seconds.into());
    }
    error_result(&sentence, report, &after_refusal(refusal))
}

/// A call that waits for a human, for a client that cannot ask one.
pub(super) fn pending(call_id: &str, tool: &str, hold: &Hold) -> CallToolResult {
    let sentence = format!(
        "{tool} has not run, it waits for an approval: {}",
        hold.reason
    );
    let mut report = report("pending", call_id, tool);
    report.insert("reason".into(), hold.reason.as_str().into());
    report.insert("hold_token".into(), hold.token.as_str().into());
    report.insert("retry_after_seconds".into(), RETRY_SECONDS.into());
    grounds(&mut report, &hold.evidence);
    let place = match &hold.approval_url {
        Some(url) => {
            report.insert("approval_url".into(), url.as_str().into());
            format!("at {url}")
        }
        None => "with the operator of this server".into(),
    };
    let next = format!(
        "tell the user that hold {} must be approved {place}, and call again with the same arguments in \
         {RETRY_SECONDS} s or later: that comes back to this hold and runs once it is approved",
        hold.token
    );
    error_result(&sentence, report, &next)
}

/// When a client that cannot ask a human is told to come back.
const RETRY_SECONDS: u32 = 10;

/// Arguments that do not fit the tool. Nobody was asked.
pub(super) fn misfit(tool: &str, error: &CallError) -> CallToolResult {
    let reason = error.to_string();
    let mut report = Map::new();
    report.insert("outcome".into(), "failed".into());
    report.insert("tool".into(), tool.into());
    report.insert(
        "cause".into(),
        FailureCause::InvalidArguments.as_str().into(),
    );
    report.insert("reason".into(), reason.as_str().into());
    let sentence = format!("{tool} was not called: {reason}");
    error_result(&sentence, report, "correct the arguments and call again")
}

fn error_result(sentence: &str, mut report: Map<String, Value>, next: &str) -> CallToolResult {
    report.insert("next".into(), next.into());
    let report = Value::Object(report);
    let sentence = inert(sentence, SENTENCE_MAX);
    let mut answer = CallToolResult::error(vec![
        ContentBlock::text(format!("{sentence}. Next: {next}.")),
        ContentBlock::text(report.to_string()),
    ]);
    answer.meta = Some(meta(report));
    answer
}

fn meta(report: Value) -> MetaObject {
    let mut meta = MetaObject::new();
    meta.insert(META.into(), report);
    meta
}

fn report(outcome: &str, call_id: &str, tool: &str) -> Map<String, Value> {
    let mut report = Map::new();
    report.insert("outcome".into(), outcome.into());
    report.insert("tool".into(), tool.into());
    report.insert("call_id".into(), call_id.into());
    report
}

/// A tool's JSON as a value; as text, should it ever not be JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()))
}
