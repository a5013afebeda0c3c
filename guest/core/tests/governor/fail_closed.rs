//! Every way in which an answer is not a decision to run, with a canary that proves that the tool
//! did not run.

use std::fmt::Write;

use crate::support::*;
use thoth_core::{Cause, Evidence, FaultKind, Outcome, Refusal};

fn refused(row: &str, fake: &mut Fake) -> Refusal {
    let outcome = wrap(fake);
    assert_eq!(fake.ran, [], "{row}: the tool ran");
    assert_eq!(
        fake.event_types(),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"],
        "{row}"
    );
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{row}: {other:?}"),
    }
}

fn cause_of(body: &str) -> Cause {
    refused(body, &mut Fake::answering(ok(body))).cause
}

#[test]
fn a_fault_of_the_exchange_is_a_refusal_with_its_cause() {
    for (kind, cause) in [
        (FaultKind::Unreachable, Cause::Unreachable),
        (FaultKind::Timeout, Cause::Timeout),
        (FaultKind::Tls, Cause::Tls),
        (FaultKind::Protocol, Cause::Protocol),
        (FaultKind::TooLarge, Cause::TooLarge),
    ] {
        let refusal = refused("fault", &mut Fake::answering(fault(kind)));
        assert_eq!(refusal.cause, cause);
        assert!(refusal.reason.ends_with(": broken"), "{}", refusal.reason);
    }
}

#[test]
fn only_status_200_is_an_answer() {
    let allow = r#"{"decision":"ALLOW"}"#;
    let json = ("content-type", "application/json");
    for status in 100..600_u16 {
        let cause = match status {
            200 => continue,
            300..=399 => Cause::Redirect,
            _ => Cause::Status,
        };
        let mut fake = Fake::answering(answer(status, &[json], allow));
        assert_eq!(
            refused(&status.to_string(), &mut fake).cause,
            cause,
            "{status}"
        );
        assert_eq!(fake.requests.len(), 1, "{status} was tried again");
    }
}

#[test]
fn only_plain_application_json_is_read() {
    let allow = r#"{"decision":"ALLOW"}"#;
    let json = ("content-type", "application/json");
    let rows: [(&[(&str, &str)], Cause); 16] = [
        (&[], Cause::ContentType),
        (&[("content-type", "text/html")], Cause::ContentType),
        (&[("content-type", "")], Cause::ContentType),
        (&[("content-type", "application/jsonx")], Cause::ContentType),
        (
            &[("content-type", "application/problem+json")],
            Cause::ContentType,
        ),
        (
            &[("content-type", "application/json, text/html")],
            Cause::ContentType,
        ),
        (
            &[("content-type", "application/json;charset=utf-16")],
            Cause::ContentType,
        ),
        (
            &[("content-type", "text/html;application/json")],
            Cause::ContentType,
        ),
        (&[json, json], Cause::ContentType),
        (&[json, ("Content-Type", "text/html")], Cause::ContentType),
        (&[json, ("content-encoding", "gzip")], Cause::Encoding),
        (&[json, ("Content-Encoding", "br")], Cause::Encoding),
        (
            &[
                json,
                ("content-encoding", "identity"),
                ("content-encoding", "zstd"),
            ],
            Cause::Encoding,
        ),
        (&[json, ("content-encoding", "")], Cause::Encoding),
        (&[json, ("content-length", "500")], Cause::Protocol),
        (
            &[json, ("content-length", "20"), ("content-length", "x")],
            Cause::Protocol,
        ),
    ];
    for (headers, cause) in rows {
        let row = format!("{headers:?}");
        let mut fake = Fake::answering(answer(200, headers, allow));
        assert_eq!(refused(&row, &mut fake).cause, cause, "{row}");
    }
    let good: [&[(&str, &str)]; 5] = [
        &[json],
        &[("Content-Type", " Application/JSON ; Charset=UTF-8 ")],
        &[("content-type", "application/json; charset=\"utf-8\"")],
        &[json, ("content-encoding", "identity")],
        &[json, ("content-length", "20")],
    ];
    for headers in good {
        let mut fake = Fake::answering(answer(200, headers, allow));
        assert!(
            matches!(wrap(&mut fake), Outcome::Completed(_)),
            "{headers:?}"
        );
    }
}

