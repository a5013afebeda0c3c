//! How a server begins and ends, and what becomes of what is under way.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thoth_tests::{Faultd, Site, mcp::End, tool};

use super::scene::{SANG, by_policy, by_service, plain, thoth};

/// Waits until the service has got the event that a tool was stopped, and checks that it is.
fn stopped(service: &Faultd) {
    let is_end = |event: &&Value| event["event_type"] == "TOOL_CALL_POST";
    service.wait_until(|service| service.events().iter().any(|event| is_end(&event)));
    let events = service.events();
    let ends: Vec<&Value> = events.iter().filter(is_end).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(
        ends[0]["metadata"]["tool_failure_cause"], "cancelled",
        "{ends:?}"
    );
}

fn tarpit(client: &mut thoth_tests::Mcp) -> u64 {
    let params = json!({
        "name": "tarpit",
        "arguments": {"note": "x"},
        "_meta": {"progressToken": "t"},
    });
    let id = client.request("tools/call", params);
    client.find(|message| message["params"]["message"] == "running");
    id
}

fn ended(end: &End, begun: Instant) {
    assert_eq!(end.status.code(), Some(0), "{end:?}");
    assert_eq!(end.stderr, Vec::<String>::new(), "{end:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_cancelled_call_is_stopped_recorded_and_never_answered() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    let id = tarpit(&mut client);
    client.notify(
        "notifications/cancelled",
        json!({"requestId": id, "reason": "changed my mind"}),
    );
    stopped(&service);
    assert_eq!(client.tool("sing", json!({"note": "a"}))["isError"], false);
    assert!(client.seen(|message| message["id"] == id).is_empty());
    // The id is free again.
    client.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}));
    assert!(client.answer(id).get("result").is_some());
}

#[test]
fn a_client_that_goes_away_leaves_no_running_tool_and_no_lost_event() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    tarpit(&mut client);
    let begun = Instant::now();
    let end = client.end();
    ended(&end, begun);
    stopped(&service);
}

#[test]
fn a_server_that_is_told_to_stop_does() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    tarpit(&mut client);
    let begun = Instant::now();
    let id = client.id().to_string();
    let told = Command::new("kill").args(["-TERM", &id]).status();
    assert!(told.unwrap().success());
    stopped(&service);
    ended(&client.end(), begun);
}

#[test]
fn what_was_asked_before_the_end_is_answered() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    let id = client.request(
        "tools/call",
        json!({"name": "sing", "arguments": {"note": "last"}}),
    );
    client.close();
    let answer = client.answer(id);
    assert_eq!(
        answer["result"]["content"][0]["text"],
        format!("{SANG}last")
    );
    let begun = Instant::now();
    ended(&client.end(), begun);
    // Delivered before the process ended.
    assert_eq!(service.events().len(), 2);
}

#[test]
fn a_client_that_never_speaks_is_no_error() {
    let (thoth, service) = (thoth(), Faultd::start());
    let client = thoth_tests::Mcp::start(by_service(&thoth, &service));
    let begun = Instant::now();
    let end = client.end();
    ended(&end, begun);
    assert_eq!(end.stdout, Vec::<String>::new());
}

#[test]
fn progress_tells_what_is_happening_in_order() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    // Loaded, so that only the call is told of.
    client.call("tools/list", json!({}));
    tarpit(&mut client);
    let told = client.seen(|message| message["method"] == "notifications/progress");
    let told: Vec<&str> = told
        .iter()
        .map(|message| message["params"]["message"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["waiting for a decision"]);
    // Who has not asked for it is not told.
    let silent = client.request(
        "tools/call",
        json!({"name": "sing", "arguments": {"note": "a"}}),
    );
    client.answer(silent);
    let all = client.seen(|message| message["method"] == "notifications/progress");
    assert_eq!(all.len(), 1);
    assert_eq!(service.requests_to(Site::Enforce).len(), 2);
}

#[test]
fn what_cannot_be_served_is_one_line() {
    let (thoth, service) = (thoth(), Faultd::start());
    let text = thoth.file("notes.txt", "not a component");
    let serve = |component: &std::path::Path| {
        let serve = thoth.command("serve").arg(component);
        serve.args(["--enforcer-url", &service.url()])
    };
    // It fails while a client waits.
    let end = thoth_tests::Mcp::start(serve(&text));
    let (mut end, begun) = (end, Instant::now());
    let line = end.stderr_line(|line| line.starts_with("thoth:"));
    assert!(
        line.contains("notes.txt` is not a WebAssembly component: it is text"),
        "{line}"
    );
    assert!(begun.elapsed() < Duration::from_secs(60));
    let none = thoth
        .command("serve")
        .args(["--enforcer-url", &service.url()])
        .run();
    assert_eq!(
        none.error(2),
        "thoth: there is no component to serve: name components or folders, or list tools in thoth.toml"
    );
    std::fs::create_dir(thoth.path("empty")).unwrap();
    let empty = serve(&thoth.path("empty")).run();
    assert!(empty.error(2).contains("no *.wasm file"), "{empty}");
    let two = by_service(&thoth, &service).arg(tool("ledger"));
    let granted = two.args(["--allow-env", "LANG"]).run();
    assert!(
        granted
            .error(2)
            .contains("grants by flags are for one component"),
        "{granted}"
    );
    let public = by_service(&thoth, &service)
        .args(["--http", "0.0.0.0:0"])
        .run();
    assert!(
        public.error(2).contains("not a loopback address"),
        "{public}"
    );
}

#[test]
fn a_folder_is_served_and_no_name_is_offered_twice() {
    let (thoth, service) = (thoth(), Faultd::start());
    let folder = thoth.path("tools");
    std::fs::create_dir(&folder).unwrap();
    for name in ["canary", "exporter"] {
        std::fs::copy(tool(name), folder.join(format!("{name}.wasm"))).unwrap();
    }
    std::fs::write(folder.join("README.md"), "not a tool").unwrap();
    let serve = || {
        thoth
            .command("serve")
            .arg(&folder)
            .args(["--enforcer-url", &service.url()])
    };
    let mut client = plain(serve());
    let list = client.call("tools/list", json!({}));
    let names: Vec<&Value> = list["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert_eq!(names, ["export_text", "sing", "tarpit"]);
    drop(client);
    std::fs::copy(tool("canary"), folder.join("other.wasm")).unwrap();
    let mut client = thoth_tests::Mcp::start(serve());
    let line = client.stderr_line(|line| line.starts_with("thoth:"));
    assert!(
        line.contains("both offer a tool `sing`: serve them apart"),
        "{line}"
    );
}

#[test]
fn nothing_but_the_protocol_is_on_stdout_even_when_everything_is_logged() {
    let thoth = thoth();
    let serve = by_policy(&thoth, &["docs-search"]).arg("-v");
    let mut client = plain(serve);
    client.tool("search_docs", json!({"query": "a secret query"}));
    let end = client.end();
    assert_eq!(end.stdout, Vec::<String>::new());
    let log = end.stderr.join("\n");
    assert!(!log.contains("a secret query"), "{log}");
}
