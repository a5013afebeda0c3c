//! Lines that are no messages, and many that are.

use std::collections::HashSet;

use serde_json::{Value, json};
use thoth_tests::{Faultd, Mcp, mcp};

use super::scene::{SANG, by_service, plain, thoth};

/// Sends a line and gives the answer to it, which names no request.
fn refused(client: &mut Mcp, line: impl AsRef<[u8]>) -> Value {
    client.send_raw(line);
    client.send_raw("\n");
    client.find(|message| message.get("error").is_some())["error"].clone()
}

#[test]
fn what_is_no_message_is_answered_and_the_next_one_is_served() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#,
        "x".repeat(300 << 10)
    );
    let huge = vec![b'a'; 4 << 20];
    let rows: [(&str, &[u8], i64, &str); 12] = [
        ("not JSON", b"hello", -32700, "not usable JSON: expected a value"),
        ("half", br#"{"jsonrpc":"2.0","id":1"#, -32700, "not usable JSON"),
        ("two on a line", br#"{"a":1}{"b":2}"#, -32700, "something follows the value"),
        ("a name twice", br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#, -32700, "comes twice"),
        ("a name twice in the arguments", br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sing","arguments":{"note":"a","note":"b"}}}"#, -32700, "comes twice"),
        ("not UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", -32700, "not UTF-8"),
        ("a large integer", br#"{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}"#, -32700, "beyond"),
        ("too deep", deep.as_bytes(), -32700, "nested deeper"),
        ("too long", long.as_bytes(), -32600, "at most 262144 bytes"),
        ("far too long", &huge, -32600, "at most 262144 bytes"),
        ("a batch", br#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, "one message at a time"),
        ("a text", br#""ping""#, -32600, "a message is a JSON object"),
    ];
    for (what, line, code, why) in rows {
        let error = refused(&mut client, line);
        assert_eq!(error["code"], code, "{what}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(why) && !message.contains('\n'),
            "{what}: {message}"
        );
        assert_eq!(client.tool("sing", json!({"note": what}))["isError"], false);
    }
    // Who says nothing gets no answer.
    client.send_raw("\n\r\n  \n");
    client.notify("notifications/of_no_kind", json!({}));
    client.notify("notifications/cancelled", json!({"requestId": 12345}));
    assert_eq!(client.tool("sing", json!({"note": "z"}))["isError"], false);
    assert!(client.seen(|_| true).is_empty());
}

#[test]
fn a_request_that_does_not_fit_its_method_names_it() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    for params in [
        json!({}),
        json!({"name": 7}),
        json!({"name": "sing", "arguments": "note"}),
        json!({"name": "sing", "arguments": []}),
    ] {
        let answer = client.call("tools/call", params.clone());
        assert_eq!(answer["error"]["code"], -32602, "{params}: {answer}");
    }
    let listen = json!({"notifications": 5, "_meta": mcp::meta(&json!({}))});
    let answer = client.call("subscriptions/listen", listen);
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let answer = client.call("tools/call", json!([]));
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    let answer = client.call("tools/rm", json!({}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    let answer = client.call("resources/list", json!({}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
    assert!(service.requests().is_empty());
}

#[test]
fn nothing_counts_before_a_request() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = Mcp::start(by_service(&thoth, &service));
    client.notify("notifications/initialized", json!({}));
    client.send(&json!({"jsonrpc": "2.0", "id": 5, "result": {}}));
    let answer = client.call(
        "tools/call",
        json!({"name": "sing", "arguments": {"note": "a"}}),
    );
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert!(service.requests().is_empty());
    client.initialize("2025-06-18", json!({}));
    assert_eq!(client.tool("sing", json!({"note": "a"}))["isError"], false);
}

#[test]
fn the_newest_revision_needs_no_handshake_and_the_others_are_negotiated() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = Mcp::start(by_service(&thoth, &service));
    let found = client.call("server/discover", json!({"_meta": mcp::meta(&json!({}))}));
    let versions = &found["result"]["supportedVersions"];
    for version in ["2026-07-28", "2025-11-25", "2025-06-18"] {
        assert!(
            versions.as_array().unwrap().contains(&json!(version)),
            "{found}"
        );
    }
    for (asked, given) in [
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let mut client = Mcp::start(by_service(&thoth, &service));
        let hello = client.initialize(asked, json!({}));
        assert_eq!(hello["protocolVersion"], given, "{hello}");
        assert_eq!(hello["serverInfo"]["name"], "thoth");
    }
}

#[test]
fn sixty_four_calls_at_once_are_all_answered_each_with_its_own() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    // One that does not end holds up none of them.
    let endless = client.request(
        "tools/call",
        json!({"name": "tarpit", "arguments": {"note": "x"}}),
    );
    let mut open = HashSet::new();
    for note in 0..64 {
        let params = json!({"name": "sing", "arguments": {"note": note.to_string()}});
        open.insert((client.request("tools/call", params), note));
    }
    for (id, note) in open {
        let answer = client.answer(id);
        assert_eq!(
            answer["result"]["content"][0]["text"],
            format!("{SANG}{note}")
        );
    }
    assert!(client.seen(|message| message["id"] == endless).is_empty());
}

#[test]
fn an_id_that_is_under_way_is_not_taken_again() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut client = plain(by_service(&thoth, &service));
    let id = client.request(
        "tools/call",
        json!({"name": "tarpit", "arguments": {"note": "x"}}),
    );
    client.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}));
    let answer = client.answer(id);
    assert_eq!(
        answer["error"]["message"],
        "a request with this id is under way"
    );
}
