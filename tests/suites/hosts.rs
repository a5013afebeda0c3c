//! Governed components in hosts that never heard of Thoth: the same bytes, and the same outcome in
//! every one of them. A host that cannot be had on this machine is named and left out.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "hosts/bodies.rs"]
mod bodies;
#[path = "hosts/cases.rs"]
mod cases;
#[path = "matrix/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a little of it")]
mod matrix;
#[path = "hosts/mcp.rs"]
mod mcp;
#[path = "hosts/parts.rs"]
mod parts;
#[path = "hosts/third_party.rs"]
mod third_party;

use cases::{Expected, TIMEOUT, cases};
use serde_json::json;
use thoth_tests::hosts::{Caller, Invocation, Server, Serving, Vars};
use thoth_tests::{Faultd, Refused, client};

/// What nobody but the tool says, with the note that it was given, and with the one in its place.
const SUNG: &str = "choir-sang-5b21e9:hello";
const SUNG_INSTEAD: &str = "choir-sang-5b21e9:hush";
/// What nobody but the HTTP service says.
const SONG: &str = "canary-sang-41c7f0";

/// Whether a host is here. Prints why not.
fn is_here(name: impl std::fmt::Debug, found: Result<(), String>) -> bool {
    if let Err(why) = &found {
        println!("skipped: {name:?} cannot be had here: {why}");
        assert!(
            std::env::var_os("THOTH_TOOLCHAINS").is_none() || format!("{name:?}") == "Wassette",
            "{name:?}: {why}"
        );
    }
    found.is_ok()
}

/// What came of a call, from what a host printed, however it quotes.
fn assert_outcome(host: &str, case: &str, expected: Expected, said: &str, results: [&str; 2]) {
    let plain = said.replace('\\', "");
    let [given, modified] = results;
    match expected {
        Expected::Runs => assert!(plain.contains(given), "{host}, {case}: {said}"),
        Expected::Modified => {
            assert!(plain.contains(modified), "{host}, {case}: {said}");
            assert!(!plain.contains(given), "{host}, {case}: {said}");
        }
        Expected::Refused(causes) => {
            let told = |cause: &&str| plain.contains(&format!("\"cause\":\"{cause}\""));
            assert!(causes.iter().any(told), "{host}, {case}: {said}");
            let ran = plain.contains(given) || plain.contains(modified);
            assert!(!ran, "{host}, {case}: {said}");
        }
    }
}

fn vars(url: &str) -> [(&str, &str); 5] {
    [
        ("THOTH_API_URL", url),
        ("THOTH_API_KEY", "thoth_test_k"),
        ("THOTH_TIMEOUT", TIMEOUT),
        ("THOTH_STEP_UP_WAIT", "1s"),
        ("THOTH_BODY_TIMEOUT", "2s"),
    ]
}

fn call(host: Caller, vars: Vars<'_>) -> String {
    let invocation = Invocation {
        interface: None,
        function: "sing",
        arguments: &json!(["hello"]),
        named: &json!({"note": "hello"}),
        wave: "sing(\"hello\")",
    };
    host.call(&parts::tool(), &invocation, vars)
}

fn functions_are_governed_in(host: Caller) {
    if !is_here(host, host.find()) {
        return;
    }
    let name = format!("{host:?}");
    let assert = |case, expected, said: &str| {
        assert_outcome(&name, case, expected, said, [SUNG, SUNG_INSTEAD]);
    };
    for case in cases() {
        let service = Faultd::start();
        case.set(&service);
        let said = call(host, &vars(&service.url()));
        assert(case.name, case.expected, &said);
    }
    let closed = Refused::take();
    let unreachable = Expected::Refused(&["unreachable", "protocol"]);
    assert(
        "port closed",
        unreachable,
        &call(host, &vars(&closed.url())),
    );
    let unconfigured = Expected::Refused(&["configuration"]);
    assert("no configuration", unconfigured, &call(host, &[]));
}

#[test]
fn functions_are_governed_in_wasmtime_run() {
    functions_are_governed_in(Caller::Wasmtime);
}

