//! Facts about policies. What the tests share stands here.

mod loading;
mod verdicts;

use serde_json::{Value, json};

use super::{Decision, Policy, Verdict};
use crate::call::Call;

const EXAMPLE: &str = include_str!("../../../../examples/policy.cedar");

fn call(tool: &str, arguments: Value) -> Call {
    Call {
        tool_name: tool.to_owned(),
        agent_id: "bot".to_owned(),
        tenant_id: "acme".to_owned(),
        user_id: "u1".to_owned(),
        session_id: "s-1".to_owned(),
        arguments: arguments.as_object().unwrap().clone(),
        approved_scope: vec!["look".to_owned()],
        session_tool_calls: vec!["look".to_owned(), tool.to_owned()],
        mode: "block".to_owned(),
        environment: "prod".to_owned(),
        ..Call::default()
    }
}

fn policy(text: &str) -> Policy {
    Policy::parse("t.cedar", text).unwrap_or_else(|error| panic!("{error}"))
}

/// The verdict of policies written with `permit` and `forbid` for every call.
fn verdict(text: &str) -> Verdict {
    let text = text.replace(" all", " (principal, action, resource)");
    policy(&text).decide(&call("look", json!({"n": 1})))
}
