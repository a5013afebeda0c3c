//! `thoth enforcer serve` over loopback, as any client of the protocol meets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;

use serde_json::{Value, json};
use thoth_tests::{Thoth, client, thoth::Running, tool, tools};

const KEY: &str = "thoth_test_k";

/// A served enforcer with a home of its own.
struct Served {
    thoth: Thoth,
    url: String,
    running: Running,
}

impl Served {
    fn start() -> Self {
        Self::with(Thoth::new(env!("CARGO_BIN_EXE_thoth")).env("THOTH_API_KEY", KEY))
    }

    fn with(thoth: Thoth) -> Self {
        Self::by(thoth, tools::workspace().join("host/examples/policy.cedar"))
    }

    fn by(thoth: Thoth, policy: PathBuf) -> Self {
        let serve = thoth
            .bare()
            .args(["enforcer", "serve", "--listen", "127.0.0.1:0", "--policy"]);
        let mut running = serve
            .arg(policy)
            .arg("--state-dir")
            .arg(thoth.state_dir())
            .spawn();
        let url = running.stdout_line(|line| line.starts_with("http://127.0.0.1:"));
        Self {
            thoth,
            url,
            running,
        }
    }

    /// Ends it as a power cut does, and starts it again on the same state.
    fn restart(self) -> Self {
        self.running.kill();
        Self::with(self.thoth)
    }

    fn post(&self, path: &str, body: &Value) -> client::Response {
        client::post(&self.url, path, &[("x-api-key", KEY)], body)
    }

    fn get(&self, path: &str) -> client::Response {
        client::get(&self.url, path, &[("x-api-key", KEY)])
    }

    fn approver(&self) -> String {
        let token = std::fs::read_to_string(self.thoth.state_dir().join("approver.token")).unwrap();
        format!("Bearer {}", token.trim())
    }
}

/// A question as the Go SDK words it.
fn question(tool: &str, arguments: Value) -> Value {
    json!({
        "request_id": "5f2b8f0e-0000-4000-8000-000000000001",
        "agent_id": "bot",
        "tenant_id": "acme",
        "tool_name": tool,
        "session_id": "s",
        "user_id": "u1",
        "identity_binding": {"agent_id": "bot", "tenant_id": "acme", "user_id": "u1"},
        "approved_scope": [tool],
        "session_tool_calls": [tool],
        "tool_args": arguments,
        "enforcement_mode": "block",
        "environment": "prod",
        "enforcement_trace_id": "trace-1",
        "action_attestation_id": "call-1",
        "occurred_at": "2026-01-02T03:04:05.678901234Z",
    })
}

fn large_transfer() -> Value {
    question(
        "transfer",
        json!({"from_account": "payroll", "to_account": "suppliers", "amount_cents": 1_000_000}),
    )
}

#[test]
fn each_verdict_has_both_decision_fields_and_the_callers_ids() {
    let served = Served::start();
    let rows = [
        (question("search_docs", json!({"query": "x"})), "ALLOW"),
        (
            question("read_doc", json!({"path": "hr/leave.md"})),
            "BLOCK",
        ),
        (large_transfer(), "STEP_UP"),
        (
            question(
                "export_text",
                json!({"title": "t", "body": "b", "format": "plain", "include_internal": true}),
            ),
            "MODIFY",
        ),
        (
            question("close_books", json!({"month": "2026-03"})),
            "DEFER",
        ),
        (question("nobody_knows_it", json!({})), "BLOCK"),
    ];
    for (asked, decision) in rows {
        let answer = served.post("/v1/enforce", &asked);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let answer = answer.json(200);
        assert_eq!(answer["decision"], decision, "{answer}");
        assert_eq!(answer["authorization_decision"], decision);
        assert_eq!(answer["enforcement_trace_id"], "trace-1");
        assert_eq!(answer["action_attestation_id"], "call-1");
        match decision {
            "BLOCK" => assert!(answer["violation_id"].is_string(), "{answer}"),
            "STEP_UP" => {
                assert!(answer["hold_token"].is_string(), "{answer}");
                assert_eq!(answer["step_up_timeout_seconds"], 900);
            }
            "MODIFY" => assert_eq!(answer["modified_tool_args"]["include_internal"], false),
            "DEFER" => assert_eq!(answer["defer_timeout_seconds"], 3600),
            _ => {}
        }
    }
}