#[test]
fn functions_are_governed_in_wasmtime_py() {
    functions_are_governed_in(Caller::WasmtimePy);
}

#[test]
fn functions_are_governed_in_node_with_jco() {
    functions_are_governed_in(Caller::Jco);
}

#[test]
fn functions_are_governed_in_wassette() {
    functions_are_governed_in(Caller::Wassette);
}

/// Asks the service for its song.
fn request(serving: &Serving) -> String {
    let headers = [("content-type", "text/plain")];
    let response = client::request(serving.url(), "POST", "/sing?n=1", &headers, b"hello");
    format!("{} {}", response.status, response.body)
}

fn requests_are_governed_in(host: Server) {
    if !is_here(host, host.find()) {
        return;
    }
    let name = format!("{host:?}");
    let assert = |case, expected, said: &str| {
        // A request passes as it came or not at all.
        let expected = match expected {
            Expected::Modified => Expected::Refused(&["invalid_modify"]),
            expected => expected,
        };
        assert_outcome(&name, case, expected, said, [SONG, SONG]);
    };
    let service = Faultd::start();
    let url = service.url();
    let serving = host.serve(&parts::service(), &vars(&url), &url);
    for case in cases() {
        case.set(&service);
        assert(case.name, case.expected, &request(&serving));
    }
    // The governor has its variables, and the service sees none: not even the key, of which every host
    // here gives both of them the same.
    cases()[0].set(&service);
    let told = client::get(serving.url(), "/env", &[]).body;
    assert!(
        told.contains(SONG) && !told.contains('='),
        "{host:?}: {told}"
    );
    let asked = service.requests_to(thoth_tests::Site::Enforce)[0].json();
    assert_eq!(asked["tool_name"], "http_request");
    assert_eq!(asked["tool_args"]["method"], "POST");
    assert_eq!(asked["tool_args"]["path"], "/sing");
    drop(serving);

    let closed = Refused::take();
    let url = closed.url();
    let serving = host.serve(&parts::service(), &vars(&url), &url);
    let unreachable = Expected::Refused(&["unreachable", "protocol"]);
    assert("port closed", unreachable, &request(&serving));
    drop(serving);
    let serving = host.serve(&parts::service(), &[], &url);
    let unconfigured = Expected::Refused(&["configuration"]);
    assert("no configuration", unconfigured, &request(&serving));
}

#[test]
fn requests_are_governed_in_wasmtime_serve() {
    requests_are_governed_in(Server::Wasmtime);
}

#[test]
fn requests_are_governed_in_jco_serve() {
    requests_are_governed_in(Server::Jco);
}

#[test]
fn requests_are_governed_in_wash_dev() {
    requests_are_governed_in(Server::Wash);
}

#[test]
fn mcp_calls_are_governed_in_wasmtime_serve() {
    mcp::calls_are_governed_in(Server::Wasmtime);
}

#[test]
fn mcp_messages_are_read_strictly_in_wasmtime_serve() {
    mcp::messages_are_read_strictly_in(Server::Wasmtime);
}

#[test]
fn bodies_are_told_about_or_stream_in_wasmtime_serve() {
    bodies::are_told_about_or_stream_in(Server::Wasmtime);
}

#[test]
fn mcp_calls_are_governed_in_jco_serve() {
    mcp::calls_are_governed_in(Server::Jco);
}

#[test]
fn mcp_messages_are_read_strictly_in_jco_serve() {
    mcp::messages_are_read_strictly_in(Server::Jco);
}

#[test]
fn bodies_are_told_about_or_stream_in_jco_serve() {
    bodies::are_told_about_or_stream_in(Server::Jco);
}

#[test]
fn mcp_calls_are_governed_in_wash_dev() {
    mcp::calls_are_governed_in(Server::Wash);
}

#[test]
fn mcp_messages_are_read_strictly_in_wash_dev() {
    mcp::messages_are_read_strictly_in(Server::Wash);
}

#[test]
fn bodies_are_told_about_or_stream_in_wash_dev() {
    bodies::are_told_about_or_stream_in(Server::Wash);
}