#[test]
fn an_answer_that_is_not_one_known_decision_is_not_decoded() {
    for body in [
        "",
        " ",
        "null",
        "true",
        "1",
        "\"ALLOW\"",
        "ALLOW",
        "[1]",
        r#"[{"decision":"ALLOW"}]"#,
        "{bad",
        r#"{"decision":"ALLOW""#,
        r#"{"decision":"ALLOW"} tail"#,
        r#"{"decision":"ALLOW"}{"decision":"ALLOW"}"#,
        "{\"decision\":\"ALLOW\"}\0",
        "\u{feff}{\"decision\":\"ALLOW\"}",
        r#"{"decision":"ALLOW",}"#,
        r#"{'decision':'ALLOW'}"#,
        r#"{"decision":"ALLOW"/**/}"#,
        "{}",
        r#"{"decision":null}"#,
        r#"{"decision":"WOBBLE"}"#,
        r#"{"decision":"PERMIT"}"#,
        r#"{"decision":"observe"}"#,
        r#"{"decision":"FLAG"}"#,
        r#"{"decision":""}"#,
        r#"{"decision":" "}"#,
        r#"{"decision":"ALLOW\u0000"}"#,
        "{\"decision\":\"\u{391}LLOW\"}",
        "{\"decision\":\"\u{a0}ALLOW\"}",
        r#"{"decision":"ALL OW"}"#,
        r#"{"decision":true}"#,
        r#"{"decision":["ALLOW"]}"#,
        r#"{"decision":{"decision":"ALLOW"}}"#,
        r#"{"result":{"decision":"ALLOW"}}"#,
        r#"{"decision":"ALLOW","authorization_decision":"WOBBLE"}"#,
        r#"{"decision":"WOBBLE","authorization_decision":"ALLOW"}"#,
        r#"{"decision":"","authorization_decision":"ALLOW"}"#,
        r#"{"decision":"ALLOW","authorization_decision":1}"#,
        r#"{"decision":"ALLOW","risk_score":"x"}"#,
        r#"{"decision":"ALLOW","rule_version":1.5}"#,
        r#"{"decision":"ALLOW","rule_version":"1"}"#,
        r#"{"decision":"ALLOW","latency_ms":[]}"#,
        r#"{"decision":"ALLOW","reason":1}"#,
        r#"{"decision":"ALLOW","violation_id":1}"#,
        r#"{"decision":"ALLOW","hold_token":1}"#,
        r#"{"decision":"ALLOW","pack_id":{}}"#,
        r#"{"decision":"ALLOW","matched_rule_ids":"r"}"#,
        r#"{"decision":"ALLOW","matched_rule_ids":["r",1]}"#,
        r#"{"decision":"ALLOW","policy_references":[null]}"#,
        r#"{"decision":"ALLOW","receipt":"r"}"#,
        r#"{"decision":"ALLOW","decision_evidence":[]}"#,
        r#"{"decision":"ALLOW","top_contributors":[1]}"#,
        r#"{"decision":"ALLOW","top_contributors":{}}"#,
        r#"{"decision":"ALLOW","modified_tool_args":"x"}"#,
        r#"{"decision":"ALLOW","defer_timeout_seconds":"1"}"#,
        r#"{"decision":"ALLOW","step_up_timeout_seconds":-1}"#,
        r#"{"decision":"ALLOW","enforcement_trace_id":1}"#,
        r#"{"decision":"ALLOW","action_attestation_id":{}}"#,
        r#"{"decision":"ALLOW","n":9007199254740992}"#,
        r#"{"decision":"ALLOW","n":1e400}"#,
        r#"{"decision":"ALLOW","n":NaN}"#,
        r#"{"decision":"ALLOW","n":01}"#,
        r#"{"decision":"ALLOW","s":"\ud800"}"#,
        r#"{"decision":"ALLOW","\u0000":1}"#,
        "{\"decision\":\"AL\nLOW\"}",
    ] {
        assert_eq!(cause_of(body), Cause::Decode, "{body}");
    }
    let mut invalid = answer(200, &[("content-type", "application/json")], "").unwrap();
    invalid.body = b"{\"decision\":\"ALLOW\",\"x\":\"\xff\"}".to_vec();
    assert_eq!(
        refused("utf-8", &mut Fake::answering(Ok(invalid))).cause,
        Cause::Decode
    );
}

