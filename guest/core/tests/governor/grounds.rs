//! The grounds of a decision: what an answer gives, and what a hold gives where an answer does not.

use thoth_core::{Cause, Evidence, Hold, Outcome, Refusal};

use crate::support::*;

/// All grounds that there are, told apart by a mark in each of them.
fn grounds(mark: &str, number: i32) -> String {
    format!(
        r#""violation_id":"v{mark}","decision_reason_code":"c{mark}","action_classification":"a{mark}",
        "pack_id":"p{mark}","pack_version":"pv{mark}","rule_version":{number},
        "risk_score":{number}.25,"latency_ms":{number}.5,"regulatory_regimes":["g{mark}"],
        "matched_rule_ids":["r{mark}"],"matched_control_ids":["k{mark}"],
        "policy_references":["f{mark}"],"model_signals":["s{mark}"],"receipt":{{"id":"{mark}"}},
        "decision_envelope_version":"e{mark}""#
    )
}

fn evidence(mark: &str, number: i32) -> Evidence {
    let marked = |prefix: &str| format!("{prefix}{mark}");
    Evidence {
        violation_id: Some(marked("v")),
        reason_code: Some(marked("c")),
        classification: Some(marked("a")),
        pack_id: Some(marked("p")),
        pack_version: Some(marked("pv")),
        rule_version: Some(number.into()),
        risk_score: Some(f64::from(number) + 0.25),
        latency_ms: Some(f64::from(number) + 0.5),
        regulatory_regimes: vec![marked("g")],
        matched_rule_ids: vec![marked("r")],
        matched_control_ids: vec![marked("k")],
        policy_references: vec![marked("f")],
        model_signals: vec![marked("s")],
        receipt: Some(format!(r#"{{"id":"{mark}"}}"#)),
        envelope_version: Some(marked("e")),
    }
}

fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn refused_by(body: &str) -> Refusal {
    refusal(wrap(&mut Fake::answering(ok(body))))
}

/// A hold with all grounds.
fn held() -> Hold {
    let body = format!(
        r#"{{"decision":"STEP_UP","hold_token":"t","reason":"risky",{}}}"#,
        grounds("1", 1)
    );
    match wrap(&mut Fake::answering(ok(&body))) {
        Outcome::Pending(hold) => hold,
        other => panic!("{other:?}"),
    }
}

fn resumed(answer: Result<thoth_core::Response, thoth_core::Fault>) -> Refusal {
    let mut fake = Fake::answering(answer);
    let refused = refusal(governor().resume(&mut fake, &session(), &call(), &held()));
    assert_eq!(fake.ran, []);
    refused
}

#[test]
fn a_decision_keeps_every_ground_that_it_was_given() {
    let body = format!(r#"{{"decision":"BLOCK",{}}}"#, grounds("1", 1));
    assert_eq!(refused_by(&body).evidence, evidence("1", 1));
    assert_eq!(held().evidence, evidence("1", 1));
}

#[test]
fn grounds_that_are_empty_are_none() {
    let body = r#"{"decision":"BLOCK","violation_id":"","decision_reason_code":"","pack_id":null,
        "receipt":{},"matched_rule_ids":[],"policy_references":null}"#;
    assert_eq!(refused_by(body).evidence, Evidence::default());
}

#[test]
fn an_answer_about_a_hold_without_grounds_has_those_of_the_hold() {
    let denied = resumed(ok(r#"{"resolved":true,"resolution":"DENY"}"#));
    assert_eq!(
        (denied.cause, denied.evidence),
        (Cause::Denied, evidence("1", 1))
    );
}

#[test]
fn an_answer_about_a_hold_with_grounds_has_its_own() {
    let body = format!(
        r#"{{"resolved":true,"resolution":"DENY",{}}}"#,
        grounds("2", 2)
    );
    assert_eq!(resumed(ok(&body)).evidence, evidence("2", 2));
}

#[test]
fn a_failed_poll_has_the_grounds_of_the_hold_but_not_its_code() {
    for (answer, code) in [
        (answer(410, &[], ""), None),
        (ok("{"), None),
        (
            answer(
                402,
                &[],
                r#"{"error":{"type":"billing_error","code":"ended","message":"over"}}"#,
            ),
            Some("billing_ended".to_string()),
        ),
    ] {
        let expected = Evidence {
            reason_code: code,
            ..evidence("1", 1)
        };
        assert_eq!(resumed(answer).evidence, expected);
    }
}

#[test]
fn an_approval_with_a_ground_of_the_wrong_type_does_not_run() {
    for ground in [
        r#""risk_score":"high""#,
        r#""violation_id":1"#,
        r#""receipt":[]"#,
        r#""fastml_features":1"#,
        r#""reason":1"#,
    ] {
        for resolution in [r#""resolution":"ALLOW""#, r#""resolution":"DENY""#] {
            let body = format!(r#"{{"resolved":true,{resolution},{ground}}}"#);
            assert_eq!(resumed(ok(&body)).cause, Cause::Decode, "{body}");
        }
    }
}

#[test]
fn a_poll_that_is_pending_leaves_the_hold_as_it_was() {
    let body = format!(
        r#"{{"resolved":false,"reason":"other","step_up_timeout_seconds":1,{}}}"#,
        grounds("2", 2)
    );
    let decision = governor().resolve(
        &mut Fake::answering(ok(&body)),
        &session(),
        &call(),
        &held(),
    );
    assert_eq!(decision.verdict, thoth_core::Verdict::StepUp(held()));
    assert_eq!(decision.reason, "risky");
    assert_eq!(decision.evidence, held().evidence);
}

#[test]
fn a_reason_is_shown_without_control_characters_and_blank_is_none() {
    for (body, reason) in [
        (
            r#"{"decision":"BLOCK","reason":" a\u001b[2Jb\n"}"#,
            "a [2Jb",
        ),
        (r#"{"decision":"BLOCK","reason":" \n "}"#, ""),
        (
            r#"{"decision":"DEFER","defer_reason":" ","reason":"later"}"#,
            "later",
        ),
        (
            r#"{"decision":"DEFER","defer_reason":"","reason":""}"#,
            "deferred pending additional context",
        ),
    ] {
        assert_eq!(refused_by(body).reason, reason, "{body}");
    }
}

#[test]
fn a_modification_has_the_reason_of_the_decision_before_its_own() {
    for (reasons, reason) in [
        (r#","reason":"r","modification_reason":"m""#, "r"),
        (r#","modification_reason":"m""#, "m"),
        (r#","reason":"r""#, "r"),
        ("", ""),
    ] {
        let body = format!(r#"{{"decision":"MODIFY","modified_tool_args":{{"q":"b"}}{reasons}}}"#);
        let mut fake = Fake::answering(ok(&body));
        let decision = governor().enforce(&mut fake, &session(), &call());
        assert_eq!(decision.reason, reason, "{body}");
    }
}
