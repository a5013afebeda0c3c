//! A call that is given up: it costs what it used.

use std::time::Duration;

use serde_json::{Value, json};
use thoth_host::toolbox::Toolbox;
use thoth_host::{Budget, Identity, Jail, Outcome, Runtime};
use thoth_tests::{Faultd, Mcp, Site, tool, tools};

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