#[test]
fn an_answer_that_can_be_read_in_two_ways_is_ambiguous() {
    for body in [
        r#"{"decision":"BLOCK","decision":"ALLOW"}"#,
        r#"{"decision":"ALLOW","decision":"BLOCK"}"#,
        r#"{"decision":"ALLOW","decision":"ALLOW"}"#,
        r#"{"decision":"ALLOW","\u0064ecision":"BLOCK"}"#,
        r#"{"decision":"ALLOW","x":{"a":1,"a":2}}"#,
        r#"{"decision":"ALLOW","x":[[{"a":1,"\u0061":2}]]}"#,
        r#"{"decision":"BLOCK","Decision":"ALLOW"}"#,
        r#"{"Decision":"ALLOW"}"#,
        r#"{"DECISION":"ALLOW"}"#,
        r#"{"deci_sion":"ALLOW"}"#,
        r#"{"decision":"ALLOW","authorizationDecision":"BLOCK"}"#,
        r#"{"authorizationDecision":"ALLOW"}"#,
        r#"{"decision":"ALLOW","modifiedToolArgs":{"q":"b"}}"#,
        r#"{"decision":"ALLOW","Hold_Token":"t"}"#,
        r#"{"decision":"ALLOW","enforcementTraceId":"other"}"#,
        r#"{"decision":"ALLOW","ActionAttestationID":"other"}"#,
        r#"{"decision":"ALLOW","requestId":"other"}"#,
        r#"{"decision":"ALLOW","sessionId":"other"}"#,
        r#"{"decision":"ALLOW","toolName":"other"}"#,
        r#"{"decision":"ALLOW","agentId":"other"}"#,
        r#"{"decision":"ALLOW","tenantId":"other"}"#,
        r#"{"decision":"ALLOW","Resolved":true}"#,
        r#"{"decision":"ALLOW","re_solution":"BLOCK"}"#,
        r#"{"decision":"ALLOW","TOKEN":"t"}"#,
        r#"{"decision":"ALLOW","future":1,"Future":2}"#,
        r#"{"decision":"ALLOW","violation_id":"a","violationId":"b"}"#,
        "{\"deci\u{17f}ion\":\"ALLOW\"}",
        "{\"decision\":\"ALLOW\",\"hold_to\u{212a}en\":\"t\"}",
        r#"{"decision":"ALLOW","modified_tool_args":{"q":"b"}}"#,
    ] {
        assert_eq!(cause_of(body), Cause::Ambiguous, "{body}");
    }
}

