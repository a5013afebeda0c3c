//! Facts about policies. What the tests share stands here.

mod effects;
mod loading;
mod malformed;
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

/// A request that is well formed, changed by `changes`.
fn http(changes: Value) -> Call {
    effect(
        "effect:http",
        json!({
            "tool": "fetch_json", "parent_call_id": "6f0c1111-0000-4000-8000-000000000000",
            "number": 1, "method": "GET", "scheme": "https", "host": "api.example.com",
            "port": 443, "path": "/v1/items", "query": "a=b", "headers": ["accept", "user-agent"],
            "body_sha256": "0123456789abcdef".repeat(4), "body_bytes": 0
        }),
        changes,
    )
}

/// A file to be opened that is well formed, changed by `changes`.
fn file(changes: Value) -> Call {
    effect(
        "effect:file",
        json!({
            "tool": "look", "parent_call_id": "6f0c1111-0000-4000-8000-000000000000",
            "number": 2, "path": "/docs/a.md", "mode": "read", "create": false, "truncate": false
        }),
        changes,
    )
}

fn effect(name: &str, mut arguments: Value, changes: Value) -> Call {
    let changes = changes.as_object().unwrap().clone();
    arguments.as_object_mut().unwrap().extend(changes);
    call(name, arguments)
}

fn code(policy: &Policy, call: &Call) -> String {
    policy.decide(call).reason_code
}
