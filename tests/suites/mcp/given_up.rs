//! A call that is given up: what the log says of it, and that it costs what it used.

use std::time::Duration;

use serde_json::{Value, json};
use thoth_host::toolbox::Toolbox;
use thoth_host::{Budget, Identity, Jail, Outcome, Runtime};
use thoth_tests::faultd::{Reply, Step};
use thoth_tests::{Answer, Faultd, Mcp, Site, thoth::Invocation, tool, tools};

use super::scene::{by_service, plain, report, thoth};

/// Starts the tool that does not end, and cancels it while it runs.
fn cancelled(client: &mut Mcp) {
    let params = json!({
        "name": "tarpit", "arguments": {"note": "x"}, "_meta": {"progressToken": "t"},
    });
    let id = client.request("tools/call", params);
    client.find(|message| message["params"]["message"] == "running");
    client.notify("notifications/cancelled", json!({"requestId": id}));
}

/// The last event of the only call.
fn last_event(service: &Faultd) -> Value {
    let is_last = |event: &&Value| event["event_type"] != "TOOL_CALL_PRE";
    service.wait_until(|service| service.events().iter().any(|event| is_last(&event)));
    let events = service.events();
    let last: Vec<&Value> = events.iter().filter(is_last).collect();
    assert_eq!(last.len(), 1, "{last:?}");
    last[0].clone()
}

#[test]
fn a_hold_that_nobody_came_back_to_in_time_has_an_end_in_the_log() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::step_up("h1").with("step_up_timeout_seconds", 1));
    service.hold(Answer::unresolved("h1"));
    let mut client = plain(by_service(&thoth, &service));
    let held = report(&client.tool("sing", json!({"note": "a"})));
    assert_eq!(held["outcome"], "pending", "{held}");
    // Its time passes while nobody asks.
    std::thread::sleep(Duration::from_millis(1_200));
    service.enforce(Answer::allow());
    assert_eq!(client.tool("sing", json!({"note": "a"}))["isError"], false);
    let is_its = |event: &Value| event["metadata"]["action_attestation_id"] == held["call_id"];
    let is_end = |event: &Value| is_its(event) && event["event_type"] == "TOOL_CALL_BLOCK";
    service.wait_until(|service| service.events().iter().any(is_end));
    let events = service.events();
    let ends: Vec<&Value> = events.iter().filter(|event| is_end(event)).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(ends[0]["metadata"]["decision_reason_code"], "expired");
}

/// The metadata of the event of a tool that was stopped while it ran.
fn stopped(serve: Invocation, service: &Faultd) -> Value {
    let mut client = plain(serve);
    cancelled(&mut client);
    let event = last_event(service);
    assert_eq!(event["event_type"], "TOOL_CALL_POST", "{event}");
    let metadata = event["metadata"].clone();
    assert_eq!(metadata["tool_failure_cause"], "cancelled", "{metadata}");
    let ran = metadata["usage"]["wall_us"].as_u64().unwrap();
    let took = metadata["duration_ms"].as_u64().unwrap();
    assert!(ran > 0 && took >= ran / 1_000, "{metadata}");
    metadata
}

#[test]
fn a_call_that_was_allowed_and_given_up_is_recorded_as_allowed() {
    let (thoth, service) = (thoth(), Faultd::start());
    let metadata = stopped(by_service(&thoth, &service), &service);
    assert_eq!(metadata["authorization_decision"], "ALLOW");
    assert_eq!(metadata.get("decision_reason_code"), None);
}

#[test]
fn a_call_that_was_modified_and_given_up_is_recorded_as_modified() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::modify(json!({"note": "y"})));
    let metadata = stopped(by_service(&thoth, &service), &service);
    assert_eq!(metadata["authorization_decision"], "MODIFY");
}

#[test]
fn a_call_that_ran_whatever_the_answer_is_not_said_to_be_allowed() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::block("no"));
    let serve = by_service(&thoth, &service).args(["--mode", "observe"]);
    let metadata = stopped(serve, &service);
    assert_eq!(metadata.get("authorization_decision"), None, "{metadata}");
    assert_eq!(metadata.get("decision_reason_code"), None, "{metadata}");
}

#[test]
fn a_call_that_is_given_up_before_the_answer_is_a_block() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Reply::Steps(vec![Step::Hold]));
    let mut client = plain(by_service(&thoth, &service));
    let params = json!({"name": "tarpit", "arguments": {"note": "x"}});
    let id = client.request("tools/call", params);
    service.wait_for(Site::Enforce, 1);
    client.notify("notifications/cancelled", json!({"requestId": id}));
    let event = last_event(&service);
    assert_eq!(event["event_type"], "TOOL_CALL_BLOCK", "{event}");
    assert_eq!(event["metadata"]["authorization_decision"], "BLOCK");
}

#[test]
fn calls_that_are_given_up_use_up_the_time_of_a_session_and_stand_in_its_history() {
    let (thoth, service) = (thoth(), Faultd::start());
    let serve = by_service(&thoth, &service).args(["--session-time", "20ms"]);
    let mut client = plain(serve);
    cancelled(&mut client);
    service.wait_until(|service| service.events().len() == 2);
    let mut refused = Value::Null;
    // One of them may take less than that.
    for _ in 0..1_000 {
        let params = json!({
            "name": "tarpit", "arguments": {"note": "x"}, "_meta": {"progressToken": "t"},
        });
        let id = client.request("tools/call", params);
        let next =
            client.find(|message| message["params"]["message"] == "running" || message["id"] == id);
        if next["id"] == id {
            refused = report(&next["result"]);
            break;
        }
        let asked = service.requests_to(Site::Enforce);
        let told = &asked.last().unwrap().json()["session_tool_calls"];
        assert_eq!(told[0], "tarpit", "{told}");
        client.notify("notifications/cancelled", json!({"requestId": id}));
    }
    assert_eq!(refused["cause"], "budget", "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_in_a_loop_uses_up_the_fuel_of_its_session() {
    let state = tempfile::tempdir().unwrap();
    let policy = state.path().join("all.cedar");
    std::fs::write(&policy, "permit (principal, action, resource);").unwrap();
    let runtime = Runtime::builder()
        .policy_file(policy)
        .compiler(Jail::InProcess)
        .cache_dir(tools::scratch().join("cache"))
        .state_dir(state.path())
        .build()
        .await
        .unwrap();
    let toolbox = Toolbox::new(Default::default());
    let hostile = toolbox.component(&runtime, &tool("hostile")).await.unwrap();
    let budget = Budget {
        fuel: Some(10_000_000),
        ..Budget::default()
    };
    let session = runtime
        .session(Identity::new("acme", "bot"))
        .with_budget(budget);
    // On a busy machine it may get nowhere in one of them.
    for patience in 1..=20 {
        let call = session.call(&hostile, "loops_forever", "{}");
        let patience = Duration::from_millis(100 * patience);
        let Ok(call) = tokio::time::timeout(patience, call).await else {
            continue;
        };
        let outcome = call.unwrap().outcome;
        let Outcome::Refused(refusal) = &outcome else {
            panic!("{outcome:?}");
        };
        assert!(
            refusal.reason.contains("10000000 units of fuel"),
            "{refusal:?}"
        );
        assert!(!session.history().is_empty());
        return;
    }
    panic!("no call was refused");
}
