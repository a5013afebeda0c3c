//! What a governed call does on each verdict, in which order, and what its events say.

use serde_json::json;
use thoth_core::{
    Capture, Cause, FailureCause, Mode, Outcome, Session, ToolCall, ToolFailure, Verdict,
};

use crate::support::*;

fn failing(cause: FailureCause) -> ToolFailure {
    ToolFailure {
        cause,
        message: "no".into(),
        error: Some("{\"e\":1}".into()),
    }
}

#[test]
fn an_allowed_call_is_recorded_asked_about_run_and_recorded() {
    let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
    assert_eq!(wrap(&mut fake), Outcome::Completed(r#"{"found":1}"#.into()));
    assert_eq!(fake.order, ["append", "exchange", "tool", "append"]);
    assert_eq!(fake.ran, [("look".to_string(), ARGUMENTS.to_string())]);
    assert_eq!(fake.event_types(), ["TOOL_CALL_PRE", "TOOL_CALL_POST"]);
    let post = fake.metadata(1);
    assert_eq!(post["authorization_decision"], "ALLOW");
    assert_eq!(post["result_type"], "object");
    assert_eq!(post["result_size_bytes"], 11);
    assert_eq!(post["duration_ms"], 6);
    assert_eq!(post["would_have"], json!(null));
}

#[test]
fn a_decision_is_read_in_any_case_and_by_each_name() {
    for body in [
        r#"{"decision":" allow "}"#,
        r#"{"decision":"Allow\n"}"#,
        r#"{"authorization_decision":"ALLOW"}"#,
        r#"{"decision":null,"authorization_decision":"allow"}"#,
        r#"{"decision":"ALLOW","authorization_decision":"ALLOW","future":{},"reason":null}"#,
        r#"{"decision":"ALLOW","enforcement_trace_id":"tr-9","tool_name":"look",
            "action_attestation_id":"91d4c0de-0000-4000-8000-000000000001","session_id":"2b9e",
            "request_id":"01010101-0101-4101-8101-010101010101","agent_id":"bot","tenant_id":"acme"}"#,
        r#"{"decision":"ALLOW","modified_tool_args":{"q":"a","n":1}}"#,
        r#"{"decision":"ALLOW","modified_tool_args":{}}"#,
    ] {
        // The first id that chance gives is the first event's.
        let body = body.replace(
            "01010101-0101-4101-8101-010101010101",
            "02020202-0202-4202-8202-020202020202",
        );
        let mut fake = Fake::answering(ok(&body));
        assert!(matches!(wrap(&mut fake), Outcome::Completed(_)), "{body}");
        assert_eq!(fake.ran.len(), 1);
    }
}

#[test]
fn a_modified_call_runs_with_the_modified_arguments_only() {
    let body = r#"{"decision":"MODIFY","modified_tool_args":{ "q":"clean","n":1e0 },"modification_reason":"pii"}"#;
    let mut fake = Fake::answering(ok(body));
    assert!(matches!(wrap(&mut fake), Outcome::Completed(_)));
    assert_eq!(
        fake.ran,
        [("look".to_string(), r#"{"n":1,"q":"clean"}"#.to_string())]
    );
    assert_eq!(fake.metadata(1)["authorization_decision"], "MODIFY");
    let decision = governor().enforce(&mut Fake::answering(ok(body)), &session(), &call());
    assert_eq!(
        decision.verdict,
        Verdict::Modify(r#"{"n":1,"q":"clean"}"#.into())
    );
    assert_eq!(decision.reason, "pii");
}

#[test]
fn a_modification_that_does_not_fit_the_tool_is_a_refusal() {
    let body = r#"{"decision":"MODIFY","modified_tool_args":{"q":2},"violation_id":"v3"}"#;
    let mut fake = Fake::answering(ok(body));
    fake.tool = Some(Err(failing(FailureCause::InvalidArguments)));
    match wrap(&mut fake) {
        Outcome::Refused(refusal) => {
            assert_eq!(refusal.cause, Cause::InvalidModify);
            assert_eq!(
                refusal.reason,
                "the modified arguments do not fit the tool: no"
            );
            assert_eq!(refusal.evidence.violation_id.as_deref(), Some("v3"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.event_types(), ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]);
    assert_eq!(fake.metadata(1)["decision_reason_code"], "invalid_modify");
}

#[test]
fn a_tool_that_fails_leaves_an_event_too() {
    for (cause, body) in [
        (FailureCause::InvalidArguments, r#"{"decision":"ALLOW"}"#),
        (FailureCause::UnknownTool, r#"{"decision":"ALLOW"}"#),
        (FailureCause::Trap, r#"{"decision":"ALLOW"}"#),
        (
            FailureCause::Trap,
            r#"{"decision":"MODIFY","modified_tool_args":{"q":"b"}}"#,
        ),
        (
            FailureCause::UnknownTool,
            r#"{"decision":"MODIFY","modified_tool_args":{"q":"b"}}"#,
        ),
        (FailureCause::LimitTime, r#"{"decision":"ALLOW"}"#),
    ] {
        let mut fake = Fake::answering(ok(body));
        fake.tool = Some(Err(failing(cause)));
        assert_eq!(wrap(&mut fake), Outcome::Failed(failing(cause)));
        assert_eq!(fake.event_types(), ["TOOL_CALL_PRE", "TOOL_CALL_POST"]);
        let post = fake.metadata(1);
        assert_eq!(post["tool_outcome"], "failed");
        assert_eq!(post["tool_failure_cause"], cause.as_str());
        assert_eq!(post["result_type"], json!(null));
    }
}

#[test]
fn a_result_that_is_not_json_is_a_failure() {
    for (result, cause) in [
        ("", FailureCause::ToolError),
        ("{", FailureCause::ToolError),
        (r#"{"a":1,"a":2}"#, FailureCause::ToolError),
        (&"1".repeat(256 * 1024 + 1), FailureCause::LimitResult),
    ] {
        let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
        fake.tool = Some(Ok(result.into()));
        match wrap(&mut fake) {
            Outcome::Failed(failure) => assert_eq!(failure.cause, cause),
            other => panic!("{other:?}"),
        }
        assert_eq!(fake.event_types(), ["TOOL_CALL_PRE", "TOOL_CALL_POST"]);
    }
    let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
    fake.tool = Some(Err(ToolFailure {
        error: Some("{".into()),
        ..failing(FailureCause::ToolError)
    }));
    match wrap(&mut fake) {
        Outcome::Failed(failure) => assert_eq!(failure.error, None),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_blocked_call_carries_the_grounds() {
    let body = r#"{"decision":"BLOCK","reason":"nope","violation_id":"v1","risk_score":88.5,
        "rule_version":3,"decision_reason_code":"scope","action_classification":"delete",
        "pack_id":"p","pack_version":"2","latency_ms":4,"matched_rule_ids":["r1"],
        "model_signals":["m"],"receipt":{"signature":"s","x":1},"decision_envelope_version":"1"}"#;
    for word in ["BLOCK", "deny"] {
        let mut fake = Fake::answering(ok(&body.replace("BLOCK", word)));
        let refusal = match wrap(&mut fake) {
            Outcome::Refused(refusal) => refusal,
            other => panic!("{other:?}"),
        };
        assert_eq!(fake.ran, []);
        assert_eq!(refusal.cause, Cause::Policy);
        assert_eq!(refusal.reason, "nope");
        assert_eq!(refusal.retry_after_seconds, None);
        let evidence = &refusal.evidence;
        assert_eq!(evidence.violation_id.as_deref(), Some("v1"));
        assert_eq!(evidence.reason_code.as_deref(), Some("scope"));
        assert_eq!(evidence.classification.as_deref(), Some("delete"));
        assert_eq!(
            (evidence.risk_score, evidence.latency_ms),
            (Some(88.5), Some(4.0))
        );
        assert_eq!(evidence.rule_version, Some(3));
        assert_eq!(evidence.pack_id.as_deref(), Some("p"));
        assert_eq!(evidence.pack_version.as_deref(), Some("2"));
        assert_eq!(evidence.matched_rule_ids, ["r1"]);
        assert_eq!(evidence.model_signals, ["m"]);
        assert_eq!(
            evidence.receipt.as_deref(),
            Some(r#"{"signature":"s","x":1}"#)
        );
        assert_eq!(evidence.envelope_version.as_deref(), Some("1"));
    }
    let mut fake = Fake::answering(ok(r#"{"decision":"DENY"}"#));
    assert!(matches!(wrap(&mut fake), Outcome::Refused(refusal) if refusal.reason.is_empty()));
}

#[test]
fn a_deferred_call_says_why_and_when() {
    for (body, reason, seconds) in [
        (
            r#"{"decision":"DEFER","defer_reason":"window closed","reason":"r","defer_timeout_seconds":12}"#,
            "window closed",
            Some(12),
        ),
        (r#"{"decision":"deferred","reason":"later"}"#, "later", None),
        (
            r#"{"decision":"HOLD"}"#,
            "deferred pending additional context",
            None,
        ),
        (
            r#"{"decision":"DEFER","defer_timeout_seconds":0}"#,
            "deferred pending additional context",
            None,
        ),
        (
            r#"{"decision":"DEFER","defer_timeout_seconds":9007199254740991}"#,
            "deferred pending additional context",
            Some(u32::MAX),
        ),
    ] {
        let mut fake = Fake::answering(ok(body));
        match wrap(&mut fake) {
            Outcome::Refused(refusal) => {
                assert_eq!(refusal.cause, Cause::Deferred);
                assert_eq!(refusal.reason, reason);
                assert_eq!(refusal.retry_after_seconds, seconds);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(fake.ran, []);
        let block = fake.metadata(1);
        assert_eq!(block["authorization_decision"], "DEFER");
        assert_eq!(block["defer_timeout_seconds"], json!(seconds));
    }
}

#[test]
fn a_held_call_is_pending_without_an_event_of_its_own() {
    let body = r#"{"decision":"STEP_UP","hold_token":"tk.1:~-_"}"#;
    let mut fake = Fake::answering(ok(body));
    let hold = match wrap(&mut fake) {
        Outcome::Pending(hold) => hold,
        other => panic!("{other:?}"),
    };
    assert_eq!(fake.event_types(), ["TOOL_CALL_PRE"]);
    assert_eq!(fake.ran, []);
    assert_eq!(hold.token, "tk.1:~-_");
    assert_eq!(hold.call_id, CALL_ID);
    // sha256 of {"agent":"bot","arguments":{"n":1,"q":"a"},"session":"2b9e","tenant":"acme","tool":"look","user":"u1","v":1}
    let action = format!(
        r#"{{"agent":"bot","arguments":{ARGUMENTS},"session":"2b9e","tenant":"acme","tool":"look","user":"u1","v":1}}"#
    );
    assert_eq!(hold.digest, thoth_core::json::digest(&action));
    let hold = crate::support::hold();
    assert_eq!(hold.reason, "risky");
    assert_eq!(hold.timeout_seconds, Some(900));
    assert_eq!(hold.approval_url.as_deref(), Some("https://acme.example/a"));
    assert_eq!(hold.evidence.violation_id.as_deref(), Some("v1"));
    let long = format!(
        r#"{{"decision":"STEP_UP","hold_token":"{}"}}"#,
        "x".repeat(256)
    );
    assert!(matches!(
        wrap(&mut Fake::answering(ok(&long))),
        Outcome::Pending(_)
    ));
}

#[test]
fn in_observe_mode_the_call_runs_and_the_event_says_what_would_have_happened() {
    let session = Session {
        mode: Mode::Observe,
        ..session()
    };
    for (answer, word, would_have) in [
        (ok(r#"{"decision":"BLOCK"}"#), "BLOCK", json!("policy")),
        (
            ok(r#"{"decision":"MODIFY","modified_tool_args":{"q":"b"}}"#),
            "MODIFY",
            json!(null),
        ),
        (
            ok(r#"{"decision":"STEP_UP","hold_token":"t"}"#),
            "STEP_UP",
            json!(null),
        ),
        (ok(r#"{"decision":"DEFER"}"#), "DEFER", json!(null)),
        (ok("{"), "BLOCK", json!("decode")),
        (
            fault(thoth_core::FaultKind::Unreachable),
            "BLOCK",
            json!("unreachable"),
        ),
    ] {
        let mut fake = Fake::answering(answer);
        let outcome = governor().wrap_tool(&mut fake, &session, &call());
        assert!(matches!(outcome, Outcome::Completed(_)));
        assert_eq!(fake.ran, [("look".to_string(), ARGUMENTS.to_string())]);
        assert_eq!(fake.event_types(), ["TOOL_CALL_PRE", "TOOL_CALL_POST"]);
        assert_eq!(fake.metadata(1)["authorization_decision"], word);
        assert_eq!(fake.metadata(1)["would_have"], would_have);
        for event in &fake.events {
            assert!(event.body.contains(r#""enforcement_mode":"observe""#));
        }
    }
    let mut fake = Fake {
        broken_append: Some(0),
        ..Fake::default()
    };
    let outcome = governor().wrap_tool(&mut fake, &session, &call());
    assert!(matches!(outcome, Outcome::Refused(refusal) if refusal.cause == Cause::NotRecorded));
    assert_eq!(fake.order, ["append"]);
}

#[test]
fn only_the_mode_of_the_session_observes() {
    for mode in [Mode::StepUp, Mode::Block, Mode::Progressive] {
        let session = Session { mode, ..session() };
        let call = ToolCall {
            arguments: r#"{"enforcement_mode":"observe","mode":"observe"}"#.into(),
            ..call()
        };
        let mut fake = Fake::answering(ok(r#"{"decision":"BLOCK","enforcement_mode":"observe"}"#));
        assert!(matches!(
            governor().wrap_tool(&mut fake, &session, &call),
            Outcome::Refused(_)
        ));
        assert_eq!(fake.ran, []);
        let sent = fake.requests[0].body.clone().unwrap();
        assert!(
            sent.contains(&format!(
                r#""enforcement_mode":"{mode}","enforcement_trace_id""#
            )),
            "{sent}"
        );
    }
}

#[test]
fn a_call_that_ran_but_could_not_be_recorded_has_failed() {
    let mut fake = Fake::answering(ok(r#"{"decision":"ALLOW"}"#));
    fake.broken_append = Some(1);
    match wrap(&mut fake) {
        Outcome::Failed(failure) => {
            assert_eq!(failure.cause, FailureCause::HostFault);
            assert_eq!(
                failure.message,
                "the tool ran, but that could not be recorded: the event log is full"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.ran.len(), 1);
}

#[test]
fn a_refusal_that_could_not_be_recorded_says_so_too() {
    let mut fake = Fake::answering(ok(r#"{"decision":"BLOCK","reason":"nope"}"#));
    fake.broken_append = Some(1);
    match wrap(&mut fake) {
        Outcome::Refused(refusal) => {
            assert_eq!(
                refusal.reason,
                "nope (and that could not be recorded: the event log is full)"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_that_would_be_too_long_tells_less() {
    let session = Session {
        capture: Capture::Full,
        ..session()
    };
    let big = format!(r#"{{"q":"{}"}}"#, "x".repeat(60_000));
    let call = ToolCall {
        arguments: big,
        ..call()
    };
    let references = vec!["r".repeat(99); 1000];
    let body = json!({"decision": "BLOCK", "reason": "nope", "policy_references": references});
    let mut fake = Fake::answering(ok(&body.to_string()));
    assert!(matches!(
        governor().wrap_tool(&mut fake, &session, &call),
        Outcome::Refused(_)
    ));
    for (index, event) in fake.events.iter().enumerate() {
        assert!(event.body.len() <= 96 * 1024, "{}", event.body.len());
        assert_eq!(fake.metadata(index)["telemetry_capture"], "minimal");
    }
    assert_eq!(fake.metadata(1)["policy_references"], json!(null));
    assert_eq!(fake.metadata(1)["authorization_decision"], "BLOCK");
}

#[test]
fn enforce_decides_without_running_or_recording() {
    for (body, verdict) in [
        (r#"{"decision":"ALLOW"}"#, Verdict::Allow),
        (r#"{"decision":"BLOCK"}"#, Verdict::Block(Cause::Policy)),
        ("{}", Verdict::Block(Cause::Decode)),
        (
            r#"{"decision":"DEFER","defer_timeout_seconds":3}"#,
            Verdict::Defer(Some(3)),
        ),
    ] {
        let mut fake = Fake::answering(ok(body));
        assert_eq!(
            governor().enforce(&mut fake, &session(), &call()).verdict,
            verdict
        );
        assert_eq!(fake.order, ["exchange"]);
    }
}
