//! A client's session: what it may use, and that the log has its end.

use serde_json::{Value, json};
use thoth_tests::{Faultd, Site, Thoth};

use super::http::{Served, session, sing_in, sing_without_session};
use super::scene::{by_service, plain, report, thoth};

/// The session of each record of this kind, as the log has them.
fn logged(thoth: &Thoth, kind: &str) -> Vec<String> {
    let run = thoth.bare().args(["log", "export", "--state-dir"]);
    let run = run.arg(thoth.state_dir()).run();
    let records = run.assert_code(0).stdout.lines();
    let records = records.map(|line| serde_json::from_str::<Value>(line).unwrap());
    records
        .filter(|record| record["event_type"] == kind)
        .map(|record| record["session_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_call_beyond_the_budget_is_refused_with_its_cause_and_nobody_is_asked() {
    let (thoth, service) = (thoth(), Faultd::start());
    let config = thoth.file("thoth.toml", "session = { calls = 2 }\n");
    let serve = by_service(&thoth, &service).arg("--config").arg(config);
    let mut client = plain(serve);
    for _ in 0..2 {
        assert_eq!(client.tool("sing", json!({"note": "a"}))["isError"], false);
    }
    let report = report(&client.tool("sing", json!({"note": "a"})));
    assert_eq!(report["cause"], "budget");
    assert!(
        report["reason"]
            .as_str()
            .unwrap()
            .contains("budget of 2 calls is used up"),
        "{report}"
    );
    assert_eq!(service.requests_to(Site::Enforce).len(), 2);
}

#[test]
fn time_and_fuel_are_counted_and_a_flag_counts_before_the_configuration() {
    let (thoth, service) = (thoth(), Faultd::start());
    let config = thoth.file("thoth.toml", "session = { calls = 1 }\n");
    for (flag, value, reason) in [
        ("--session-fuel", "1", "1 units of fuel"),
        ("--session-time", "1ms", "1ms for running tools"),
    ] {
        let serve = by_service(&thoth, &service).arg("--config").arg(&config);
        let mut client = plain(serve.args(["--session-calls", "1000", flag, value]));
        let mut refused = Value::Null;
        // One call may use less than a millisecond.
        for _ in 0..100 {
            let result = client.tool("sing", json!({"note": "a"}));
            if result["isError"] == true {
                refused = report(&result);
                break;
            }
        }
        assert_eq!(refused["cause"], "budget", "{flag}: {refused}");
        let said = refused["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{flag}: {said}");
    }
}

#[test]
fn each_session_over_http_has_a_budget_of_its_own() {
    let (thoth, service) = (thoth(), Faultd::start());
    let served = Served::with(&thoth, &service, &["--session-calls", "1"]);
    let cause = |answer: &Value| answer["result"]["_meta"]["thoth/outcome"]["cause"].clone();
    for _ in 0..2 {
        let session = session(&served);
        assert_eq!(cause(&sing_in(&served, &session)), Value::Null);
        assert_eq!(cause(&sing_in(&served, &session)), "budget");
    }
    // Requests of 2026-07-28 share one.
    assert_eq!(cause(&sing_without_session(&served, "a")), Value::Null);
    assert_eq!(cause(&sing_without_session(&served, "b")), "budget");
}

#[test]
fn the_log_has_the_end_of_a_session_when_its_client_goes_away() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service).args(["--session-id", "s-1"]));
    client.tool("sing", json!({"note": "a"}));
    let _end = client.end();
    assert_eq!(logged(&thoth, "SESSION_END"), ["s-1"]);
    // One that never called never began.
    let client = plain(by_service(&thoth, &service).args(["--session-id", "s-2"]));
    let _end = client.end();
    assert_eq!(logged(&thoth, "SESSION_END"), ["s-1"]);
}

