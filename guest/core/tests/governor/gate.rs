//! The two halves of a governed call: what lets a call run, what it leaves, and what is lost.

use std::time::Duration;

use serde_json::{Value, json};
use thoth_core::{Cause, Ended, FaultKind, Gate, Permit, Response, Ruling, Settings};

use crate::support::*;

const TOOL: &str = "look";
const GIVEN: &str = r#"{"q": "a", "n": 1.0}"#;

fn gate(more: &[(&str, &str)]) -> Gate {
    let vars = [
        ("THOTH_API_URL", "https://enforce.acme.example"),
        ("THOTH_API_KEY", "K"),
        ("THOTH_TENANT_ID", "acme"),
        ("THOTH_STEP_UP_WAIT", "1s"),
    ];
    let vars = vars.iter().chain(more);
    let vars = vars.map(|(name, value)| ((*name).into(), (*value).into()));
    Gate::new(Settings::from_vars(vars.collect(), "s-1".into()))
}

fn answering(answers: impl IntoIterator<Item = Result<Response, thoth_core::Fault>>) -> Fake {
    Fake {
        answers: answers.into_iter().collect(),
        ..Fake::default()
    }
}

fn allow() -> Result<Response, thoth_core::Fault> {
    ok(r#"{"decision":"ALLOW"}"#)
}

fn taken() -> Result<Response, thoth_core::Fault> {
    answer(202, &[], "")
}

fn check(gate: &mut Gate, fake: &mut Fake) -> Ruling {
    gate.close_abandoned(fake);
    gate.check(fake, TOOL, Ok(GIVEN))
}

fn run(ruling: Ruling) -> (u64, Permit) {
    match ruling {
        Ruling::Run(ticket, permit) => (ticket, permit),
        Ruling::Refuse(refused) => panic!("{}", refused.text),
    }
}

fn refusal(ruling: Ruling) -> Value {
    match ruling {
        Ruling::Refuse(refused) => serde_json::from_str(&refused.text).unwrap(),
        Ruling::Run(..) => panic!("it runs"),
    }
}

/// The events that were sent, request by request.
fn batches(fake: &Fake) -> Vec<Vec<Value>> {
    let events = |body: &Value| body["events"].as_array().unwrap().clone();
    fake.requests
        .iter()
        .filter(|request| request.path == "/v1/events/batch")
        .map(|request| events(&serde_json::from_str(request.body.as_deref().unwrap()).unwrap()))
        .collect()
}

fn types(fake: &Fake) -> Vec<Vec<String>> {
    let kind = |event: &Value| event["event_type"].as_str().unwrap().to_owned();
    let batches = batches(fake);
    let batches = batches.iter();
    batches
        .map(|batch| batch.iter().map(kind).collect())
        .collect()
}

#[test]
fn an_allowed_call_is_announced_before_it_runs_and_told_after() {
    let mut gate = gate(&[]);
    let mut fake = answering([allow(), taken(), taken()]);
    let (ticket, permit) = run(check(&mut gate, &mut fake));
    assert_eq!((permit.tool(), permit.arguments()), (TOOL, ARGUMENTS));
    assert!(!permit.is_modified());
    assert_eq!(types(&fake), [["TOOL_CALL_PRE"]]);
    gate.done(&mut fake, ticket, Ended::Completed("[1]".into()));
    assert_eq!(types(&fake)[1], ["TOOL_CALL_POST"]);
    let post = &batches(&fake)[1][0];
    assert_eq!(post["metadata"]["result_type"], "array");
    assert_eq!(post["metadata"].get("events_lost_total"), None);
    assert_eq!(post["session_id"], "s-1");
}

#[test]
fn a_session_remembers_what_ran() {
    let mut gate = gate(&[]);
    let mut fake = answering([allow(), taken(), taken(), allow(), taken()]);
    let (ticket, _) = run(check(&mut gate, &mut fake));
    gate.done(&mut fake, ticket, Ended::Failed("\"no\"".into()));
    let _ = run(check(&mut gate, &mut fake));
    let asked = fake.requests.iter().rfind(|r| r.path == "/v1/enforce");
    let asked: Value = serde_json::from_str(asked.unwrap().body.as_deref().unwrap()).unwrap();
    assert_eq!(asked["session_tool_calls"], json!(["look", "look"]));
    assert_eq!(
        batches(&fake)[1][0]["metadata"]["tool_failure_cause"],
        "tool_error"
    );
}

#[test]
fn a_blocked_call_is_refused_with_its_grounds() {
    let blocked = r#"{"decision":"BLOCK","reason":"not you","violation_id":"v1",
        "decision_reason_code":"scope"}"#;
    let mut fake = answering([ok(blocked), taken()]);
    assert_eq!(
        refusal(check(&mut gate(&[]), &mut fake)),
        json!({"outcome":"refused","cause":"policy","reason":"not you","violation_id":"v1",
            "reason_code":"scope"})
    );
    assert_eq!(types(&fake), [["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]]);
}

#[test]
fn a_deferred_call_says_when_to_come_back() {
    let deferred = r#"{"decision":"DEFER","defer_reason":"later","defer_timeout_seconds":12}"#;
    let mut fake = answering([ok(deferred), taken()]);
    assert_eq!(
        refusal(check(&mut gate(&[]), &mut fake)),
        json!({"outcome":"refused","cause":"deferred","reason":"later","retry_after_seconds":12})
    );
}

#[test]
fn an_outage_is_a_refusal_and_its_events_are_tried_again() {
    let mut gate = gate(&[]);
    let away = || fault(FaultKind::Unreachable);
    let mut fake = answering([away(), away(), away(), away()]);
    let told = refusal(check(&mut gate, &mut fake));
    assert_eq!(told["cause"], "unreachable");
    assert_eq!(types(&fake), [["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]; 3]);
    assert_eq!(
        fake.waits,
        [Duration::from_millis(100), Duration::from_millis(200)]
    );
    // What could not be told then is told with the next call.
    fake.answers = [allow(), taken()].into();
    let _ = run(check(&mut gate, &mut fake));
    assert_eq!(
        types(&fake)[3],
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK", "TOOL_CALL_PRE"]
    );
}

#[test]
fn events_that_are_refused_for_good_are_counted_and_the_count_is_told() {
    let mut gate = gate(&[]);
    let never = || answer(400, &[], "");
    let mut fake = answering([allow(), never(), taken()]);
    let (ticket, _) = run(check(&mut gate, &mut fake));
    gate.done(&mut fake, ticket, Ended::Completed("1".into()));
    assert_eq!(batches(&fake)[1][0]["metadata"]["events_lost_total"], 1);
}

#[test]
fn no_more_than_a_hundred_events_wait() {
    let mut gate = gate(&[]);
    for _ in 0..60 {
        let mut fake = answering([fault(FaultKind::Timeout), answer(403, &[], "")]);
        let _ = refusal(check(&mut gate, &mut fake));
    }
    let mut fake = answering([ok(r#"{"decision":"BLOCK"}"#)]);
    fake.answers.extend((0..10).map(|_| taken()));
    let _ = refusal(check(&mut gate, &mut fake));
    let batches = batches(&fake);
    assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 100);
    let last = &batches[9][9]["metadata"];
    assert_eq!(last["events_lost_total"], 21);
}

#[test]
fn where_events_are_required_a_call_runs_only_once_it_is_announced() {
    let require = [("THOTH_REQUIRE_EVENTS", "1")];
    let mut fake = answering([taken(), allow(), taken()]);
    let (ticket, _) = run(check(&mut gate(&require), &mut fake));
    assert_eq!(fake.requests[0].path, "/v1/events/batch");
    assert_eq!(fake.requests[1].path, "/v1/enforce");
    assert_eq!(ticket, 1);

    for broken in [answer(503, &[], ""), fault(FaultKind::Timeout)] {
        let mut fake = answering([broken.clone(), broken.clone(), broken]);
        let told = refusal(check(&mut gate(&require), &mut fake));
        assert_eq!(told["cause"], "not_recorded");
        assert!(fake.requests.iter().all(|r| r.path == "/v1/events/batch"));
    }
}

#[test]
fn modified_arguments_are_the_only_ones_that_may_run() {
    let modify = r#"{"decision":"MODIFY","modified_tool_args":{"q":"b"}}"#;
    let mut fake = answering([ok(modify), taken()]);
    let (_, permit) = run(check(&mut gate(&[]), &mut fake));
    assert!(permit.is_modified());
    assert_eq!(permit.arguments(), r#"{"q":"b"}"#);
}

#[test]
fn modified_arguments_that_do_not_fit_are_a_refusal() {
    let modify = r#"{"decision":"MODIFY","modified_tool_args":{"q":1},"violation_id":"v2"}"#;
    let mut gate = gate(&[]);
    let mut fake = answering([ok(modify), taken(), taken()]);
    let (ticket, _) = run(check(&mut gate, &mut fake));
    let told = refusal(Ruling::Refuse(gate.reject(
        &mut fake,
        ticket,
        "not a string",
    )));
    assert_eq!(told["cause"], "invalid_modify");
    assert_eq!(told["violation_id"], "v2");
    assert_eq!(types(&fake)[1], ["TOOL_CALL_BLOCK"]);
    // It is closed: neither half has anything more to say.
    let again = gate.reject(&mut fake, ticket, "again");
    assert_eq!(again.cause, Cause::GovernorFault);
    gate.done(&mut fake, ticket, Ended::Completed("1".into()));
    assert_eq!(types(&fake).len(), 2);
}

const HELD: &str = r#"{"decision":"STEP_UP","hold_token":"hold-7","reason":"risky",
    "approval_url":"https://acme.example/a"}"#;
const UNDECIDED: &str = r#"{"resolved":false,"resolution":null}"#;

#[test]
fn a_call_that_is_approved_in_time_runs() {
    let approved = ok(r#"{"resolved":true,"resolution":"ALLOW"}"#);
    let mut fake = answering([ok(HELD), ok(UNDECIDED), approved, taken()]);
    let (_, permit) = run(check(&mut gate(&[]), &mut fake));
    assert_eq!(permit.arguments(), ARGUMENTS);
    assert_eq!(
        fake.waits,
        [Duration::from_millis(250), Duration::from_millis(500)]
    );
    assert_eq!(types(&fake), [["TOOL_CALL_PRE"]]);
}

#[test]
fn a_call_that_nobody_approves_in_time_is_refused_with_its_token() {
    let mut fake = answering([ok(HELD)]);
    fake.answers.extend((0..4).map(|_| ok(UNDECIDED)));
    fake.answers.push_back(taken());
    let told = refusal(check(&mut gate(&[]), &mut fake));
    assert_eq!(
        told,
        json!({"outcome":"refused","cause":"expired","reason":"nobody decided in time",
            "hold_token":"hold-7","approval_url":"https://acme.example/a"})
    );
    assert!(fake.waits.iter().sum::<Duration>() <= Duration::from_secs(1));
    assert_eq!(types(&fake), [["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]]);
    assert!(fake.answers.is_empty());
}

#[test]
fn a_call_is_not_waited_for_longer_than_it_is_held() {
    let held = HELD.replace('{', r#"{"step_up_timeout_seconds":1,"#);
    let mut fake = answering([ok(&held)]);
    fake.answers.extend((0..4).map(|_| ok(UNDECIDED)));
    fake.answers.push_back(taken());
    let told = refusal(check(
        &mut gate(&[("THOTH_STEP_UP_WAIT", "10s")]),
        &mut fake,
    ));
    assert_eq!(told["cause"], "expired");
    assert!(fake.waits.iter().sum::<Duration>() <= Duration::from_secs(1));
    assert!(fake.answers.is_empty());
}

#[test]
fn a_call_that_must_not_wait_is_asked_about_once() {
    let mut fake = answering([ok(HELD), ok(UNDECIDED), taken()]);
    let told = refusal(check(&mut gate(&[("THOTH_STEP_UP_WAIT", "0s")]), &mut fake));
    assert_eq!(
        (&told["cause"], &told["hold_token"]),
        (&json!("expired"), &json!("hold-7"))
    );
    assert!(fake.waits.is_empty());
}

#[test]
fn a_denied_call_is_refused_with_its_token() {
    let denied = ok(r#"{"resolved":true,"resolution":"DENY","reason":"no"}"#);
    let mut fake = answering([ok(HELD), denied, taken()]);
    let told = refusal(check(&mut gate(&[]), &mut fake));
    assert_eq!(
        (&told["cause"], &told["reason"], &told["hold_token"]),
        (&json!("denied"), &json!("no"), &json!("hold-7"))
    );
}

#[test]
fn arguments_that_cannot_be_told_are_not_asked_about() {
    let mut fake = answering([taken()]);
    let ruling = gate(&[]).check(&mut fake, TOOL, Err("a list of 9 MB"));
    let told = refusal(ruling);
    assert_eq!(told["cause"], "invalid_arguments");
    assert!(told["reason"].as_str().unwrap().contains("a list of 9 MB"));
    assert_eq!(types(&fake), [["TOOL_CALL_BLOCK"]]);
}

#[test]
fn a_call_that_never_came_back_is_told_of_with_the_next() {
    let mut gate = gate(&[]);
    let mut fake = answering([allow(), taken(), taken(), allow(), taken()]);
    let (first, _) = run(check(&mut gate, &mut fake));
    let (second, _) = run(check(&mut gate, &mut fake));
    assert_ne!(first, second);
    let post = &batches(&fake)[1][0];
    assert_eq!(post["event_type"], "TOOL_CALL_POST");
    assert_eq!(post["metadata"]["tool_failure_cause"], "trap");
    assert_eq!(
        post["metadata"]["action_attestation_id"],
        batches(&fake)[0][0]["metadata"]["action_attestation_id"]
    );
    // Its ticket is gone.
    gate.done(&mut fake, first, Ended::Completed("1".into()));
    assert_eq!(types(&fake).len(), 3);
}

#[test]
fn results_beyond_the_limits_are_told_as_failures() {
    let mut gate = gate(&[]);
    let mut fake = answering([allow(), taken(), taken()]);
    let (ticket, _) = run(check(&mut gate, &mut fake));
    gate.done(&mut fake, ticket, Ended::Untold("9 MB".into()));
    let post = &batches(&fake)[1][0]["metadata"];
    assert_eq!(post["tool_failure_cause"], "limit_result");
}

#[test]
fn observe_mode_runs_whatever_the_answer_but_not_without_configuration() {
    let observe = [("THOTH_ENFORCEMENT_MODE", "observe")];
    let mut fake = answering([ok(r#"{"decision":"BLOCK"}"#), taken()]);
    let (_, permit) = run(check(&mut gate(&observe), &mut fake));
    assert_eq!(permit.arguments(), ARGUMENTS);

    let vars = vec![("THOTH_ENFORCEMENT_MODE".into(), "observe".into())];
    let mut unconfigured = Gate::new(Settings::from_vars(vars, "s".into()));
    let told = refusal(check(&mut unconfigured, &mut Fake::default()));
    assert_eq!(told["cause"], "configuration");
}

#[test]
fn a_bad_setting_refuses_every_call_and_is_named() {
    for (name, value, says) in [
        ("THOTH_API_URL", "", "THOTH_API_URL"),
        ("THOTH_API_URL", "http://enforce.acme.example", "https"),
        ("THOTH_API_URL", "http://127.0.0.1.acme.example", "https"),
        ("THOTH_API_URL", "http://10.0.0.1:80", "https"),
        ("THOTH_API_URL", "http://[2001:db8::1]", "https"),
        ("THOTH_FAIL_OPEN", "true", "fail-open"),
        ("THOTH_TIMEOUT", "5", "THOTH_TIMEOUT"),
        ("THOTH_STEP_UP_WAIT", "soon", "THOTH_STEP_UP_WAIT"),
        ("THOTH_STEP_UP_WAIT", "2h", "THOTH_STEP_UP_WAIT"),
        ("THOTH_BODY_TIMEOUT", "soon", "THOTH_BODY_TIMEOUT"),
        ("THOTH_BODY_TIMEOUT", "0s", "THOTH_BODY_TIMEOUT"),
        ("THOTH_BODY_TIMEOUT", "11m", "THOTH_BODY_TIMEOUT"),
        ("THOTH_REQUIRE_EVENTS", "maybe", "THOTH_REQUIRE_EVENTS"),
        ("THOTH_ENFORCEMENT_MODE", "shadow", "THOTH_ENFORCEMENT_MODE"),
        ("THOTH_ENFORCEMENT", "off", "THOTH_ENFORCEMENT"),
        ("THOTH_CAPTURE", "some", "THOTH_CAPTURE"),
        ("THOTH_TASK_CONTEXT_JSON", "{", "THOTH_TASK_CONTEXT_JSON"),
        ("THOTH_AUTH_CONTEXT_JSON", "[]", "THOTH_AUTH_CONTEXT_JSON"),
    ] {
        let mut fake = Fake::default();
        let mut vars = vec![(name.to_owned(), value.to_owned())];
        if name != "THOTH_API_URL" {
            vars.push((
                "THOTH_API_URL".into(),
                "https://enforce.acme.example".into(),
            ));
        }
        let mut gate = Gate::new(Settings::from_vars(vars, "s".into()));
        let told = refusal(check(&mut gate, &mut fake));
        assert_eq!(told["cause"], "configuration", "{name}={value}");
        let reason = told["reason"].as_str().unwrap();
        assert!(reason.contains(says), "{name}={value}: {reason}");
        assert!(fake.requests.is_empty());
    }
}

#[test]
fn plain_http_goes_to_this_machine() {
    for url in [
        "http://127.0.0.1:8080",
        "http://127.8.9.1",
        "http://localhost:1/x",
        "http://LOCALHOST",
        "http://[::1]:80",
    ] {
        let vars = vec![("THOTH_API_URL".to_owned(), url.to_owned())];
        assert!(Settings::from_vars(vars, "s".into()).is_ok(), "{url}");
    }
}

#[test]
fn the_identity_comes_from_the_variables_of_the_sdks() {
    let vars = [
        ("THOTH_API_URL", "https://e.example"),
        ("THOTH_TENANT_ID", " acme "),
        ("THOTH_AGENT_ID", "bot"),
        ("THOTH_USER_ID", "sam"),
        ("THOTH_SESSION_ID", "s-9"),
        ("THOTH_APPROVED_SCOPE", "look, touch,,"),
        ("THOTH_ENFORCEMENT_MODE", ""),
        ("THOTH_ENFORCEMENT", "progressive"),
        ("THOTH_ENVIRONMENT", "dev"),
        ("THOTH_ENFORCEMENT_TRACE_ID", "tr-9"),
        ("THOTH_SESSION_INTENT", "triage"),
        ("THOTH_PURPOSE", "ops"),
        ("THOTH_DATA_CLASSIFICATION", "internal"),
        ("THOTH_TASK_CONTEXT_JSON", r#"{"task_id":"T-1"}"#),
        ("THOTH_MODEL_NAME", "m"),
        ("THOTH_CAPTURE", "full"),
    ];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut gate = Gate::new(Settings::from_vars(vars.into(), "s-1".into()));
    let mut fake = answering([allow(), taken()]);
    let _ = run(check(&mut gate, &mut fake));
    let asked: Value = serde_json::from_str(fake.requests[0].body.as_deref().unwrap()).unwrap();
    for (member, value) in [
        ("tenant_id", json!("acme")),
        ("agent_id", json!("bot")),
        ("user_id", json!("sam")),
        ("session_id", json!("s-9")),
        ("approved_scope", json!(["look", "touch"])),
        ("enforcement_mode", json!("progressive")),
        ("environment", json!("dev")),
        ("enforcement_trace_id", json!("tr-9")),
        ("session_intent", json!("triage")),
        ("purpose", json!("ops")),
        ("data_classification", json!("internal")),
        ("task_context", json!({"task_id":"T-1"})),
        ("model_name", json!("m")),
    ] {
        assert_eq!(asked[member], value, "{member}");
    }
    assert_eq!(
        batches(&fake)[0][0]["metadata"]["telemetry_capture"],
        "full"
    );
}
