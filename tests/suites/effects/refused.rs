//! What the grant does not let through: the tool is told no and goes on, and the log has it.

use serde_json::{Value, json};
use thoth_tests::{Answer, Site, table, tool};

use super::scene::{self, Scene, request, told};

/// A row: its name, the request, the flags, and the code that the tool is told.
type Row = (&'static str, Value, Vec<String>, &'static str);

fn rows(scene: &Scene) -> Vec<Row> {
    let granted = || vec!["--allow-net".to_owned(), scene.rule("govern")];
    let with = |flags: &[&str]| {
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        granted().into_iter().chain(flags).collect::<Vec<_>>()
    };
    let get = |path: &str| request(&scene.web, "GET", path);
    let post = |bytes: u32| {
        let mut request = request(&scene.web, "POST", "/v1/items.json");
        request["request"]["body"] = bytes.into();
        request
    };
    let headed = |name: &str| {
        let mut request = get("/v1/items.json");
        request["request"]["headers"] = json!([[name, "x"]]);
        request
    };
    let elsewhere = |authority: String| {
        let mut request = get("/v1/items.json");
        request["request"]["authority"] = authority.into();
        request
    };
    let denied = "HttpRequestDenied";
    vec![
        ("nothing granted", get("/v1/items.json"), vec![], denied),
        ("another path", get("/v2/items.json"), granted(), denied),
        (
            "another method",
            request(&scene.web, "PUT", "/v1/items.json"),
            granted(),
            denied,
        ),
        (
            "another port",
            elsewhere(format!("127.0.0.1:{}", scene.web.port() ^ 1)),
            granted(),
            denied,
        ),
        (
            "another host",
            elsewhere(format!("localhost:{}", scene.web.port())),
            granted(),
            denied,
        ),
        (
            "a header that is not granted",
            headed("authorization"),
            granted(),
            denied,
        ),
        (
            "no request left",
            get("/v1/items.json"),
            with(&["--max-requests", "0"]),
            denied,
        ),
        (
            // It comes in pieces of 4 KiB: the first one fits.
            "a body over the budget",
            post(8192),
            with(&["--limit", "request_bytes=5KiB"]),
            "HttpRequestBodySize",
        ),
        (
            "a URL that is none",
            elsewhere(format!("sam:hunter2@{}", scene.web.authority())),
            granted(),
            "HttpRequestUriInvalid",
        ),
    ]
}

#[test]
fn what_is_not_granted_is_recorded_and_the_tool_goes_on() {
    let scene = Scene::new();
    let rows = rows(&scene);
    drop(scene);
    table::each(
        &rows,
        |(name, ..)| (*name).to_owned(),
        |(_, request, flags, code)| {
            let scene = Scene::new();
            let call = scene.sends(request.clone()).args(["--capture", "full"]);
            let run = call.args(flags).run();
            let json = run.json(5);
            assert_eq!(json["cause"], "tool_error", "{run}");
            assert!(json["error"].to_string().contains(code), "{run}");
            let events = scene.service.events();
            let expected = [
                "PRE sends",
                "BLOCK effect:http.1 not_granted",
                "POST sends tool_error",
            ];
            assert_eq!(told(&events), expected, "{run}");
            let effect = &events[1]["metadata"]["effect"];
            assert_eq!(effect["tool"], "sends");
            assert_eq!(effect["method"], request["request"]["method"]);
            assert_eq!(
                scene.service.requests_to(Site::Enforce).len(),
                1,
                "nobody is asked"
            );
            assert!(
                !events[1].to_string().contains("hunter2"),
                "a password in the log: {}",
                events[1]
            );
        },
    );
}

#[test]
fn of_33_requests_the_last_stays_in() {
    let scene = Scene::new();
    let arguments = json!({"authority": scene.web.authority(), "count": 33});
    let call = scene.thoth.call(tool("hostile"));
    let call = call.args(["sends_at_once", &arguments.to_string(), "--session-id", "s"]);
    let call = call.args(["--enforcer-url", &scene.service.url()]);
    let run = call.args(["--allow-net", &scene.rule("")]).run();
    let json = run.json(0);
    assert_eq!(json["result"], 32, "{run}");
    assert_eq!(json["usage"]["requests"], 32);
    assert_eq!(scene.web.connections(), 32);
    let told = scene.told();
    let count = |begin: &str, end: &str| {
        let counted = told
            .iter()
            .filter(|line| line.starts_with(begin) && line.ends_with(end));
        counted.count()
    };
    assert_eq!(count("PRE effect:http.", ""), 32);
    assert_eq!(count("POST effect:http.", " granted"), 32);
    assert_eq!(count("BLOCK effect:http.", " not_granted"), 1, "{told:?}");
    assert_eq!(told.len(), 32 + 32 + 1 + 2);
}

#[test]
fn bytes_over_the_budget_are_not_received() {
    let scene = Scene::new();
    scene.on_effect(Answer::allow());
    let run = scene
        .get("/v1/large")
        .args(["--limit", "response_bytes=1KiB"])
        .run();
    let json = run.json(5);
    assert_eq!(json["cause"], "tool_error", "{run}");
    assert!(
        json["usage"]["response_bytes"].as_u64().unwrap() <= 1024,
        "{run}"
    );
    assert_eq!(scene.told()[2], "POST effect:http.1 tool_error");
}

#[test]
fn bytes_of_the_head_count_too() {
    let scene = Scene::new();
    scene.on_effect(Answer::allow());
    let path = format!("/v1/items.json?{}", "q".repeat(600));
    let run = scene
        .get(&path)
        .args(["--limit", "request_bytes=512B"])
        .run();
    assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
    assert_eq!(scene.web.connections(), 0);
    assert_eq!(scene.told()[2], "POST effect:http.1 tool_error");
}

#[test]
fn effects_of_one_call_are_numbered_whatever_becomes_of_them() {
    let scene = Scene::new();
    scene.service.next(Site::Enforce, Answer::allow());
    scene.service.next(Site::Enforce, Answer::allow());
    scene.service.enforce(Answer::block("enough"));
    let arguments = json!({"authority": scene.web.authority(), "count": 3});
    let call = scene.thoth.call(tool("hostile"));
    let call = call.args(["sends_at_once", &arguments.to_string(), "--session-id", "s"]);
    let call = call.args([
        "--enforcer-url",
        &scene.service.url(),
        "--max-requests",
        "2",
    ]);
    let run = call.args(["--allow-net", &scene.rule("govern")]).run();
    assert_eq!(run.json(0)["result"], 1, "{run}");
    assert_eq!(scene.web.connections(), 1, "{run}");
    let events = scene.service.events();
    let mut calls: Vec<&str> = events
        .iter()
        .filter(|event| event["tool_name"] == "effect:http")
        .map(|event| event["metadata"]["action_attestation_id"].as_str().unwrap())
        .collect();
    calls.sort_unstable();
    calls.dedup();
    let expected = [1, 2, 3].map(|number| format!("{}.{number}", scene::CALL));
    assert_eq!(calls, expected);
}
