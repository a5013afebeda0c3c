//! What is asked about an MCP server's messages, and what does not get to it.

use serde_json::{Value, json};
use thoth_tests::hosts::{Server, Serving};
use thoth_tests::{Answer, Faultd, Refused, Reply, Site, client};

use crate::bodies::{Connection, chunked};
use crate::cases::{Expected, cases};
use crate::{assert_outcome, is_here, parts, vars};

/// What nobody but a tool of the server says, with the note that it was given, or with the other one.
const SUNG: &str = "mcp-sang-9e04c7:sing:hello";
const SUNG_INSTEAD: &str = "mcp-sang-9e04c7:sing:hush";
/// What any of them says.
const SONG: &str = "mcp-sang-9e04c7";

fn call(id: impl Into<Value>, tool: &str) -> Value {
    let params = json!({ "name": tool, "arguments": { "note": "hello" }, "_meta": { "p": 1 } });
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params })
}

fn method(id: i32, method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": {} })
}

fn post(serving: &Serving, body: &Value) -> client::Response {
    client::post(serving.url(), "/mcp", &[], body)
}

pub(crate) fn calls_are_governed_in(host: Server) {
    if !is_here(host, host.find()) {
        return;
    }
    let name = format!("{host:?}");
    let assert = |case: &str, expected, serving: &Serving| {
        let answer = post(serving, &call("seven", "sing")).json(200);
        let told = answer.to_string();
        assert_eq!(answer["id"], "seven", "{name}, {case}: {told}");
        let result = &answer["result"];
        assert_outcome(&name, case, expected, &told, [SUNG, SUNG_INSTEAD]);
        if let Expected::Refused(_) = expected {
            assert_eq!(result["isError"], true, "{name}, {case}: {told}");
            let outcome = &result["_meta"]["thoth/outcome"]["outcome"];
            assert_eq!(outcome, "refused", "{name}, {case}: {told}");
            if case == "step-up, undecided" {
                let hold = &result["_meta"]["thoth/outcome"]["hold_token"];
                assert_eq!(hold, crate::cases::HOLD, "{name}: {told}");
            }
        }
    };
    let service = Faultd::start();
    let url = service.url();
    let serving = host.serve(&parts::mcp(), &vars(&url), &url);
    for case in cases() {
        case.set(&service);
        assert(case.name, case.expected, &serving);
    }
    let asked = service.requests_to(Site::Enforce)[0].json();
    assert_eq!(asked["tool_name"], "sing");
    assert_eq!(asked["tool_args"], json!({ "note": "hello" }));
    drop(serving);

    let closed = Refused::take();
    let url = closed.url();
    let serving = host.serve(&parts::mcp(), &vars(&url), &url);
    let unreachable = Expected::Refused(&["unreachable", "protocol"]);
    assert("port closed", unreachable, &serving);
    // What runs no tool does not depend on anybody.
    let tools = post(&serving, &method(1, "tools/list")).json(200);
    assert_eq!(tools["result"]["tools"][0]["name"], "sing", "{host:?}");
    drop(serving);
    let serving = host.serve(&parts::mcp(), &[], &url);
    let unconfigured = Expected::Refused(&["configuration"]);
    assert("no configuration", unconfigured, &serving);
}

pub(crate) fn messages_are_read_strictly_in(host: Server) {
    if !is_here(host, host.find()) {
        return;
    }
    let service = Faultd::start();
    service.enforce(Reply::derived(
        |request| match request.json()["tool_name"].as_str() {
            Some("sing") => Answer::allow(),
            _ => Answer::block(&"this tool is not for you. ".repeat(400)),
        },
    ));
    let url = service.url();
    let serving = host.serve(&parts::mcp(), &vars(&url), &url);
    others_pass(&service, &serving);
    batches_run_as_a_whole_or_not_at_all(&service, &serving);
    what_is_no_message_is_not_handed_on(&service, &serving);
    bodies_arrive_in_pieces_or_not_at_all(&service, &serving);
}

fn asked(service: &Faultd) -> usize {
    service.requests_to(Site::Enforce).len()
}

fn others_pass(service: &Faultd, serving: &Serving) {
    let initialized = post(serving, &method(1, "initialize")).json(200);
    assert_eq!(initialized["result"]["serverInfo"]["name"], "mcp-canary");
    let ping = json!([method(1, "ping"), method(2, "tools/list")]);
    assert_eq!(post(serving, &ping).json(200)[1]["id"], 2);
    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(post(serving, &notification).status, 202);
    let listening = client::get(serving.url(), "/mcp", &[("accept", "text/event-stream")]);
    assert!(
        listening.body.contains("mcp-listens-51d0aa"),
        "{listening:?}"
    );
    assert_eq!(asked(service), 0);
}

