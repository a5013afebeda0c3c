//! How a server begins and ends, and what becomes of what is under way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
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
fn a_server_that_is_told_to_stop_or_loses_its_terminal_does() {
    // Tests that run under `nohup` hand that down: see below.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find(|line| line.starts_with("SigIgn:"));
    let is_bound =
        ignored.is_some_and(|mask| !mask.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']));
    for signal in ["-TERM", "-HUP"] {
        if signal == "-HUP" && !is_bound {
            continue;
        }
        let (thoth, service) = (thoth(), Faultd::start());
        let mut client = plain(by_service(&thoth, &service));
        tarpit(&mut client);
        let begun = Instant::now();
        let id = client.id().to_string();
        let told = Command::new("kill").args([signal, &id]).status();
        assert!(told.unwrap().success());
        stopped(&service);
        ended(&client.end(), begun);
        let ends = service.session_events();
        let ends = ends
            .iter()
            .filter(|event| event["tool_name"] == "session_end");
        assert_eq!(ends.count(), 1, "{signal}");
    }
}

#[test]
fn a_server_that_is_to_outlive_its_terminal_does() {
    let (thoth, service) = (thoth(), Faultd::start());
    let serve = by_service(&thoth, &service).into_command();
    // As `nohup` does it.
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    ignoring.arg(serve.get_program()).args(serve.get_args());
    ignoring.env_clear();
    for (name, value) in serve.get_envs() {
        if let Some(value) = value {
            ignoring.env(name, value);
        }
    }
    let piped = ignoring.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = piped.stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = server.stdin.take().unwrap();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    let mut asked = |id: u32| {
        writeln!(stdin, "{}", json!({"jsonrpc": "2.0", "id": id, "method": "server/discover", "params": {"_meta": thoth_tests::mcp::meta(&json!({}))}})).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        line
    };
    assert!(asked(1).contains("2026-07-28"));
    let told = Command::new("kill")
        .args(["-HUP", &server.id().to_string()])
        .status();
    assert!(told.unwrap().success());
    assert!(asked(2).contains("2026-07-28"));
    drop(stdin);
    assert!(server.wait().unwrap().success());
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
fn a_client_that_reads_nothing_cannot_keep_the_server() {
    let (thoth, service) = (thoth(), Faultd::start());
    let serve = thoth.command("serve").arg(tool("hostile"));
    let mut command = serve
        .args(["--enforcer-url", &service.url()])
        .into_command();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut server = command.spawn().unwrap();
    let mut stdin = server.stdin.take().unwrap();
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello});
    writeln!(stdin, "{hello}").unwrap();
    // More than any pipe holds.
    for id in 1..20 {
        let params = json!({"name": "returns", "arguments": {"text": "x".repeat(100_000)}});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        writeln!(stdin, "{call}").unwrap();
    }
    service.wait_for(Site::Enforce, 19);
    drop(stdin);
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_client_that_does_not_read_what_is_said_beside_is_served_and_can_stop_the_server() {
    let thoth = thoth();
    let mut command = by_policy(&thoth, &["docs-search"]).arg("-v").into_command();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut server = command.spawn().unwrap();
    let mut stdin = server.stdin.take().unwrap();
    let mut answers = BufReader::new(server.stdout.take().unwrap()).lines();
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello});
    writeln!(stdin, "{hello}").unwrap();
    assert!(answers.next().unwrap().unwrap().contains("serverInfo"));
    for id in 1..300 {
        let params = json!({"name": "search_docs", "arguments": {"query": "leave"}});
        let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
        writeln!(stdin, "{call}").unwrap();
        assert!(
            answers
                .next()
                .unwrap()
                .unwrap()
                .contains("structuredContent")
        );
    }
    let id = server.id().to_string();
    let told = Command::new("kill").args(["-TERM", &id]).status();
    assert!(told.unwrap().success());
    assert!(server.wait().unwrap().success());
    let mut said = Vec::new();
    server
        .stderr
        .take()
        .unwrap()
        .read_to_end(&mut said)
        .unwrap();
    // What did not fit in the pipe was not waited for.
    assert!(said.len() >= 60_000, "only {} bytes were said", said.len());
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
        line.contains("notes` is not a WebAssembly component: it is text"),
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
    let mut empty = thoth_tests::Mcp::start(serve(&thoth.path("empty")));
    empty.stderr_line(|line| line == "thoth: there is no tool in what is to be served");
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
    assert_eq!(names(&mut client), ["export_text", "sing", "tarpit"]);
    // What comes and goes is told, and a name that two components use is offered by neither.
    std::fs::copy(tool("canary"), folder.join("other.new")).unwrap();
    std::fs::rename(folder.join("other.new"), folder.join("other.wasm")).unwrap();
    client.find(|message| message["method"] == "notifications/tools/list_changed");
    let line = client.stderr_line(|line| line.contains("`sing`"));
    assert!(line.contains("canary") && line.contains("other"), "{line}");
    assert_eq!(names(&mut client), ["export_text"]);
    std::fs::remove_file(folder.join("other.wasm")).unwrap();
    client.find(|message| message["method"] == "notifications/tools/list_changed");
    assert_eq!(names(&mut client), ["export_text", "sing", "tarpit"]);
}

fn names(client: &mut thoth_tests::Mcp) -> Vec<String> {
    let list = client.call("tools/list", json!({}));
    let tools = list["result"]["tools"].as_array().unwrap();
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
    tools.iter().map(name).collect()
}

#[test]
fn what_is_not_what_was_locked_is_not_served() {
    let (thoth, service) = (thoth(), Faultd::start());
    let component = thoth.path("tool.wasm");
    std::fs::copy(tool("canary"), &component).unwrap();
    let config = thoth.file("thoth.toml", "[tools.canary]\ncomponent = \"tool.wasm\"\n");
    let lock = thoth.bare().arg("lock").arg("--config").arg(&config).run();
    lock.assert_code(0);
    let serve = || {
        let serve = thoth.command("serve").arg("--config").arg(&config);
        serve.args(["--enforcer-url", &service.url()])
    };
    let mut client = plain(serve());
    assert_eq!(client.tool("sing", json!({"note": "a"}))["isError"], false);
    drop(client);
    std::fs::copy(tool("exporter"), &component).unwrap();
    let mut client = thoth_tests::Mcp::start(serve());
    let line = client.stderr_line(|line| line.starts_with("thoth:"));
    assert!(line.contains("thoth lock"), "{line}");
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