#[test]
fn ids_that_were_not_sent_are_not_made_up() {
    let served = Served::start();
    let mut asked = question("search_docs", json!({"query": "x"}));
    asked
        .as_object_mut()
        .unwrap()
        .remove("enforcement_trace_id");
    asked
        .as_object_mut()
        .unwrap()
        .remove("action_attestation_id");
    let answer = served.post("/v1/enforce", &asked).json(200);
    assert_eq!(answer["decision"], "ALLOW");
    for name in ["enforcement_trace_id", "action_attestation_id"] {
        assert!(answer.get(name).is_none_or(Value::is_null), "{answer}");
    }
}

#[test]
fn either_header_carries_the_key_and_no_other_key_does() {
    let served = Served::start();
    let asked = question("search_docs", json!({"query": "x"}));
    let bearer = format!("Bearer {KEY}");
    let accepted = [
        ("Authorization", bearer.as_str()),
        ("X-Api-Key", KEY),
        ("x-api-key", KEY),
    ];
    for header in accepted {
        assert_eq!(
            client::post(&served.url, "/v1/enforce", &[header], &asked).status,
            200,
            "{header:?}"
        );
    }
    let refused = [
        vec![],
        vec![("authorization", "Bearer thoth_test_other")],
        vec![("authorization", KEY)],
        vec![("x-api-key", "")],
        vec![("x-api-key", "thoth_test_")],
    ];
    for headers in refused {
        let answer = client::post(&served.url, "/v1/enforce", &headers, &asked);
        let body = answer.json(401);
        assert!(body["error"]["code"].is_string(), "{body}");
        assert!(body["error"]["message"].is_string(), "{body}");
        assert!(body["error"]["requestId"].is_string(), "{body}");
        assert!(!answer.body.contains(KEY));
    }
}

#[test]
fn a_second_slash_is_tolerated() {
    let served = Served::start();
    let asked = question("search_docs", json!({"query": "x"}));
    assert_eq!(
        served.post("//v1/enforce", &asked).json(200)["decision"],
        "ALLOW"
    );
}

#[test]
fn a_hold_has_the_one_shape_that_all_clients_accept() {
    let served = Served::start();
    let held = served.post("/v1/enforce", &large_transfer()).json(200);
    let token = held["hold_token"].as_str().unwrap().to_owned();
    let path = format!("/v1/enforce/hold/{token}");

    let pending = served.get(&path).json(200);
    assert_eq!(pending["token"], token.as_str());
    assert_eq!(pending["resolved"], false);
    assert_eq!(pending["resolution"], Value::Null);
    assert_eq!(pending["decision"], "STEP_UP");
    assert_eq!(pending["authorization_decision"], "STEP_UP");

    // A hold is still there after a restart, and resolved once.
    let served = served.restart();
    let resolve = |decision: &str| {
        let path = format!("/acme/thoth/approvals/{token}/resolve");
        let approver = served.approver();
        client::post(
            &served.url,
            &path,
            &[("authorization", &approver)],
            &json!({"decision": decision}),
        )
    };
    assert_eq!(resolve("approve").status, 200);
    assert_ne!(resolve("deny").status, 200, "a hold is resolved once");

    let resolved = served.get(&path).json(200);
    assert_eq!(resolved["resolved"], true);
    for name in ["resolution", "decision", "authorization_decision"] {
        assert_eq!(resolved[name], "ALLOW", "{name}");
    }
}

