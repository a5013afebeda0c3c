//! What an enforcer is told about a request, and that a policy can ask about each part of it.

use serde_json::{Value, json};
use thoth_tests::{Answer, Site, Thoth, Web, table, thoth::Invocation, tool};

use super::scene::{self, CALL, Scene};

/// SHA-256 of `bbbbb`, which is what the tool sends.
const DIGEST: &str = "5e846c64f2db12266e6b658a8e5b5b42cc225419b3ee1fca88acbb181ddfdb52";
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request with something in each part, and the arguments that tell of it.
fn full(web: &Web) -> (Value, Value) {
    let request = json!({"request": {
        "method": "POST", "scheme": "http", "authority": web.authority(),
        "path": "/v1/items.json?b=2&a=1",
        "headers": [["x-b", "1"], ["x-a", "2"], ["x-b", "3"], ["content-length", "5"]],
        "body": 5,
    }});
    let arguments = json!({
        "tool": "sends", "parent_call_id": CALL, "number": 1,
        "method": "POST", "scheme": "http", "host": "127.0.0.1", "port": web.port(),
        "path": "/v1/items.json", "query": "b=2&a=1", "headers": ["x-a", "x-b"],
        "body_sha256": DIGEST, "body_bytes": 5,
    });
    (request, arguments)
}

/// The least of a request, by IPv6.
fn least(web: &Web) -> (Value, Value) {
    let request = scene::request(web, "GET", "/v1/items.json");
    let arguments = json!({
        "tool": "sends", "parent_call_id": CALL, "number": 1,
        "method": "GET", "scheme": "http", "host": "[::1]", "port": web.port(),
        "path": "/v1/items.json", "query": null, "headers": [],
        "body_sha256": NOTHING, "body_bytes": 0,
    });
    (request, arguments)
}

fn call(thoth: &Thoth, web: &Web, request: &Value) -> Invocation {
    let call = thoth.call(tool("hostile"));
    let call = call.args(["sends", &request.to_string()]);
    call.args(["--allow-net", &scene::rule(web, "govern")])
}

#[test]
fn an_effect_is_told_with_all_of_its_parts_and_no_more() {
    for (web, make) in [
        (Web::start(), full as fn(&Web) -> (Value, Value)),
        (Web::start_v6(), least),
    ] {
        let scene = Scene::new();
        let (request, arguments) = make(&web);
        scene.on_effect(Answer::allow());
        let run = call(&scene.thoth, &web, &request)
            .args(["--enforcer-url", &scene.service.url()])
            .run();
        assert_eq!(run.json(0)["result"], 200, "{run}");
        let asked = scene.service.requests_to(Site::Enforce)[1].json();
        assert_eq!(asked["tool_name"], "effect:http");
        assert_eq!(asked["tool_args"], arguments);
        assert_eq!(asked["action_attestation_id"], format!("{CALL}.1"));
        assert_eq!(web.connections(), 1);
    }
}

/// Each part as a condition of Cedar, for the request of [`full`].
fn conditions(arguments: &Value) -> Vec<(&'static str, String)> {
    let said = |path: &str| arguments[path].to_string();
    vec![
        ("tool", format!("context.effect.tool == {}", said("tool"))),
        (
            "parent_call_id",
            format!(
                "context.effect.parent_call_id == {}",
                said("parent_call_id")
            ),
        ),
        (
            "number",
            format!("context.effect.number == {}", said("number")),
        ),
        (
            "method",
            format!("context.effect.method == {}", said("method")),
        ),
        ("scheme", format!("resource.scheme == {}", said("scheme"))),
        ("host", format!("resource.name == {}", said("host"))),
        (
            "host as an entity",
            format!("resource == Host::{}", said("host")),
        ),
        ("port", format!("resource.port == {}", said("port"))),
        ("path", format!("context.effect.path == {}", said("path"))),
        ("path like", r#"context.effect.path like "/v1/*""#.into()),
        (
            "query",
            format!(
                "context.effect has query && context.effect.query == {}",
                said("query")
            ),
        ),
        (
            "headers",
            format!(
                "context.effect.headers.containsAll({0}) && {0}.containsAll(context.effect.headers)",
                said("headers")
            ),
        ),
        (
            "body_sha256",
            format!("context.effect.body_sha256 == {}", said("body_sha256")),
        ),
        (
            "body_bytes",
            format!("context.effect.body_bytes == {}", said("body_bytes")),
        ),
    ]
}

fn policy(condition: &str) -> String {
    format!(
        r#"permit (principal, action == Action::"call", resource);
permit (principal, action == Action::"effect:http", resource) when {{ {condition} }};"#
    )
}

#[test]
fn a_policy_decides_by_each_part() {
    let web = Web::start();
    let (request, arguments) = full(&web);
    let mut rows: Vec<(String, String, bool)> = Vec::new();
    for (name, condition) in conditions(&arguments) {
        rows.push((name.into(), condition.clone(), true));
        rows.push((format!("not {name}"), format!("!({condition})"), false));
    }
    let allowed = rows.iter().filter(|(.., allowed)| *allowed).count();
    table::each(
        &rows,
        |(name, ..)| name.clone(),
        |(_, condition, allowed)| {
            let thoth = scene::thoth();
            let policy = thoth.file("policy.cedar", policy(condition));
            let run = call(&thoth, &web, &request)
                .arg("--policy")
                .arg(policy)
                .run();
            if *allowed {
                assert_eq!(run.json(0)["result"], 200, "{run}");
            } else {
                assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
            }
        },
    );
    assert_eq!(web.connections(), allowed);
}

#[test]
fn a_policy_sees_an_ipv6_address_without_its_brackets_and_no_query() {
    let web = Web::start_v6();
    let (request, _) = least(&web);
    let conditions = [
        r#"resource == Host::"::1""#,
        "!(context.effect has query)",
        "context.effect.headers.isEmpty()",
    ];
    for condition in conditions {
        let thoth = scene::thoth();
        let policy = thoth.file("policy.cedar", policy(condition));
        let run = call(&thoth, &web, &request)
            .arg("--policy")
            .arg(policy)
            .run();
        assert_eq!(run.json(0)["result"], 200, "{condition}: {run}");
    }
    assert_eq!(web.connections(), conditions.len());
}

#[test]
fn a_policy_about_calls_says_nothing_about_effects() {
    let (thoth, web) = (scene::thoth(), Web::start());
    let only_calls = r#"permit (principal, action == Action::"call", resource);"#;
    let policy = thoth.file("policy.cedar", only_calls);
    let (request, _) = full(&web);
    let run = call(&thoth, &web, &request)
        .arg("--policy")
        .arg(policy)
        .run();
    assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
    assert_eq!(web.connections(), 0);
}