#[test]
fn the_log_has_the_end_of_a_session_that_is_closed_and_of_all_when_the_server_stops() {
    let (thoth, service) = (thoth(), Faultd::start());
    let served = Served::start(&thoth, &service);
    let (closed, open) = (session(&served), session(&served));
    sing_in(&served, &closed);
    assert_eq!(served.close(&closed), 202);
    // It is recorded after the answer: the log is asked until it is.
    let begun = std::time::Instant::now();
    while logged(&thoth, "SESSION_END").is_empty() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60));
    }
    sing_in(&served, &open);
    sing_without_session(&served, "a");
    served.stop();
    let (mut begun, mut ended) = (
        logged(&thoth, "SESSION_START"),
        logged(&thoth, "SESSION_END"),
    );
    assert_eq!(ended[0], begun[0]);
    begun.sort();
    ended.sort();
    assert_eq!(begun, ended);
    assert_eq!(ended.len(), 3);
}

/// The event that a tool was stopped.
fn stopped(service: &Faultd) -> Value {
    let is_end = |event: &Value| event["metadata"]["tool_failure_cause"] == "cancelled";
    service.wait_until(|service| service.events().iter().any(is_end));
    service.events().into_iter().find(is_end).unwrap()
}

#[test]
fn a_session_that_is_closed_stops_what_it_runs_at_once() {
    let (thoth, service) = (thoth(), Faultd::start());
    let served = Served::start(&thoth, &service);
    let session = session(&served);
    let begun = std::time::Instant::now();
    let _reading = served.tarpit(&session, 6);
    assert_eq!(served.close(&session), 202);
    let until = begun.elapsed();
    let took = stopped(&service)["metadata"]["duration_ms"]
        .as_u64()
        .unwrap();
    let took = std::time::Duration::from_millis(took);
    // What is under way has five seconds where nobody stops it.
    assert!(took < until + std::time::Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_client_that_leaves_something_unread_and_goes_away_leaves_no_running_tool() {
    for more in ["", "x"] {
        let (thoth, service) = (thoth(), Faultd::start());
        let served = Served::start(&thoth, &service);
        let begun = std::time::Instant::now();
        drop(served.tarpit_and(more));
        let until = begun.elapsed();
        let took = stopped(&service)["metadata"]["duration_ms"].as_u64();
        let took = std::time::Duration::from_millis(took.unwrap());
        // It would be noticed where the next progress is told, after ten seconds.
        assert!(took < until + std::time::Duration::from_secs(6), "{took:?}");
    }
}

#[test]
fn an_id_that_is_under_way_is_not_taken_again_over_http() {
    let (thoth, service) = (thoth(), Faultd::start());
    let served = Served::start(&thoth, &service);
    let session = session(&served);
    // Under way is what runs, whether or not its client still waits.
    drop(served.tarpit(&session, 6));
    let sing = json!({
        "jsonrpc": "2.0", "id": 6, "method": "tools/call",
        "params": {"name": "sing", "arguments": {"note": "b"}},
    });
    let error = served.send(&session, &sing).json(400)["error"].clone();
    assert_eq!(error["message"], "a request with this id is under way");
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 6},
    });
    assert_eq!(served.send(&session, &cancel).status, 202);
    stopped(&service);
    // The id is free again, as soon as that has come to its end.
    let begun = std::time::Instant::now();
    while served.send(&session, &sing).status != 200 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60));
    }
}

#[test]
fn the_end_of_a_session_is_after_the_end_of_what_it_had_under_way() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    let params = json!({
        "name": "tarpit", "arguments": {"note": "x"}, "_meta": {"progressToken": "t"},
    });
    client.request("tools/call", params);
    client.find(|message| message["params"]["message"] == "running");
    let _end = client.end();
    let run = thoth.bare().args(["log", "export", "--state-dir"]);
    let run = run.arg(thoth.state_dir()).run();
    let kinds: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event_type"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "SESSION_START",
            "TOOL_CALL_PRE",
            "TOOL_CALL_POST",
            "SESSION_END"
        ]
    );
}