fn batches_run_as_a_whole_or_not_at_all(service: &Faultd, serving: &Serving) {
    let both = post(serving, &json!([call(1, "sing"), call(2, "sing")])).json(200);
    assert_eq!(both.to_string().matches(SUNG).count(), 2, "{both}");
    assert_eq!(asked(service), 2);

    let batch = json!([
        call(1, "sing"),
        method(2, "ping"),
        call(3, "wipe"),
        call(4, "sing")
    ]);
    let response = post(serving, &batch);
    // Longer than what is written at a time.
    assert!(response.body.len() > 4096, "{response:?}");
    let none = response.json(200);
    assert!(!none.to_string().contains(SONG), "{none}");
    let ids: Vec<&Value> = none
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    let outcome = |index: usize| &none[index]["result"]["_meta"]["thoth/outcome"];
    assert_eq!(outcome(0)["cause"], "invalid_arguments", "{none}");
    assert_eq!(none[1]["error"]["code"], -32600, "{none}");
    assert_eq!(outcome(2)["cause"], "policy", "{none}");
    assert_eq!(none[3]["error"]["code"], -32600, "{none}");
    // Nobody is asked about what comes after a refusal.
    assert_eq!(asked(service), 4);
}

fn what_is_no_message_is_not_handed_on(service: &Faultd, serving: &Serving) {
    let before = asked(service);
    let text = call(1, "wipe").to_string();
    let with = |from: &str, to: &str| text.replacen(from, to, 1);
    let json = "application/json";
    let long = with("hello", &"x".repeat(300 << 10));
    for (status, kind, body) in [
        (400, json, with("\"id\"", "\"method\":\"ping\",\"id\"")),
        (400, json, with("\"method\"", "\"Method\"")),
        (400, json, with("\"params\"", "\"PARAMS\"")),
        (400, json, with("\"name\"", "\"Name\"")),
        (400, json, with("tools/call", "Tools/Call")),
        (400, json, with("\"2.0\"", "2")),
        (400, json, with("1", "null")),
        (400, json, with("{", "{,")),
        (400, json, text[..text.len() - 1].to_owned()),
        (400, json, "[]".to_owned()),
        (413, json, long),
        (415, "text/plain", text.clone()),
        (415, "application/json; charset=utf-16", text.clone()),
        (415, "application/json, text/plain", text.clone()),
    ] {
        let headers = [("content-type", kind)];
        let response = client::request(serving.url(), "POST", "/", &headers, body.as_bytes());
        let shown = body.get(..200).unwrap_or(&body);
        let answer = response.json(status);
        assert!(answer["error"]["code"].is_i64(), "{shown}: {answer}");
        assert!(!response.body.contains(SONG), "{shown}: {answer}");
    }
    let latin = [text.as_bytes(), b"\xff"].concat();
    let response = client::request(
        serving.url(),
        "POST",
        "/",
        &[("content-type", json)],
        &latin,
    );
    assert_eq!(response.status, 400, "{response:?}");
    let packed = [("content-type", json), ("content-encoding", "gzip")];
    let response = client::request(serving.url(), "POST", "/", &packed, text.as_bytes());
    assert_eq!(response.status, 415, "{response:?}");
    let headers = [("content-type", json)];
    let response = client::request(serving.url(), "PUT", "/", &headers, text.as_bytes());
    assert_eq!(response.status, 405, "{response:?}");
    // What has no body by its method gets none handed on.
    let response = client::request(serving.url(), "DELETE", "/", &headers, text.as_bytes());
    assert!(!response.body.contains(SONG), "{response:?}");
    assert_eq!(asked(service), before);
}

fn bodies_arrive_in_pieces_or_not_at_all(service: &Faultd, serving: &Serving) {
    let text = call(1, "sing").to_string();
    let head = "POST / HTTP/1.1\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let mut connection = Connection::open(serving.url(), head);
    connection.send("transfer-encoding: chunked\r\n\r\n");
    for piece in text.as_bytes().chunks(5) {
        connection.send(&chunked(std::str::from_utf8(piece).unwrap()));
    }
    connection.send("0\r\n\r\n");
    let answer = connection.rest();
    assert!(answer.contains(SUNG), "{answer}");

    let before = asked(service);
    let mut connection = Connection::open(serving.url(), head);
    connection.send(&format!(
        "content-length: {}\r\n\r\n{}",
        text.len(),
        &text[..20]
    ));
    let answer = connection.rest();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(!answer.contains(SONG), "{answer}");
    assert_eq!(asked(service), before);
}
