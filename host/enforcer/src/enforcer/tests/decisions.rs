//! Facts about decisions on the wire.

use super::*;

#[test]
fn decisions_have_the_documented_shapes() {
    let enforcer = enforcer();
    let policy = enforcer.policy();

    let allow = decide(&enforcer, "search_docs", json!({"query": "x"}));
    assert_eq!(
        allow,
        expected(
            policy,
            json!({
                "decision": "ALLOW", "authorization_decision": "ALLOW", "reason": "allowed by policy",
                "decision_reason_code": "policy_allow", "action_classification": "read",
                "matched_rule_ids": ["search"], "rule_version": 1,
            })
        )
    );

    let mut block = decide(&enforcer, "read_doc", json!({"path": "hr/x"}));
    take_id(&mut block, "violation_id", "vio_", 12);
    assert_eq!(
        block,
        expected(
            policy,
            json!({
                "decision": "BLOCK", "authorization_decision": "BLOCK",
                "reason": "personnel files are not for agents",
                "decision_reason_code": "hr_documents", "action_classification": "read",
                "matched_rule_ids": ["no-hr"], "rule_version": 1,
            })
        )
    );

    let modify = decide(
        &enforcer,
        "export_text",
        json!({"title": "t", "include_internal": true}),
    );
    assert_eq!(
        modify,
        expected(
            policy,
            json!({
                "decision": "MODIFY", "authorization_decision": "MODIFY",
                "reason": "internal notes are left out of exports",
                "modification_reason": "internal notes are left out of exports",
                "modified_tool_args": {"title": "t", "include_internal": false},
                "decision_reason_code": "internal_notes_removed", "action_classification": "export",
                "matched_rule_ids": ["export-without-notes"], "rule_version": 1,
            })
        )
    );

    let defer = decide(&enforcer, "close_books", json!({"month": "2026-11"}));
    assert_eq!(
        defer,
        expected(
            policy,
            json!({
                "decision": "DEFER", "authorization_decision": "DEFER",
                "reason": "the ledger closes at night", "defer_reason": "the ledger closes at night",
                "defer_timeout_seconds": 3600,
                "decision_reason_code": "outside_closing_hours", "action_classification": "write",
                "matched_rule_ids": ["close-at-night"], "rule_version": 1,
            })
        )
    );

    let mut step_up = decide(&enforcer, "transfer", json!({"amount_cents": 5_000_000}));
    let token = take_id(&mut step_up, "hold_token", "hold_", 32);
    assert_eq!(
        step_up,
        expected(
            policy,
            json!({
                "decision": "STEP_UP", "authorization_decision": "STEP_UP",
                "reason": "a transfer of 10,000.00 or more needs an approval",
                "decision_reason_code": "large_transfer", "action_classification": "write",
                "matched_rule_ids": ["large-transfer"], "rule_version": 1,
                "step_up_timeout_seconds": 900,
                "approval_url": format!("http://127.0.0.1:8181/acme/thoth/approvals/{token}"),
            })
        )
    );

    let mut nothing = decide(&enforcer, "launch", json!({}));
    take_id(&mut nothing, "violation_id", "vio_", 12);
    assert_eq!(
        nothing,
        expected(
            policy,
            json!({
                "decision": "BLOCK", "authorization_decision": "BLOCK",
                "reason": "no policy allows this call",
                "decision_reason_code": "no_policy_matched", "matched_rule_ids": [],
            })
        )
    );
}

#[test]
fn another_tenant_is_refused_everywhere() {
    let policy = Policy::parse("p.cedar", POLICY).unwrap();
    let options = Options {
        tenant: Some("home".to_owned()),
        ..options()
    };
    let enforcer = Enforcer::new(policy, Store::in_memory().unwrap(), options).unwrap();
    let answer = decide(&enforcer, "search_docs", json!({}));
    assert_eq!(answer["decision"], "BLOCK");
    assert_eq!(answer["decision_reason_code"], "tenant_mismatch");
    assert_eq!(
        approve(&enforcer, "GET", "/acme/thoth/approvals", "").0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        approve(&enforcer, "GET", "/home/thoth/approvals", "").0,
        StatusCode::OK
    );
    let event = r#"[{"tenant_id":"acme","session_id":"s","event_type":"t"}]"#;
    assert_eq!(
        send(&enforcer, "POST", "/v1/events/batch", event).0,
        StatusCode::FORBIDDEN
    );
}

#[test]
fn correlation_ids_are_echoed_as_sent_or_left_out() {
    let enforcer = enforcer();
    let mut body = go_body("search_docs", json!({}));
    body["action_attestation_id"] = json!(" A-1/ü ");
    body.as_object_mut().unwrap().remove("request_id");
    body.as_object_mut().unwrap().remove("enforcement_trace_id");
    let (_, answer) = send(&enforcer, "POST", "//v1/enforce", &body.to_string());
    assert_eq!(answer["action_attestation_id"], " A-1/ü ");
    assert!(answer.get("request_id").is_none());
    assert!(answer.get("enforcement_trace_id").is_none());
}

#[test]
fn observe_mode_does_not_soften_a_decision() {
    let enforcer = enforcer();
    let mut body = go_body("launch", json!({}));
    body["enforcement_mode"] = json!("observe");
    let (_, answer) = send(&enforcer, "POST", "/v1/enforce", &body.to_string());
    assert_eq!(answer["decision"], "BLOCK");
}

#[test]
fn a_refusal_or_hold_that_cannot_be_kept_is_a_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enforcer.db");
    let enforcer = enforcer_on(Store::open(&path).unwrap());
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("DROP TABLE decisions; DROP TABLE holds;")
        .unwrap();
    for (tool, arguments) in [
        ("launch", json!({})),
        ("transfer", json!({"amount_cents": 5_000_000})),
    ] {
        let answer = decide(&enforcer, tool, arguments);
        assert_eq!(answer["decision"], "BLOCK");
        assert_eq!(answer["authorization_decision"], "BLOCK");
        assert_eq!(answer["decision_reason_code"], "store_unavailable");
        assert!(answer.get("hold_token").is_none());
    }
    let status = send(&enforcer, "GET", "/v1/enforce/hold/hold_0", "").0;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn a_decision_that_nobody_comes_back_for_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enforcer.db");
    let enforcer = enforcer_on(Store::open(&path).unwrap());
    let other = rusqlite::Connection::open(&path).unwrap();
    // SQLite counts the commits of other connections.
    let commits = || -> i64 {
        let version = "PRAGMA data_version";
        other.query_row(version, [], |row| row.get(0)).unwrap()
    };
    let before = commits();
    for (tool, arguments, decision) in [
        ("search_docs", json!({}), "ALLOW"),
        ("export_text", json!({"title": "t"}), "MODIFY"),
        ("close_books", json!({}), "DEFER"),
    ] {
        assert_eq!(decide(&enforcer, tool, arguments)["decision"], decision);
        assert_eq!(commits(), before, "{decision}");
    }
    decide(&enforcer, "launch", json!({}));
    assert_ne!(commits(), before);
}