#[test]
fn an_answer_for_something_else_is_a_mismatch() {
    for name in [
        "enforcement_trace_id",
        "action_attestation_id",
        "request_id",
        "session_id",
        "tool_name",
        "agent_id",
        "tenant_id",
    ] {
        for decision in ["ALLOW", "BLOCK", "STEP_UP"] {
            let body = format!(r#"{{"decision":"{decision}","{name}":"other","hold_token":"t"}}"#);
            assert_eq!(cause_of(&body), Cause::Mismatch, "{body}");
        }
        for nothing in ["null", "\"\""] {
            let body = format!(r#"{{"decision":"ALLOW","{name}":{nothing}}}"#);
            let mut fake = Fake::answering(ok(&body));
            assert!(matches!(wrap(&mut fake), Outcome::Completed(_)), "{body}");
        }
    }
}

#[test]
fn an_answer_over_a_limit_is_too_large() {
    let mut deep = "[".repeat(32);
    deep.push_str(&"]".repeat(32));
    assert_eq!(
        cause_of(&format!(r#"{{"decision":"ALLOW","x":{deep}}}"#)),
        Cause::TooLarge
    );
    assert_eq!(cause_of(&"[".repeat(100_000)), Cause::TooLarge);
    let long = "x".repeat(256 * 1024);
    assert_eq!(
        cause_of(&format!(r#"{{"decision":"ALLOW","x":"{long}"}}"#)),
        Cause::TooLarge
    );
    let fits = |x: &str| format!(r#"{{"decision":"ALLOW","x":"{x}"}}"#);
    let full = fits(&long[..256 * 1024 - fits("").len()]);
    assert_eq!(full.len(), 256 * 1024);
    assert!(matches!(
        wrap(&mut Fake::answering(ok(&full))),
        Outcome::Completed(_)
    ));
    let mut many = String::from(r#"{"decision":"ALLOW""#);
    for index in 0..30_000 {
        write!(many, ",\"k{index}\":1").unwrap();
    }
    many.push('}');
    assert_eq!(cause_of(&many), Cause::TooLarge);
}

#[test]
fn a_modification_without_complete_arguments_is_invalid() {
    for arguments in [
        "",
        r#","modified_tool_args":null"#,
        r#","modified_tool_args":{}"#,
        r#","modified_tool_args":[]"#,
        r#","modified_tool_args":["q"]"#,
        r#","modified_tool_args":"{\"q\":1}""#,
        r#","modified_tool_args":1"#,
    ] {
        for word in ["MODIFY", "modified", " Transform "] {
            let body = format!(r#"{{"decision":"{word}"{arguments}}}"#);
            assert_eq!(cause_of(&body), Cause::InvalidModify, "{body}");
        }
    }
}

#[test]
fn a_hold_without_a_usable_token_is_invalid() {
    let long = "x".repeat(257);
    for token in [
        "null",
        "\"\"",
        "\".\"",
        "\"..\"",
        "\"...\"",
        "\"../x\"",
        "\"a/b\"",
        "\"a?b=c\"",
        "\"a#b\"",
        "\"a%2e\"",
        "\"a b\"",
        "\"a\\r\\nX: y\"",
        "\"a\\u0000\"",
        "\"ä\"",
        "\"a\\\\b\"",
        &format!("\"{long}\""),
    ] {
        for word in ["STEP_UP", "challenge", "ESCALATE", "Review"] {
            let body = format!(r#"{{"decision":"{word}","hold_token":{token}}}"#);
            assert_eq!(cause_of(&body), Cause::InvalidHold, "{body}");
        }
    }
    assert_eq!(cause_of(r#"{"decision":"STEP_UP"}"#), Cause::InvalidHold);
    assert_eq!(
        cause_of(r#"{"decision":"STEP_UP","token":"t"}"#),
        Cause::InvalidHold
    );
}

#[test]
fn of_two_decisions_the_stricter_one_counts() {
    let words = ["ALLOW", "MODIFY", "STEP_UP", "DEFER", "BLOCK"];
    for (i, one) in words.iter().enumerate() {
        for (j, other) in words.iter().enumerate() {
            let body = format!(
                r#"{{"decision":"{one}","authorization_decision":"{other}",
                "hold_token":"t","modified_tool_args":{{"q":"b"}}}}"#
            );
            let mut fake = Fake::answering(ok(&body));
            let outcome = wrap(&mut fake);
            let right = match i.max(j) {
                0 => matches!(&outcome, Outcome::Refused(r) if r.cause == Cause::Ambiguous),
                1 => fake.ran == [("look".to_string(), r#"{"q":"b"}"#.to_string())],
                2 => matches!(outcome, Outcome::Pending(_)),
                3 => matches!(&outcome, Outcome::Refused(r) if r.cause == Cause::Deferred),
                _ => matches!(&outcome, Outcome::Refused(r) if r.cause == Cause::Policy),
            };
            assert!(right, "{body}: {outcome:?}");
            assert_eq!(fake.ran.len(), usize::from(i.max(j) == 1), "{body}");
        }
    }
}

#[test]
fn the_policy_services_words_for_a_bad_status_are_kept() {
    let json = ("content-type", "application/json");
    let billing =
        r#"{"error":{"type":"billing_error","code":"trial_ended","message":"plan\u001b lapsed"}}"#;
    let refusal = refused("402", &mut Fake::answering(answer(402, &[json], billing)));
    assert_eq!(refusal.reason, "plan  lapsed");
    assert_eq!(
        refusal.evidence.reason_code.as_deref(),
        Some("billing_trial_ended")
    );
    let busy = r#"{"error":{"code":"RATE","message":"slow down","requestId":"r"}}"#;
    let headers = [json, ("Retry-After", "30")];
    let mut fake = Fake::answering(answer(429, &headers, busy));
    let refusal = refused("429", &mut fake);
    assert_eq!(
        refusal.reason,
        "the policy service answered with status 429: slow down"
    );
    assert_eq!(refusal.retry_after_seconds, Some(30));
    assert_eq!(refusal.evidence, Evidence::default());
    assert_eq!(fake.metadata(1)["decision_reason_code"], "status");
    let refusal = refused("401", &mut Fake::answering(answer(401, &[], "<html>")));
    assert_eq!(
        refusal.reason,
        "the policy service answered with status 401: check THOTH_API_KEY"
    );
    for (value, seconds) in [
        ("1000000000", Some(86_400)),
        ("99999999999999999999", Some(86_400)),
        ("0", Some(0)),
        ("-1", None),
        ("", None),
        ("1.5", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None),
    ] {
        let mut fake = Fake::answering(answer(503, &[("retry-after", value)], ""));
        assert_eq!(
            refused(value, &mut fake).retry_after_seconds,
            seconds,
            "{value}"
        );
    }
    let twice = [("retry-after", "1"), ("retry-after", "2")];
    let mut fake = Fake::answering(answer(503, &twice, ""));
    assert_eq!(refused("twice", &mut fake).retry_after_seconds, None);
}

#[test]
fn a_call_that_cannot_be_recorded_is_not_even_asked_about() {
    let mut fake = Fake {
        broken_append: Some(0),
        ..Fake::default()
    };
    match wrap(&mut fake) {
        Outcome::Refused(refusal) => {
            assert_eq!(refusal.cause, Cause::NotRecorded);
            assert_eq!(
                refusal.reason,
                "the call does not run, since it cannot be recorded: the event log is full"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.order, ["append"]);
}

#[test]
fn a_governor_without_a_configuration_blocks() {
    for vars in [
        vec![],
        vec![("THOTH_API_URL", "ftp://x")],
        vec![("THOTH_API_URL", "https://x"), ("THOTH_API_KEY", "a\r\nb")],
        vec![("THOTH_API_URL", "https://x"), ("THOTH_FAIL_OPEN", "true")],
    ] {
        let vars = vars
            .into_iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let governor = thoth_core::Governor::new(thoth_core::Config::from_vars(vars));
        let mut fake = Fake::default();
        match governor.wrap_tool(&mut fake, &session(), &call()) {
            Outcome::Refused(refusal) => assert_eq!(refusal.cause, Cause::Configuration),
            other => panic!("{other:?}"),
        }
        assert_eq!(fake.order, ["append", "append"]);
    }
}

#[test]
fn a_session_with_a_bad_json_field_blocks() {
    for bad in ["[]", "{", r#"{"a":1,"a":2}"#, "1"] {
        for field in 0..5 {
            let mut session = session();
            let text = Some(bad.to_string());
            match field {
                0 => session.task_context = text,
                1 => session.identity_binding = text,
                2 => session.metadata = text,
                3 => session.auth_context = text,
                _ => session.delegation_context = text,
            }
            let mut fake = Fake::default();
            match governor().wrap_tool(&mut fake, &session, &call()) {
                Outcome::Refused(refusal) => assert_eq!(refusal.cause, Cause::Configuration),
                other => panic!("{other:?}"),
            }
            assert_eq!(fake.order, ["append", "append"], "{field} {bad}");
        }
    }
}

#[test]
fn arguments_that_are_not_an_object_within_the_profile_are_refused() {
    let deep = format!("{}{}", r#"{"a":"#.repeat(33), "}".repeat(33));
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(256 * 1024));
    for bad in [
        "",
        "null",
        "[]",
        "1",
        "\"{}\"",
        "{",
        r#"{"a":1,"a":2}"#,
        r#"{"a":9007199254740992}"#,
        r#"{"a":-9007199254740992}"#,
        r#"{"a":1e999}"#,
        r#"{"a":"\udc00"}"#,
        r#"{"\u0000":1}"#,
        "{} ,",
        "\u{feff}{}",
        &deep,
        &long,
    ] {
        let mut fake = Fake::default();
        let call = thoth_core::ToolCall {
            arguments: bad.to_string(),
            ..call()
        };
        match governor().wrap_tool(&mut fake, &session(), &call) {
            Outcome::Refused(refusal) => assert_eq!(refusal.cause, Cause::InvalidArguments),
            other => panic!("{bad}: {other:?}"),
        }
        assert_eq!(fake.event_types(), ["TOOL_CALL_BLOCK"]);
        assert_eq!(fake.order, ["append"]);
        let decision = governor().enforce(&mut Fake::default(), &session(), &call);
        assert_eq!(
            decision.verdict,
            thoth_core::Verdict::Block(Cause::InvalidArguments)
        );
    }
}
