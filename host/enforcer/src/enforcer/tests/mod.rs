//! Facts about the wire: shapes, credentials, errors. What the tests share stands here.

mod claims;
mod credentials;
mod decisions;
mod events;
mod holds;
mod page;
mod refusals;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Map, Value, json};

use super::{Enforcer, Options};
use crate::policy::Policy;
use crate::store::Store;

const POLICY: &str = include_str!("../../../../examples/policy.cedar");

fn options() -> Options {
    Options {
        api_key: Some("agent-key".into()),
        approver_token: Some("approver-token".into()),
        tenant: None,
        base_url: Some("http://127.0.0.1:8181/".to_owned()),
        approver: Some("ann".to_owned()),
    }
}

fn enforcer_on(store: Store) -> Enforcer {
    Enforcer::new(
        Policy::parse("policies/policy.cedar", POLICY).unwrap(),
        store,
        options(),
    )
    .unwrap()
}

fn enforcer() -> Enforcer {
    enforcer_on(Store::in_memory().unwrap())
}

/// Sends with the agent's key, or with the given credential headers.
fn send_as(
    enforcer: &Enforcer,
    credentials: &[(&str, &str)],
    method: &str,
    path: &str,
    body: &str,
) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if method == "POST" {
        request = request.header("content-type", "application/json; charset=utf-8");
    }
    for (name, value) in credentials {
        request = request.header(*name, *value);
    }
    let request = request.body(Bytes::from(body.to_owned())).unwrap();
    let response = enforcer.handle(request);
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = serde_json::from_slice(response.body()).unwrap();
    (response.status(), body)
}

fn send(enforcer: &Enforcer, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
    send_as(enforcer, &[("x-api-key", "agent-key")], method, path, body)
}

fn approve(enforcer: &Enforcer, method: &str, path: &str, body: &str) -> (StatusCode, Value) {
    let credentials = [("authorization", "Bearer approver-token")];
    send_as(enforcer, &credentials, method, path, body)
}

/// A body as the Go SDK sends it (protocol.md, appendix A).
fn go_body(tool: &str, arguments: Value) -> Value {
    json!({
        "request_id": "6f0c1111-0000-4000-8000-000000000000", "agent_id": "bot",
        "tenant_id": "acme", "tool_name": tool, "session_id": "2b9e", "user_id": "u1",
        "identity_binding": {"agent_id": "bot", "tenant_id": "acme", "user_id": "u1"},
        "approved_scope": ["look"], "session_tool_calls": [tool], "tool_args": arguments,
        "enforcement_mode": "block", "environment": "prod", "enforcement_trace_id": "tr-9",
        "occurred_at": "2026-01-02T03:04:05.678901234Z", "session_intent": "triage",
        "purpose": "ops", "data_classification": "internal",
        "task_context": {"chain": ["p", "q"], "initiated_by": "sam", "task_id": "T-1"}
    })
}

fn decide(enforcer: &Enforcer, tool: &str, arguments: Value) -> Map<String, Value> {
    let body = go_body(tool, arguments).to_string();
    let (status, Value::Object(mut answer)) = send(enforcer, "POST", "/v1/enforce", &body) else {
        panic!("not an object");
    };
    assert_eq!(status, StatusCode::OK);
    assert!(answer.remove("latency_ms").unwrap().is_number());
    answer
}

/// Takes what is random out of an answer, after checking its form.
fn take_id(answer: &mut Map<String, Value>, name: &str, prefix: &str, digits: usize) -> String {
    let id = answer.remove(name).unwrap().as_str().unwrap().to_owned();
    let hex = id.strip_prefix(prefix).unwrap();
    assert_eq!(hex.len(), digits);
    assert!(hex.chars().all(|c| c.is_ascii_hexdigit()));
    id
}

/// Every decision has these.
fn expected(policy: &Policy, fields: Value) -> Map<String, Value> {
    let Value::Object(mut all) = json!({
        "request_id": "6f0c1111-0000-4000-8000-000000000000", "enforcement_trace_id": "tr-9",
        "pack_id": "policy", "pack_version": policy.check().pack_version,
    }) else {
        unreachable!()
    };
    all.extend(fields.as_object().unwrap().clone());
    all
}
