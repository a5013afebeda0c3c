//! The portable governor as a component, in a host that never heard of Thoth: it asks a real policy
//! service, keeps its own deadline and cap, and lets nothing run on anything but an allow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "matrix/mod.rs"]
mod matrix;
#[path = "portable/plain_host.rs"]
mod plain_host;

use std::time::{Duration, Instant};

use plain_host::{Ended, Instance, Ruling};
use serde_json::{Value, json};
use thoth_tests::{Answer, Faultd, Refused, Reply, Site};

const GIVEN: &str = r#"{"note":"hello"}"#;
/// The tool of faulted calls, as the rows know it.
const FAULTED: &str = "tarpit";
/// The deadline of calls that wait for it.
const SHORT: Duration = Duration::from_millis(700);
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(3);

async fn instance(url: &str, more: &[(&str, &str)]) -> Instance {
    let vars = [
        ("THOTH_API_URL", url),
        ("THOTH_API_KEY", "thoth_test_k"),
        ("THOTH_TENANT_ID", "acme"),
        ("THOTH_AGENT_ID", "bot"),
        ("THOTH_SESSION_ID", "s-1"),
        ("THOTH_TIMEOUT", "20s"),
    ];
    Instance::start(&[&vars, more].concat()).await
}

fn refusal(ruling: Ruling) -> Value {
    match ruling {
        Ruling::Refuse(why) => serde_json::from_str(&why).unwrap(),
        other => panic!("it may run: {other:?}"),
    }
}

