//! Facts about events, explanations and inventories.

use super::*;

#[test]
fn events_come_in_every_dialect_and_are_kept_once() {
    let enforcer = enforcer();
    let go = json!({"event_id": "acme:0d1f", "tenant_id": "acme", "session_id": "2b9e",
        "event_type": "TOOL_CALL_POST", "metadata": {"toolCall": 1}});
    let python = json!({"event_id": "acme:5c77", "tenant_id": "acme", "session_id": "2b9e",
        "event_type": "TOOL_CALL_PRE", "violation_id": null});
    let typescript = json!({"eventId": "e3a1", "eventType": "TOOL_CALL_PRE", "tenantId": "acme",
        "sessionId": "2b9e", "toolName": "look", "sessionToolCalls": []});
    let nameless = json!({"tenant_id": "acme", "session_id": "s", "event_type": "LLM_INVOCATION"});
    let again = json!({"tenantId": "acme", "eventType": "LLM_INVOCATION", "sessionId": "s"});
    for (batch, accepted, duplicates) in [
        (json!({"events": [go, typescript]}), 2, 0),
        (json!([python]), 1, 0),
        (json!([go, python, typescript]), 0, 3),
        (json!([nameless]), 1, 0),
        (json!([again]), 0, 1),
        (json!([]), 0, 0),
    ] {
        let (status, answer) = send(&enforcer, "POST", "/v1/events/batch", &batch.to_string());
        assert_eq!(status, StatusCode::ACCEPTED);
        assert_eq!(
            answer,
            json!({"accepted": accepted, "duplicates": duplicates})
        );
    }
    assert_eq!(enforcer.store().event_count().unwrap(), 4);
    for batch in [
        json!(1),
        json!({}),
        json!({"events": {}}),
        json!([1]),
        json!([{"tenant_id": "acme", "session_id": "s"}]),
        json!([{"tenant_id": "a", "tenantId": "b", "session_id": "s", "event_type": "t"}]),
        json!([go, {}]),
        json!(vec![0; 1001]),
    ] {
        let status = send(&enforcer, "POST", "/v1/events/batch", &batch.to_string()).0;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{batch}");
    }
    assert_eq!(enforcer.store().event_count().unwrap(), 4);
}

#[test]
fn an_event_keeps_its_numbers_and_takes_no_other_with_it() {
    let enforcer = enforcer();
    let batch = r#"[
        {"event_id":"a:1","tenant_id":"acme","session_id":"s","event_type":"TOOL_CALL_PRE"},
        {"event_id":"a:2","tenant_id":"acme","session_id":"s","event_type":"TOOL_CALL_PRE",
         "metadata":{"tool_args":{"id":1234567890123456789}}}]"#;
    let (status, answer) = send(&enforcer, "POST", "/v1/events/batch", batch);
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(answer, json!({"accepted": 2, "duplicates": 0}));
    let kept = enforcer.store().events(1).unwrap();
    assert!(kept[0].contains("1234567890123456789"), "{kept:?}");
}

#[test]
fn a_violation_is_explained_from_the_record_of_its_own_session() {
    let enforcer = enforcer();
    let block = decide(&enforcer, "read_doc", json!({"path": "hr/x"}));
    let explain = |session: &str| {
        let mut body = go_body("read_doc", json!({"path": "hr/x"}));
        body["session_id"] = json!(session);
        for field in ["decision", "decision_reason_code", "violation_id"] {
            body[field] = block[field].clone();
        }
        body["risk_score"] = json!(null);
        let (status, answer) = send(&enforcer, "POST", "/v1/explain", &body.to_string());
        assert_eq!(status, StatusCode::OK);
        answer
    };
    let answer = explain("2b9e");
    assert_eq!(
        answer["why_it_was_blocked"],
        "personnel files are not for agents"
    );
    assert_eq!(answer["violation_id"], block["violation_id"]);
    for field in [
        "what_happened",
        "what_to_do_next",
        "business_impact",
        "severity",
    ] {
        assert!(answer[field].is_string(), "{field}");
    }
    assert_ne!(
        explain("other")["why_it_was_blocked"],
        "personnel files are not for agents"
    );
}

#[test]
fn a_tool_inventory_is_accepted() {
    let body = r#"{"agent_id":"bot","source":"python_sdk","tools":[{"name":"look"}]}"#;
    let answer = send(&enforcer(), "POST", "/ac%20me/thoth/tool-inventory", body);
    assert_eq!(answer, (StatusCode::ACCEPTED, json!({"accepted": 1})));
}
