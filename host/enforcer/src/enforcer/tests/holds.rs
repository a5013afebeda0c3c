//! Facts about holds and approvals on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use super::*;

/// A hold of the example's large transfer, on a clock that a test moves.
fn held(seconds: &Arc<AtomicU64>) -> (Enforcer, String) {
    let clock = Arc::clone(seconds);
    let store = Store::in_memory().unwrap();
    let store =
        store.with_clock(move || UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst)));
    let enforcer = enforcer_on(store);
    let answer = decide(
        &enforcer,
        "transfer",
        json!({"to_account": "b", "amount_cents": 5_000_000}),
    );
    let token = answer["hold_token"].as_str().unwrap().to_owned();
    (enforcer, token)
}

fn poll(enforcer: &Enforcer, token: &str) -> Map<String, Value> {
    let (status, answer) = send(enforcer, "GET", &format!("/v1/enforce/hold/{token}"), "");
    assert_eq!(status, StatusCode::OK);
    answer.as_object().unwrap().clone()
}

#[test]
fn a_hold_has_the_one_shape_that_every_sdk_reads() {
    let seconds = Arc::new(AtomicU64::new(1_800_000_000));
    let (enforcer, token) = held(&seconds);
    let common = expected(
        enforcer.policy(),
        json!({
            "token": token, "hold_token": token, "tool_name": "transfer",
            "expires_at": "2027-01-15T08:15:00Z", "step_up_timeout_seconds": 900,
            "approval_url": format!("http://127.0.0.1:8181/acme/thoth/approvals/{token}"),
            "action_classification": "write", "matched_rule_ids": ["large-transfer"],
            "rule_version": 1,
        }),
    );
    let with = |fields: Value| {
        let mut all = common.clone();
        all.extend(fields.as_object().unwrap().clone());
        all
    };
    let pending = poll(&enforcer, &token);
    assert_eq!(
        pending,
        with(json!({
            "resolved": false, "resolution": null, "decision": "STEP_UP",
            "authorization_decision": "STEP_UP", "decision_reason_code": "large_transfer",
            "reason": "a transfer of 10,000.00 or more needs an approval",
        }))
    );
    let path = format!("/acme/thoth/approvals/{token}/resolve");
    let body = r#"{"decision":"approve","reason":"checked","resolved_by":"ann"}"#;
    assert_eq!(approve(&enforcer, "POST", &path, body).0, StatusCode::OK);
    assert_eq!(
        poll(&enforcer, &token),
        with(json!({
            "resolved": true, "resolution": "ALLOW", "decision": "ALLOW",
            "authorization_decision": "ALLOW", "decision_reason_code": "step_up_approved",
            "reason": "approved by ann: checked",
        }))
    );

    let (enforcer, token) = held(&seconds);
    let path = format!("/acme/thoth/approvals/{token}/resolve");
    assert_eq!(
        approve(&enforcer, "POST", &path, r#"{"decision":"deny"}"#).0,
        StatusCode::OK
    );
    let mut denied = poll(&enforcer, &token);
    take_id(&mut denied, "violation_id", "vio_", 12);
    for field in ["resolution", "decision", "authorization_decision"] {
        assert_eq!(denied[field], "BLOCK");
    }
    assert_eq!(denied["resolved"], true);
    assert_eq!(denied["reason"], "denied by approver");

    let (enforcer, token) = held(&seconds);
    seconds.fetch_add(900, Ordering::SeqCst);
    let expired = poll(&enforcer, &token);
    for field in ["resolution", "decision", "authorization_decision"] {
        assert_eq!(expired[field], "BLOCK");
    }
    assert!(expired["reason"].as_str().unwrap().contains("timeout"));
    assert_eq!(expired["decision_reason_code"], "step_up_timeout");
    assert_eq!(
        expired["violation_id"],
        poll(&enforcer, &token)["violation_id"]
    );
}

#[test]
fn an_approval_is_listed_and_resolved_once() {
    let seconds = Arc::new(AtomicU64::new(1_800_000_000));
    let (enforcer, token) = held(&seconds);
    let list = |query: &str| {
        let (status, list) = approve(
            &enforcer,
            "GET",
            &format!("/acme/thoth/approvals{query}"),
            "",
        );
        assert_eq!(status, StatusCode::OK);
        list
    };
    let pending = list("?status=pending&page=1&per_page=1");
    assert_eq!(pending["total"], 1);
    // It has a random part.
    let digest = &pending["data"][0]["digest"];
    assert_eq!(digest.as_str().unwrap().len(), 64);
    assert_eq!(
        pending["data"][0],
        json!({
            "id": token, "hold_token": token, "status": "pending", "tenant_id": "acme",
            "agent_id": "bot", "user_id": "u1", "session_id": "2b9e", "tool_name": "transfer",
            "tool_args": {"amount_cents": 5_000_000, "to_account": "b"},
            "tool_args_sha256":
                thoth_core::json::digest(r#"{"amount_cents":5000000,"to_account":"b"}"#),
            "asked_tool_args": null, "tool_sha256": null, "digest": digest,
            "context": {
                "purpose": "ops", "session_intent": "triage", "data_classification": "internal",
                "initiated_by": "sam", "task_id": "T-1", "environment": "prod",
                "delegation_chain": ["p", "q"],
            },
            "action_attestation_id": null, "matched_rule_ids": ["large-transfer"],
            "time_left_ms": 900_000,
            "reason": "a transfer of 10,000.00 or more needs an approval",
            "decision_reason_code": "large_transfer", "action_classification": "write",
            "requested_at": "2027-01-15T08:00:00Z", "expires_at": "2027-01-15T08:15:00Z",
            "resolved_by": null, "resolved_at": null, "resolution_reason": null,
        })
    );
    assert_eq!(list("?page=2")["data"], json!([]));
    assert_eq!(list("?status=approved")["total"], 0);
    let one = format!("/acme/thoth/approvals/{token}");
    assert_eq!(approve(&enforcer, "GET", &one, "").1, pending["data"][0]);
    assert_eq!(
        approve(&enforcer, "GET", "/other/thoth/approvals", "").1["total"],
        0
    );
    for (path, body, status) in [
        (
            format!("/other/thoth/approvals/{token}/resolve"),
            r#"{"decision":"approve"}"#,
            404,
        ),
        (format!("{one}/resolve"), r#"{"decision":"ALLOW"}"#, 400),
        (format!("{one}/resolve"), "{}", 400),
        (
            format!("{one}/resolve"),
            r#"{"decision":"approve","decision":"deny"}"#,
            400,
        ),
        (
            "/acme/thoth/approvals/hold_0/resolve".to_owned(),
            r#"{"decision":"approve"}"#,
            404,
        ),
        (
            format!("{one}/resolve"),
            r#"{"decision":"approve","reason":"ok"}"#,
            200,
        ),
        (format!("{one}/resolve"), r#"{"decision":"approve"}"#, 409),
        (format!("{one}/resolve"), r#"{"decision":"deny"}"#, 409),
    ] {
        let answer = approve(&enforcer, "POST", &path, body);
        assert_eq!(answer.0.as_u16(), status, "{path} {body} {}", answer.1);
    }
    let approved = &list("?status=approved")["data"][0];
    assert_eq!(approved["resolved_by"], "approver");
    assert_eq!(approved["resolution_reason"], "ok");
    for query in ["?status=odd", "?page=0", "?per_page=x"] {
        let path = format!("/acme/thoth/approvals{query}");
        assert_eq!(
            approve(&enforcer, "GET", &path, "").0,
            StatusCode::BAD_REQUEST
        );
    }
}

#[test]
fn approvals_come_page_by_page_and_tenant_by_tenant() {
    let seconds = Arc::new(AtomicU64::new(1_800_000_000));
    let (enforcer, first) = held(&seconds);
    let arguments = json!({"to_account": "b", "amount_cents": 5_000_000});
    let mut tokens = vec![first];
    for _ in 0..4 {
        let answer = decide(&enforcer, "transfer", arguments.clone());
        tokens.push(answer["hold_token"].as_str().unwrap().to_owned());
    }
    let resolve = format!("/acme/thoth/approvals/{}/resolve", tokens[1]);
    let _answer = approve(&enforcer, "POST", &resolve, r#"{"decision":"approve"}"#);
    let resolve = format!("/acme/thoth/approvals/{}/resolve", tokens[2]);
    let _answer = approve(&enforcer, "POST", &resolve, r#"{"decision":"deny"}"#);
    let listed = |path: &str| {
        let (status, answer) = approve(&enforcer, "GET", path, "");
        assert_eq!(status, StatusCode::OK, "{path}");
        let tokens: Vec<String> = answer["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        (answer["total"].as_u64().unwrap(), tokens)
    };
    let at = |places: &[usize]| {
        places
            .iter()
            .map(|at| tokens[*at].clone())
            .collect::<Vec<_>>()
    };
    for (query, total, places) in [
        ("", 5, &[0, 1, 2, 3, 4][..]),
        ("?per_page=2", 5, &[0, 1]),
        ("?per_page=2&page=3", 5, &[4]),
        ("?per_page=2&page=4", 5, &[]),
        ("?status=pending&per_page=2", 3, &[0, 3]),
        ("?status=approved", 1, &[1]),
        ("?status=denied", 1, &[2]),
        ("?status=expired", 0, &[]),
    ] {
        let found = listed(&format!("/acme/thoth/approvals{query}"));
        assert_eq!(found, (total, at(places)), "{query}");
    }
    assert_eq!(listed("/other/thoth/approvals").0, 0);
    seconds.fetch_add(901, Ordering::SeqCst);
    assert_eq!(listed("/acme/thoth/approvals?status=pending").0, 0);
    let expired = listed("/acme/thoth/approvals?status=expired");
    assert_eq!(expired, (3, at(&[0, 3, 4])));
}

#[test]
fn more_than_people_can_decide_about_is_a_block() {
    let enforcer = enforcer();
    let arguments = json!({"to_account": "b", "amount_cents": 5_000_000});
    let long = |bytes: usize| {
        let mut long = arguments.clone();
        long["memo"] = "".into();
        let rest = bytes - long.to_string().len();
        long["memo"] = "x".repeat(rest).into();
        decide(&enforcer, "transfer", long)
    };
    assert_eq!(long(256 << 10)["decision"], "STEP_UP");
    let refused = long((256 << 10) + 1);
    assert_eq!(refused["decision"], "BLOCK");
    assert_eq!(refused["decision_reason_code"], "arguments_too_large");
    let held = |_| decide(&enforcer, "transfer", arguments.clone())["hold_token"].is_string();
    assert!((1..2_000).all(held));
    let refused = decide(&enforcer, "transfer", arguments.clone());
    assert_eq!(refused["decision"], "BLOCK");
    assert_eq!(refused["decision_reason_code"], "too_many_holds");
}

#[test]
fn an_effect_is_held_and_approved_as_a_call_is() {
    let enforcer = enforcer();
    let request = json!({
        "tool": "post_json", "parent_call_id": "6f0c1111-0000-4000-8000-000000000000", "number": 1,
        "method": "POST", "scheme": "https", "host": "api.example.com", "port": 443, "path": "/v1",
        "query": null, "headers": [], "body_sha256": "0".repeat(64), "body_bytes": 2
    });
    let answer = decide(&enforcer, "effect:http", request.clone());
    assert_eq!(answer["decision_reason_code"], "data_leaves");
    let token = answer["hold_token"].as_str().unwrap();
    let path = format!("/acme/thoth/approvals/{token}");
    let (_, approval) = approve(&enforcer, "GET", &path, "");
    assert_eq!(approval["tool_name"], "effect:http");
    assert_eq!(approval["tool_args"], request);
    let approved = r#"{"decision": "approve"}"#;
    let (status, _) = approve(&enforcer, "POST", &format!("{path}/resolve"), approved);
    assert_eq!(status, StatusCode::OK);
    assert_eq!(poll(&enforcer, token)["resolution"], "ALLOW");
}
