//! Answers at the edge of what is taken: blanks in header fields, words beside a bad status, faults
//! without words.

use thoth_core::{Cause, Evidence, Fault, FaultKind, Outcome, Refusal, Response};

use crate::support::*;

const JSON: (&str, &str) = ("content-type", "application/json");

fn refused(answer: Result<Response, Fault>) -> Refusal {
    let mut fake = Fake::answering(answer);
    let outcome = wrap(&mut fake);
    assert_eq!(fake.ran, []);
    match outcome {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn blanks_around_a_header_field_do_not_count() {
    for field in [
        ("content-length", " 20 "),
        ("content-encoding", " Identity\t"),
        ("content-type", "\tapplication/json ; charset=utf-8 "),
    ] {
        let allow = r#"{"decision":"ALLOW"}"#;
        let headers = match field.0 {
            "content-type" => vec![field],
            _ => vec![JSON, field],
        };
        let mut fake = Fake::answering(answer(200, &headers, allow));
        assert!(
            matches!(wrap(&mut fake), Outcome::Completed(_)),
            "{field:?}"
        );
    }
    let busy = answer(429, &[("retry-after", " 30 ")], "");
    assert_eq!(refused(busy).retry_after_seconds, Some(30));
}

#[test]
fn an_answer_framed_in_more_ways_than_one_is_none() {
    let allow = r#"{"decision":"ALLOW"}"#;
    let (chunked, gzip) = (
        ("transfer-encoding", "chunked"),
        ("transfer-encoding", "gzip, chunked"),
    );
    for headers in [
        &[JSON, ("content-length", "20"), chunked][..],
        &[JSON, gzip],
        &[JSON, chunked, gzip],
    ] {
        let refusal = refused(answer(200, headers, allow));
        assert_eq!(refusal.cause, Cause::Protocol, "{headers:?}");
    }
    let mut fake = Fake::answering(answer(200, &[JSON, chunked], allow));
    assert!(matches!(wrap(&mut fake), Outcome::Completed(_)));
}

#[test]
fn a_body_over_the_limit_is_named_as_such_before_it_is_read() {
    let body = format!(r#"{{"decision":"ALLOW","x":"{}"}}"#, "x".repeat(262_144));
    let refusal = refused(ok(&body));
    assert_eq!(
        (refusal.cause, refusal.reason.as_str()),
        (
            Cause::TooLarge,
            "the policy service's answer was over 262144 bytes"
        )
    );
}

#[test]
fn a_known_field_of_the_wrong_type_spoils_every_decision() {
    let fields = [
        (
            "\"text\"",
            ["fastml_features", "score_components", "receipt"].as_slice(),
        ),
        ("[]", &["decision_evidence", "terminal_receipt"]),
        (
            "{}",
            &["top_contributors", "regulatory_regimes", "matched_rule_ids"],
        ),
        (
            "[1]",
            &["matched_control_ids", "policy_references", "model_signals"],
        ),
        ("true", &["violation_id", "decision_reason_code", "pack_id"]),
        (
            "1",
            &[
                "action_classification",
                "pack_version",
                "decision_envelope_version",
            ],
        ),
        (
            "1.5",
            &[
                "rule_version",
                "defer_timeout_seconds",
                "step_up_timeout_seconds",
            ],
        ),
        (
            "\"1\"",
            &["risk_score", "latency_ms", "defer_timeout_seconds"],
        ),
        ("-1", &["defer_timeout_seconds", "step_up_timeout_seconds"]),
        (
            "{}",
            &[
                "reason",
                "modification_reason",
                "defer_reason",
                "approval_url",
                "hold_token",
            ],
        ),
        ("\"{}\"", &["modified_tool_args"]),
    ];
    for (value, names) in fields {
        for name in names {
            for word in ["ALLOW", "BLOCK", "DEFER", "STEP_UP", "MODIFY"] {
                let cause = match (*name, word) {
                    ("modified_tool_args", "MODIFY") => Cause::InvalidModify,
                    _ => Cause::Decode,
                };
                let needed = match (*name, word) {
                    ("hold_token", _) | ("modified_tool_args", _) => "",
                    (_, "STEP_UP") => r#","hold_token":"t""#,
                    (_, "MODIFY") => r#","modified_tool_args":{"q":"b"}"#,
                    _ => "",
                };
                let body = format!(r#"{{"decision":"{word}"{needed},"{name}":{value}}}"#);
                assert_eq!(refused(ok(&body)).cause, cause, "{body}");
            }
        }
    }
}

#[test]
fn only_a_billing_error_with_status_402_is_told_as_one() {
    let error = |kind: &str| {
        format!(r#"{{"error":{{"type":"{kind}","code":"ended","message":"plan over"}}}}"#)
    };
    let billing = refused(answer(402, &[JSON], &error("billing_error")));
    assert_eq!(billing.reason, "plan over");
    assert_eq!(
        billing.evidence.reason_code.as_deref(),
        Some("billing_ended")
    );
    for (status, kind) in [
        (429, "billing_error"),
        (401, "billing_error"),
        (402, "other"),
        (402, ""),
    ] {
        let refusal = refused(answer(status, &[JSON], &error(kind)));
        assert_eq!(
            refusal.reason,
            format!("the policy service answered with status {status}: plan over")
        );
        assert_eq!(refusal.evidence, Evidence::default(), "{status} {kind}");
    }
}

#[test]
fn a_bad_status_without_words_is_told_by_its_number() {
    let status = |status: u16| format!("the policy service answered with status {status}");
    let key = "check THOTH_API_KEY";
    for (number, body, reason) in [
        (400, "", status(400)),
        (400, r#"{"error":{"message":" \n "}}"#, status(400)),
        (400, r#"{"error":{"message":1}}"#, status(400)),
        (400, r#"{"error":"broken"}"#, status(400)),
        (401, "", format!("{}: {key}", status(401))),
        (403, "", format!("{}: {key}", status(403))),
        (402, r#"{"error":{"type":"billing_error"}}"#, status(402)),
    ] {
        let refusal = refused(answer(number, &[JSON], body));
        assert_eq!((refusal.cause, refusal.reason), (Cause::Status, reason));
        assert_eq!(refusal.evidence, Evidence::default());
    }
}

#[test]
fn a_fault_says_what_broke_without_control_characters() {
    for (detail, reason) in [
        ("", "the policy service is unreachable"),
        (" \n", "the policy service is unreachable"),
        (
            "no\u{1b}[2J route\n",
            "the policy service is unreachable: no [2J route",
        ),
    ] {
        let fault = Fault {
            kind: FaultKind::Unreachable,
            detail: detail.into(),
        };
        assert_eq!(refused(Err(fault)).reason, reason);
    }
}