#[test]
fn a_hold_does_not_outlive_the_policies_that_made_it() {
    let served = Served::start();
    let answer = served.post("/v1/enforce", &large_transfer()).json(200);
    let token = answer["hold_token"].as_str().unwrap().to_owned();
    served.running.kill();
    let policy = tools::workspace().join("host/examples/policy.cedar");
    let policy = std::fs::read_to_string(policy).unwrap();
    let policy = served
        .thoth
        .file("policy.cedar", format!("{policy}\n// stricter\n"));
    let served = Served::by(served.thoth, policy);
    // Nobody is kept waiting for a yes that would not count.
    let poll = served.get(&format!("/v1/enforce/hold/{token}")).json(200);
    assert_eq!(poll["resolution"], "BLOCK");
    assert_eq!(poll["decision_reason_code"], "hold_other_policy");
}

#[test]
fn a_caller_cannot_approve_for_itself() {
    let served = Served::start();
    let held = served.post("/v1/enforce", &large_transfer()).json(200);
    let path = format!(
        "/acme/thoth/approvals/{}/resolve",
        held["hold_token"].as_str().unwrap()
    );
    let answer = served.post(&path, &json!({"decision": "approve"}));
    assert!([401, 403].contains(&answer.status), "{answer:?}");
    let hold = format!("/v1/enforce/hold/{}", held["hold_token"].as_str().unwrap());
    assert_eq!(served.get(&hold).json(200)["resolved"], false);
}

#[test]
fn an_unknown_hold_is_not_found() {
    let served = Served::start();
    for token in ["nobody-knows-it", "..%2f..%2fetc", "%00"] {
        let answer = served.get(&format!("/v1/enforce/hold/{token}"));
        assert!([400, 404].contains(&answer.status), "{answer:?}");
    }
}

#[test]
fn events_come_as_an_array_or_an_object_and_count_once() {
    let served = Served::start();
    let event = |id: &str| {
        json!({
            "event_id": id, "tenant_id": "acme", "agent_id": "bot", "session_id": "s", "user_id": "u1",
            "source_type": "agent_tool_call", "event_type": "TOOL_CALL_PRE", "tool_name": "look",
            "content": "tool invocation requested", "metadata": {}, "approved_scope": [],
            "enforcement_mode": "block", "session_tool_calls": ["look"],
            "occurred_at": "2026-01-02T03:04:05.678Z", "ttl": 1_775_099_045,
        })
    };
    let camel = json!({
        "eventId": "acme:3", "tenantId": "acme", "agentId": "bot", "sessionId": "s", "userId": "u1",
        "sourceType": "agent_tool_call", "eventType": "TOOL_CALL_PRE", "toolName": "look", "content": "[]",
        "approvedScope": [], "enforcementMode": "block", "sessionToolCalls": [],
        "occurredAt": "2026-01-02T03:04:05.678Z",
    });
    for batch in [
        json!([event("acme:1")]),
        json!({"events": [event("acme:1"), event("acme:2")]}),
        json!({"events": [camel]}),
    ] {
        assert_eq!(
            served.post("/v1/events/batch", &batch).status,
            202,
            "{batch}"
        );
    }
    for broken in [json!({"events": 7}), json!("x"), json!([7])] {
        assert_eq!(
            served.post("/v1/events/batch", &broken).status,
            400,
            "{broken}"
        );
    }
}