#[tokio::test]
async fn an_allowed_call_is_asked_about_and_told_of() {
    let service = Faultd::start();
    let mut governor = instance(&service.url(), &[]).await;
    let Ruling::Allow(ticket) = governor.check("sing", Ok(GIVEN)).await else {
        panic!("not allowed");
    };
    let asked = service.enforce_body();
    assert_eq!(asked["tool_name"], "sing");
    assert_eq!(asked["tool_args"], json!({"note":"hello"}));
    assert_eq!(asked["agent_id"], "bot");
    let request = &service.requests_to(Site::Enforce)[0];
    assert_eq!(request.header("x-api-key"), Some("thoth_test_k"));
    governor
        .done(ticket, &Ended::Completed("\"la\"".into()))
        .await;
    assert_eq!(
        service.event_types("s-1"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
}

#[tokio::test]
async fn a_blocked_call_is_refused_with_its_grounds() {
    let service = Faultd::start();
    service.enforce(Answer::block("not you").with("violation_id", "v1"));
    let mut governor = instance(&service.url(), &[]).await;
    assert_eq!(
        refusal(governor.check("sing", Ok(GIVEN)).await),
        json!({"outcome":"refused","cause":"policy","reason":"not you","violation_id":"v1"})
    );
    assert_eq!(
        service.event_types("s-1"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
    );
}

#[tokio::test]
async fn modified_arguments_come_back_in_place_of_the_callers() {
    let service = Faultd::start();
    service.enforce(Answer::modify(json!({"note":"hush"})));
    let mut governor = instance(&service.url(), &[]).await;
    let Ruling::Modify(modified) = governor.check("sing", Ok(GIVEN)).await else {
        panic!("not modified");
    };
    assert_eq!(modified.arguments, r#"{"note":"hush"}"#);
    let told = governor
        .reject(modified.ticket, "`note` is too short")
        .await;
    assert!(told.contains("invalid_modify"), "{told}");
    assert_eq!(
        service.event_types("s-1"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
    );
}

#[tokio::test]
async fn a_call_waits_for_a_human_no_longer_than_it_may() {
    let service = Faultd::start();
    service.enforce(Answer::step_up("hold-7"));
    service.next(Site::Hold, Answer::unresolved("hold-7"));
    service.next(Site::Hold, Answer::resolved("hold-7", "ALLOW"));
    let mut governor = instance(&service.url(), &[("THOTH_STEP_UP_WAIT", "1s")]).await;
    let ruling = governor.check("sing", Ok(GIVEN)).await;
    assert!(matches!(ruling, Ruling::Allow(_)), "{ruling:?}");

    service.hold(Answer::unresolved("hold-7"));
    let told = refusal(governor.check("sing", Ok(GIVEN)).await);
    assert_eq!(
        (&told["cause"], &told["hold_token"]),
        (&json!("expired"), &json!("hold-7"))
    );
}

#[tokio::test]
async fn a_missing_service_is_a_refusal() {
    let missing = Refused::take();
    let mut governor = instance(&missing.url(), &[]).await;
    let told = refusal(governor.check("sing", Ok(GIVEN)).await);
    assert_eq!(told["cause"], "unreachable");
    // Once it is there, it hears of the call that nobody asked it about.
    let service = missing.listen();
    let ruling = governor.check("sing", Ok(GIVEN)).await;
    assert!(matches!(ruling, Ruling::Allow(_)), "{ruling:?}");
    assert_eq!(
        service.event_types("s-1"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK", "TOOL_CALL_PRE"]
    );
}

#[tokio::test]
async fn without_configuration_nothing_runs() {
    let mut governor = Instance::start(&[]).await;
    let told = refusal(governor.check("sing", Ok(GIVEN)).await);
    assert_eq!(told["cause"], "configuration");
    assert!(told["reason"].as_str().unwrap().contains("THOTH_API_URL"));
}

#[tokio::test]
async fn an_answer_that_drips_ends_at_the_deadline() {
    let service = Faultd::start();
    let row = matrix::replies()
        .into_iter()
        .find(|row| row.name().contains("slow body"))
        .expect("a row with a slow body");
    service.enforce(row.reply);
    let mut governor = instance(&service.url(), &[("THOTH_TIMEOUT", "700ms")]).await;
    let started = Instant::now();
    let told = refusal(governor.check("sing", Ok(GIVEN)).await);
    assert_eq!(told["cause"], "timeout");
    assert!(started.elapsed() < SHORT + SLACK, "{:?}", started.elapsed());
}

/// The cause of a refusal, after the check of modified arguments that whoever runs the tool makes.
/// None where the call may run.
async fn cause(governor: &mut Instance) -> Option<String> {
    let ruling = governor.check(FAULTED, Ok(GIVEN)).await;
    let told = match ruling {
        Ruling::Allow(_) => return None,
        Ruling::Modify(modified) => {
            let arguments: Value = serde_json::from_str(&modified.arguments).unwrap();
            let fit = arguments.as_object().unwrap().len() == 1 && arguments["note"].is_string();
            if fit {
                return None;
            }
            let why = "`note` is the one parameter, and a string";
            governor.reject(modified.ticket, why).await
        }
        Ruling::Refuse(told) => told,
    };
    let told: Value = serde_json::from_str(&told).unwrap();
    Some(told["cause"].as_str().unwrap().to_owned())
}

/// A row that a plain host decides about: of a length and chunks in one answer it takes the chunks, as
/// RFC 9112 allows, and does not show that there were any. That the length is theirs, the governor sees.
fn is_hidden(row: &matrix::Row) -> bool {
    row.name().contains("length and chunks")
}

#[tokio::test]
async fn no_faulty_decision_lets_a_call_run() {
    let service = Faultd::start();
    let mut long = instance(&service.url(), &[]).await;
    let mut short = instance(&service.url(), &[("THOTH_TIMEOUT", "700ms")]).await;
    let mut failures = Vec::new();
    for row in matrix::replies() {
        service.enforce(row.reply.clone());
        let governor = if row.causes.contains(&"timeout") {
            &mut short
        } else {
            &mut long
        };
        let cause = cause(governor).await;
        let as_told = cause
            .as_deref()
            .is_some_and(|cause| row.causes.contains(&cause));
        if !as_told && !is_hidden(&row) {
            failures.push(format!("{}: {cause:?}", row.name()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn no_faulty_resolution_lets_a_call_run() {
    let service = Faultd::start();
    service.enforce(Answer::step_up("hold-7"));
    let vars = [("THOTH_STEP_UP_WAIT", "0s"), ("THOTH_TIMEOUT", "700ms")];
    let mut governor = instance(&service.url(), &vars).await;
    let rows = matrix::replies()
        .into_iter()
        .filter(|row| !row.hold_causes.is_empty())
        .chain(matrix::resolutions());
    let mut failures = Vec::new();
    for row in rows {
        service.hold(row.reply.clone());
        // Where nobody has decided, the last question says so. Whether a connection that ended was
        // one to a service that is away, this host does not tell.
        let undecided = row.hold_causes == matrix::UNDECIDED || row.causes.contains(&"timeout");
        let cause = cause(&mut governor).await;
        let as_told = cause.as_deref().is_some_and(|cause| {
            row.hold_causes.contains(&cause)
                || (undecided && (cause == "expired" || row.causes.contains(&cause)))
        });
        if !as_told && !is_hidden(&row) {
            failures.push(format!("{}: {cause:?}", row.name()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn what_is_odd_but_clear_is_an_allow() {
    let service = Faultd::start();
    let mut governor = instance(&service.url(), &[]).await;
    for row in matrix::allowed() {
        service.enforce(row.reply.clone());
        assert_eq!(cause(&mut governor).await, None, "{}", row.name());
    }
}

#[tokio::test]
async fn where_events_are_required_a_call_that_cannot_be_announced_does_not_run() {
    let service = Faultd::start();
    service.always(Site::Events, Reply::json(503, "{}"));
    let mut governor = instance(&service.url(), &[("THOTH_REQUIRE_EVENTS", "1")]).await;
    let told = refusal(governor.check("sing", Ok(GIVEN)).await);
    assert_eq!(told["cause"], "not_recorded");
    assert!(service.requests_to(Site::Enforce).is_empty());
}

#[tokio::test]
async fn a_call_that_never_came_back_is_told_of_with_the_next() {
    let service = Faultd::start();
    let mut governor = instance(&service.url(), &[]).await;
    let first = governor.check("sing", Ok(GIVEN)).await;
    assert!(matches!(first, Ruling::Allow(_)), "{first:?}");
    let second = governor.check("sing", Ok(GIVEN)).await;
    assert!(matches!(second, Ruling::Allow(_)), "{second:?}");
    assert_eq!(
        service.event_types("s-1"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST", "TOOL_CALL_PRE"]
    );
    assert_eq!(
        service.events()[1]["metadata"]["tool_failure_cause"],
        "trap"
    );
}
