//! A held call comes back: only the very call, only on an approval of the very hold.

use thoth_core::{
    Cause, Decision, FaultKind, Hold, Mode, Outcome, Refusal, Session, ToolCall, Verdict,
};

use crate::support::*;

fn resume(fake: &mut Fake) -> Outcome {
    governor().resume(fake, &session(), &call(), &hold())
}

fn refused(row: &str, fake: &mut Fake) -> Refusal {
    let outcome = resume(fake);
    assert_eq!(fake.ran, [], "{row}: the tool ran");
    assert_eq!(fake.event_types(), ["TOOL_CALL_BLOCK"], "{row}");
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{row}: {other:?}"),
    }
}

#[test]
fn an_approved_call_runs_with_what_was_approved() {
    for body in [
        r#"{"resolved":true,"resolution":"ALLOW"}"#,
        r#"{"resolved":true,"resolution":" allow ","token":"hold-7","hold_token":"hold-7"}"#,
        r#"{"resolved":true,"resolution":"ALLOW","decision":"ALLOW","authorization_decision":"ALLOW"}"#,
        r#"{"resolved":true,"resolution":"ALLOW","decision":"STEP_UP"}"#,
        r#"{"resolved":true,"decision":"ALLOW"}"#,
        r#"{"decision":"ALLOW"}"#,
        r#"{"authorization_decision":"allow","resolution":null}"#,
        r#"{"resolved":true,"resolution":"ALLOW","request_id":"the question's, unknown here"}"#,
    ] {
        let mut fake = Fake::answering(ok(body));
        assert!(matches!(resume(&mut fake), Outcome::Completed(_)), "{body}");
        assert_eq!(fake.ran, [("look".to_string(), ARGUMENTS.to_string())]);
        assert_eq!(fake.order, ["exchange", "tool", "append"]);
        assert_eq!(fake.event_types(), ["TOOL_CALL_POST"]);
        assert_eq!(fake.metadata(0)["authorization_decision"], "ALLOW");
        assert!(
            fake.events[0].body.contains(r#""violation_id":"v1""#),
            "{}",
            fake.events[0].body
        );
    }
}

#[test]
fn an_approval_can_modify() {
    let body = r#"{"resolved":true,"resolution":"MODIFIED","modified_tool_args":{"q":"clean"}}"#;
    let mut fake = Fake::answering(ok(body));
    assert!(matches!(resume(&mut fake), Outcome::Completed(_)));
    assert_eq!(
        fake.ran,
        [("look".to_string(), r#"{"q":"clean"}"#.to_string())]
    );
    let body = r#"{"resolved":true,"resolution":"MODIFY"}"#;
    let refusal = refused(body, &mut Fake::answering(ok(body)));
    assert_eq!(refusal.cause, Cause::InvalidModify);
}

#[test]
fn an_undecided_call_stays_pending_with_the_same_hold() {
    for (row, answer) in [
        (
            "shape",
            ok(
                r#"{"token":"hold-7","resolved":false,"resolution":null,"decision":"STEP_UP","authorization_decision":"STEP_UP","approval_url":"https://x","tool_name":"look","expires_at":"2027-01-01T00:00:00Z"}"#,
            ),
        ),
        ("resolved false", ok(r#"{"resolved":false}"#)),
        (
            "with a word",
            ok(r#"{"resolved":false,"resolution":"PENDING"}"#),
        ),
        (
            "not resolved, allow",
            ok(r#"{"resolved":false,"resolution":"ALLOW","decision":"ALLOW"}"#),
        ),
        ("step up", ok(r#"{"decision":"challenge"}"#)),
        (
            "step up and resolution",
            ok(r#"{"decision":"STEP_UP","resolution":"ALLOW"}"#),
        ),
        ("202", answer(202, &[], "")),
        ("408", answer(408, &[], "")),
        ("429", answer(429, &[("retry-after", "3")], "")),
        ("500", answer(500, &[], "")),
        (
            "503",
            answer(
                503,
                &[("content-type", "application/json")],
                r#"{"resolved":true,"resolution":"ALLOW"}"#,
            ),
        ),
        ("599", answer(599, &[], "")),
        ("unreachable", fault(FaultKind::Unreachable)),
        ("timeout", fault(FaultKind::Timeout)),
    ] {
        let mut fake = Fake::answering(answer);
        assert_eq!(resume(&mut fake), Outcome::Pending(hold()), "{row}");
        assert_eq!(fake.order, ["exchange"], "{row}");
    }
}

#[test]
fn a_policy_service_that_is_away_is_a_block_for_resolve() {
    for (answer, verdict) in [
        (answer(503, &[], ""), Verdict::Block(Cause::Status)),
        (
            fault(FaultKind::Unreachable),
            Verdict::Block(Cause::Unreachable),
        ),
        (fault(FaultKind::Timeout), Verdict::Block(Cause::Timeout)),
        (ok(r#"{"resolved":false}"#), Verdict::StepUp(hold())),
        (
            ok(r#"{"resolved":true,"resolution":"ALLOW"}"#),
            Verdict::Allow,
        ),
        (
            ok(r#"{"resolved":true,"resolution":"DENY"}"#),
            Verdict::Block(Cause::Denied),
        ),
    ] {
        let mut fake = Fake::answering(answer);
        let decision: Decision = governor().resolve(&mut fake, &session(), &call(), &hold());
        assert_eq!(decision.verdict, verdict);
        assert_eq!(fake.order, ["exchange"]);
    }
}

#[test]
fn a_denial_is_a_refusal_with_the_grounds_of_the_hold() {
    for (body, cause, reason) in [
        (
            r#"{"resolved":true,"resolution":"DENY","reason":"no"}"#,
            Cause::Denied,
            "no",
        ),
        (
            r#"{"resolved":true,"resolution":"block"}"#,
            Cause::Denied,
            "",
        ),
        (r#"{"decision":"BLOCK"}"#, Cause::Denied, ""),
        (
            r#"{"resolved":true,"resolution":"ALLOW","decision":"BLOCK"}"#,
            Cause::Denied,
            "",
        ),
        (
            r#"{"resolved":true,"resolution":"BLOCK","decision":"ALLOW"}"#,
            Cause::Denied,
            "",
        ),
        (
            r#"{"resolution":"BLOCK","authorization_decision":"ALLOW"}"#,
            Cause::Denied,
            "",
        ),
        (
            r#"{"resolved":true,"resolution":"BLOCK","reason":"Approval TIMEOUT"}"#,
            Cause::Expired,
            "Approval TIMEOUT",
        ),
        (
            r#"{"resolved":true,"resolution":"BLOCK","reason":"timed out"}"#,
            Cause::Expired,
            "timed out",
        ),
        (
            r#"{"resolved":true,"resolution":"BLOCK","reason":"has expired"}"#,
            Cause::Expired,
            "has expired",
        ),
        (
            r#"{"resolved":true,"resolution":"DEFER","defer_reason":"later","defer_timeout_seconds":9}"#,
            Cause::Deferred,
            "later",
        ),
    ] {
        let mut fake = Fake::answering(ok(body));
        let refusal = refused(body, &mut fake);
        assert_eq!(
            (refusal.cause, refusal.reason.as_str()),
            (cause, reason),
            "{body}"
        );
        assert_eq!(refusal.evidence, hold().evidence, "{body}");
        assert_eq!(fake.metadata(0)["decision_reason_code"], "needs_human");
    }
}

#[test]
fn what_an_answer_says_goes_before_what_the_hold_said() {
    let body = r#"{"resolved":true,"resolution":"DENY","violation_id":"v2","matched_rule_ids":["r9"],"risk_score":2}"#;
    let refusal = refused(body, &mut Fake::answering(ok(body)));
    assert_eq!(refusal.evidence.violation_id.as_deref(), Some("v2"));
    assert_eq!(refusal.evidence.reason_code.as_deref(), Some("needs_human"));
    assert_eq!(refusal.evidence.matched_rule_ids, ["r9"]);
    assert_eq!(refusal.evidence.risk_score, Some(2.0));
}

#[test]
fn an_answer_that_is_not_about_this_hold_is_a_refusal() {
    let json = [("content-type", "application/json")];
    let approved = r#"{"resolved":true,"resolution":"ALLOW"}"#;
    for (row, answer, cause) in [
        ("404", answer(404, &json, approved), Cause::InvalidHold),
        ("410", answer(410, &json, approved), Cause::Expired),
        ("400", answer(400, &json, approved), Cause::Status),
        ("401", answer(401, &json, approved), Cause::Status),
        ("403", answer(403, &json, approved), Cause::Status),
        ("201", answer(201, &json, approved), Cause::Status),
        ("204", answer(204, &json, ""), Cause::Status),
        ("302", answer(302, &json, approved), Cause::Redirect),
        ("407", answer(407, &json, approved), Cause::Status),
        ("409", answer(409, &json, approved), Cause::Status),
        ("428", answer(428, &json, approved), Cause::Status),
        ("430", answer(430, &json, approved), Cause::Status),
        ("499", answer(499, &json, approved), Cause::Status),
        ("600", answer(600, &json, approved), Cause::Status),
        (
            "html",
            answer(200, &[("content-type", "text/html")], approved),
            Cause::ContentType,
        ),
        ("tls", fault(FaultKind::Tls), Cause::Tls),
        ("protocol", fault(FaultKind::Protocol), Cause::Protocol),
        ("too large", fault(FaultKind::TooLarge), Cause::TooLarge),
        (
            "other token",
            ok(r#"{"token":"hold-8","resolved":true,"resolution":"ALLOW"}"#),
            Cause::InvalidHold,
        ),
        (
            "other hold token",
            ok(r#"{"hold_token":"hold-8","decision":"ALLOW"}"#),
            Cause::InvalidHold,
        ),
        (
            "pending of another",
            ok(r#"{"token":"hold-8","resolved":false}"#),
            Cause::InvalidHold,
        ),
        (
            "trace",
            ok(r#"{"resolved":true,"resolution":"ALLOW","enforcement_trace_id":"x"}"#),
            Cause::Mismatch,
        ),
        (
            "action",
            ok(r#"{"resolved":true,"resolution":"ALLOW","action_attestation_id":"x"}"#),
            Cause::Mismatch,
        ),
        (
            "session",
            ok(r#"{"resolved":true,"resolution":"ALLOW","session_id":"x"}"#),
            Cause::Mismatch,
        ),
        (
            "tool",
            ok(r#"{"resolved":true,"resolution":"ALLOW","tool_name":"wipe"}"#),
            Cause::Mismatch,
        ),
        ("nothing", ok("{}"), Cause::Decode),
        (
            "resolution only",
            ok(r#"{"resolution":"ALLOW"}"#),
            Cause::Decode,
        ),
        (
            "resolution only, deny",
            ok(r#"{"resolution":"DENY"}"#),
            Cause::Decode,
        ),
        (
            "resolved to nothing",
            ok(r#"{"resolved":true}"#),
            Cause::Decode,
        ),
        (
            "resolved to null",
            ok(r#"{"resolved":true,"resolution":null}"#),
            Cause::Decode,
        ),
        (
            "resolved to step up",
            ok(r#"{"resolved":true,"resolution":"STEP_UP"}"#),
            Cause::Decode,
        ),
        (
            "resolved, decision step up",
            ok(r#"{"resolved":true,"decision":"STEP_UP"}"#),
            Cause::Decode,
        ),
        (
            "resolved, unknown",
            ok(r#"{"resolved":true,"resolution":"YES"}"#),
            Cause::Decode,
        ),
        (
            "resolved, unknown decision",
            ok(r#"{"resolved":true,"resolution":"ALLOW","decision":"YES"}"#),
            Cause::Decode,
        ),
        (
            "resolved is text",
            ok(r#"{"resolved":"true","resolution":"ALLOW"}"#),
            Cause::Decode,
        ),
        (
            "resolved is 1",
            ok(r#"{"resolved":1,"resolution":"ALLOW"}"#),
            Cause::Decode,
        ),
        (
            "resolution is true",
            ok(r#"{"resolved":true,"resolution":true}"#),
            Cause::Decode,
        ),
        (
            "pending resolution is 1",
            ok(r#"{"resolved":false,"resolution":1}"#),
            Cause::Decode,
        ),
        (
            "pending, unknown decision",
            ok(r#"{"resolved":false,"decision":"YES"}"#),
            Cause::Decode,
        ),
        (
            "twice",
            ok(r#"{"resolved":false,"resolved":true,"resolution":"ALLOW"}"#),
            Cause::Ambiguous,
        ),
        (
            "variant",
            ok(r#"{"resolved":true,"Resolution":"ALLOW"}"#),
            Cause::Ambiguous,
        ),
        (
            "modified as well",
            ok(r#"{"resolved":true,"resolution":"ALLOW","modified_tool_args":{"q":"b"}}"#),
            Cause::Ambiguous,
        ),
        ("broken", ok("{"), Cause::Decode),
    ] {
        let mut fake = Fake::answering(answer);
        let refusal = refused(row, &mut fake);
        assert_eq!(refusal.cause, cause, "{row}");
        assert_eq!(
            refusal.evidence.violation_id.as_deref(),
            Some("v1"),
            "{row}"
        );
        assert_eq!(
            fake.metadata(0)["decision_reason_code"],
            cause.as_str(),
            "{row}"
        );
    }
}

#[test]
fn another_call_cannot_use_a_hold() {
    type Change = fn(&mut Session, &mut ToolCall, &mut Hold);
    let changes: [(&str, Change); 13] = [
        ("call", |_, call, _| call.call_id = "other".into()),
        ("tool", |_, call, _| call.tool = "wipe".into()),
        ("argument", |_, call, _| {
            call.arguments = r#"{"q":"a","n":2}"#.into()
        }),
        ("no arguments", |_, call, _| call.arguments = "{}".into()),
        ("one more", |_, call, _| {
            call.arguments = r#"{"q":"a","n":1,"x":null}"#.into()
        }),
        ("as text", |_, call, _| {
            call.arguments = r#"{"q":"a","n":"1"}"#.into()
        }),
        ("session", |session, _, _| {
            session.session_id = "other".into()
        }),
        ("tenant", |session, _, _| session.tenant_id = "other".into()),
        ("agent", |session, _, _| session.agent_id = "other".into()),
        ("user", |session, _, _| session.user_id = "other".into()),
        ("digest", |_, _, hold| {
            hold.digest = hold.digest.to_uppercase()
        }),
        ("no digest", |_, _, hold| hold.digest.clear()),
        ("moved", |session, _, _| {
            session.tenant_id = "acm".into();
            session.agent_id = "ebot".into();
        }),
    ];
    for (row, change) in changes {
        let (mut session, mut call, mut hold) = (session(), call(), hold());
        change(&mut session, &mut call, &mut hold);
        let mut fake = Fake::default();
        match governor().resume(&mut fake, &session, &call, &hold) {
            Outcome::Refused(refusal) => assert_eq!(refusal.cause, Cause::Mismatch, "{row}"),
            other => panic!("{row}: {other:?}"),
        }
        assert_eq!(fake.order, ["append"], "{row}: asked or ran");
        assert_eq!(fake.event_types(), ["TOOL_CALL_BLOCK"], "{row}");
        let decision = governor().resolve(&mut Fake::default(), &session, &call, &hold);
        assert_eq!(decision.verdict, Verdict::Block(Cause::Mismatch), "{row}");
    }
}

#[test]
fn the_same_call_written_differently_can() {
    let call = ToolCall {
        arguments: "{ \"n\" : 1 , \"\\u0071\":\"\\u0061\"}".into(),
        ..call()
    };
    let mut fake = Fake::answering(ok(r#"{"resolved":true,"resolution":"ALLOW"}"#));
    let outcome = governor().resume(&mut fake, &session(), &call, &hold());
    assert!(matches!(outcome, Outcome::Completed(_)));
    assert_eq!(fake.ran, [("look".to_string(), ARGUMENTS.to_string())]);
}

#[test]
fn a_token_that_is_not_one_is_never_sent() {
    for token in ["", "..", "a/b", "a?b", "a\r\nb", "a%41"] {
        let hold = Hold {
            token: token.into(),
            ..hold()
        };
        let mut fake = Fake::default();
        match governor().resume(&mut fake, &session(), &call(), &hold) {
            Outcome::Refused(refusal) => assert_eq!(refusal.cause, Cause::InvalidHold),
            other => panic!("{other:?}"),
        }
        assert_eq!(fake.order, ["append"]);
    }
}

#[test]
fn observe_mode_does_not_approve_a_held_call() {
    let session = Session {
        mode: Mode::Observe,
        ..session()
    };
    for (answer, pending) in [
        (ok(r#"{"resolved":false}"#), true),
        (ok(r#"{"decision":"BLOCK"}"#), false),
    ] {
        let mut fake = Fake::answering(answer);
        let outcome = governor().resume(&mut fake, &session, &call(), &hold());
        assert_eq!(matches!(outcome, Outcome::Pending(_)), pending);
        assert_eq!(fake.ran, []);
    }
}

#[test]
fn arguments_that_cannot_be_read_cannot_be_resumed() {
    let call = ToolCall {
        arguments: "[]".into(),
        ..call()
    };
    let mut fake = Fake::default();
    match governor().resume(&mut fake, &session(), &call, &hold()) {
        Outcome::Refused(refusal) => assert_eq!(refusal.cause, Cause::InvalidArguments),
        other => panic!("{other:?}"),
    }
    assert_eq!(fake.order, ["append"]);
    let decision = governor().resolve(&mut Fake::default(), &session(), &call, &hold());
    assert_eq!(decision.verdict, Verdict::Block(Cause::InvalidArguments));
    let unconfigured = thoth_core::Governor::new(thoth_core::Config::from_vars([]));
    let decision = unconfigured.resolve(
        &mut Fake::default(),
        &session(),
        &crate::support::call(),
        &hold(),
    );
    assert_eq!(decision.verdict, Verdict::Block(Cause::Configuration));
}
