//! A hold whose time is up: asked about once more, it runs on an approval and else it is refused.

use thoth_core::{Cause, Config, FaultKind, Governor, Hold, Outcome};

use crate::support::*;

/// A hold with so much time left.
fn held_for(timeout_seconds: Option<u32>) -> Hold {
    Hold {
        timeout_seconds,
        ..hold()
    }
}

#[test]
fn a_hold_that_is_undecided_at_its_last_poll_has_expired() {
    for (row, answer) in [
        ("not resolved", ok(r#"{"resolved":false}"#)),
        ("held again", ok(r#"{"decision":"STEP_UP"}"#)),
        ("202", answer(202, &[], "")),
        ("429", answer(429, &[("retry-after", "3")], "")),
        ("503", answer(503, &[("retry-after", "3")], "")),
        ("unreachable", fault(FaultKind::Unreachable)),
        ("timeout", fault(FaultKind::Timeout)),
    ] {
        let mut fake = Fake::answering(answer);
        let outcome = governor().resume(&mut fake, &session(), &call(), &held_for(Some(0)));
        let Outcome::Refused(refusal) = outcome else {
            panic!("{row}: {outcome:?}")
        };
        assert_eq!(refusal.cause, Cause::Expired, "{row}");
        assert_eq!(refusal.reason, "nobody decided in time", "{row}");
        assert_eq!(refusal.retry_after_seconds, None, "{row}");
        assert_eq!(
            refusal.evidence.violation_id.as_deref(),
            Some("v1"),
            "{row}"
        );
        assert_eq!(fake.ran, [], "{row}: the tool ran");
        assert_eq!(fake.order, ["exchange", "append"], "{row}");
        assert_eq!(fake.event_types(), ["TOOL_CALL_BLOCK"], "{row}");
    }
}

#[test]
fn a_hold_with_time_left_is_only_pending() {
    for seconds in [None, Some(1), Some(u32::MAX)] {
        for answer in [
            ok(r#"{"resolved":false}"#),
            ok(r#"{"resolution":"STEP_UP"}"#),
            ok(r#"{"decision":"ALLOW","resolution":"REVIEW"}"#),
            answer(503, &[], ""),
        ] {
            let hold = held_for(seconds);
            let mut fake = Fake::answering(answer);
            let outcome = governor().resume(&mut fake, &session(), &call(), &hold);
            assert_eq!(outcome, Outcome::Pending(hold));
            assert_eq!(fake.order, ["exchange"]);
        }
    }
}

#[test]
fn an_answer_at_the_last_poll_counts_as_at_any_other() {
    let last = held_for(Some(0));
    let mut fake = Fake::answering(ok(r#"{"resolved":true,"resolution":"ALLOW"}"#));
    let outcome = governor().resume(&mut fake, &session(), &call(), &last);
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    assert_eq!(fake.ran, [("look".to_string(), ARGUMENTS.to_string())]);
    for (answer, cause, reason) in [
        (
            ok(r#"{"resolved":true,"resolution":"DENY","reason":"no"}"#),
            Cause::Denied,
            "no",
        ),
        (
            answer(404, &[], ""),
            Cause::InvalidHold,
            "the policy service does not know this hold",
        ),
        (
            answer(410, &[], ""),
            Cause::Expired,
            "the hold expired before anyone decided",
        ),
    ] {
        let mut fake = Fake::answering(answer);
        match governor().resume(&mut fake, &session(), &call(), &last) {
            Outcome::Refused(refusal) => {
                assert_eq!((refusal.cause, refusal.reason.as_str()), (cause, reason));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(fake.ran, []);
    }
}

#[test]
fn a_governor_without_a_configuration_refuses_a_held_call_and_asks_nobody() {
    let unconfigured = Governor::new(Config::from_vars([]));
    for hold in [hold(), held_for(Some(0))] {
        let mut fake = Fake::default();
        match unconfigured.resume(&mut fake, &session(), &call(), &hold) {
            Outcome::Refused(refusal) => assert_eq!(refusal.cause, Cause::Configuration),
            other => panic!("{other:?}"),
        }
        assert_eq!(fake.order, ["append"]);
    }
}