#[test]
fn a_question_that_cannot_be_read_is_never_an_allow() {
    let served = Served::start();
    let key = [("x-api-key", KEY), ("content-type", "application/json")];
    let duplicate = r#"{"tool_name":"transfer","tool_name":"search_docs","agent_id":"bot","tenant_id":"acme","session_id":"s"}"#;
    let deep = format!(
        r#"{{"tool_name":"search_docs","tool_args":{}}}"#,
        "[".repeat(5_000)
    );
    for body in ["", "null", "[]", "{}", "{bad", duplicate, &deep] {
        let answer = client::request(&served.url, "POST", "/v1/enforce", &key, body.as_bytes());
        let allowed = answer.status == 200 && answer.json(200)["decision"] == "ALLOW";
        assert!(!allowed, "{body}: {answer:?}");
    }
    let big = format!(r#"{{"tool_name":"{}"}}"#, "x".repeat(8 << 20));
    let answer = client::request(&served.url, "POST", "/v1/enforce", &key, big.as_bytes());
    assert_eq!(answer.status, 413);
}

#[test]
fn a_web_page_cannot_talk_to_it() {
    let served = Served::start();
    let asked = question("search_docs", json!({"query": "x"}));
    for header in [("host", "evil.example"), ("origin", "https://evil.example")] {
        let answer = client::post(
            &served.url,
            "/v1/enforce",
            &[header, ("x-api-key", KEY)],
            &asked,
        );
        assert!(
            [400, 403, 421].contains(&answer.status),
            "{header:?}: {answer:?}"
        );
    }
    let text = [("content-type", "text/plain"), ("x-api-key", KEY)];
    let answer = client::request(
        &served.url,
        "POST",
        "/v1/enforce",
        &text,
        asked.to_string().as_bytes(),
    );
    assert!([400, 415].contains(&answer.status), "{answer:?}");
    let unknown = served.get("/v1/nothing");
    assert!(unknown.json(404)["error"]["code"].is_string());
    assert_eq!(served.get("/v1/enforce").status, 405);
}

#[test]
fn only_a_loopback_address_is_served() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let policy = tools::workspace().join("host/examples/policy.cedar");
    let serve = thoth
        .bare()
        .args(["enforcer", "serve", "--listen", "0.0.0.0:0", "--policy"])
        .arg(policy);
    let run = serve.arg("--state-dir").arg(thoth.state_dir()).run();
    assert!(run.error(2).contains("loopback"), "{run}");
}

#[test]
fn the_command_line_calls_through_it_and_its_holds_are_approved_over_http() {
    let served = Served::start();
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth")).env("THOTH_API_KEY", KEY);
    let search = thoth
        .call(tool("docs-search"))
        .args(["search_docs", r#"{"query":"hotel"}"#]);
    let search = search.args(["--enforcer-url", &served.url]).run();
    assert_eq!(search.json(0)["result"][0]["path"], "travel.md");
    assert!(!search.stderr.contains("not delivered"), "{search}");

    let payment = r#"{"from_account":"payroll","to_account":"suppliers","amount_cents":1000000}"#;
    let transfer = thoth
        .call(tool("ledger"))
        .args(["transfer", payment, "--tenant-id", "acme"]);
    let mut running = transfer.args(["--enforcer-url", &served.url]).spawn();
    let _line = running.stderr_line(|line| line.contains("waits for approval"));
    let approver = served.approver();
    let list = client::get(
        &served.url,
        "/acme/thoth/approvals?status=pending",
        &[("authorization", &approver)],
    );
    let list = list.json(200);
    assert_eq!(list["total"], 1);
    let id = list["data"][0]["id"].as_str().unwrap();
    let path = format!("/acme/thoth/approvals/{id}/resolve");
    let resolved = client::post(
        &served.url,
        &path,
        &[("authorization", &approver)],
        &json!({"decision": "approve"}),
    );
    assert_eq!(resolved.status, 200, "{resolved:?}");
    assert_eq!(running.wait().json(0)["result"]["amount_cents"], 1_000_000);
}

#[test]
fn an_approver_token_that_others_could_have_written_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let token = thoth.state_dir().join("approver.token");
    std::fs::create_dir_all(thoth.state_dir()).unwrap();
    std::fs::write(&token, "planted").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o666)).unwrap();
    let policy = tools::workspace().join("host/examples/policy.cedar");
    let serve = thoth
        .bare()
        .args(["enforcer", "serve", "--listen", "127.0.0.1:0", "--policy"]);
    let run = serve
        .arg(policy)
        .arg("--state-dir")
        .arg(thoth.state_dir())
        .run();
    assert!(run.status.code() == Some(1), "{run}");
    assert!(run.stderr.contains("approver.token"), "{run}");
}
