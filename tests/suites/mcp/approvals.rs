//! Held calls: how a client's user is reached, and that nothing but the policy service's word runs one.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use serde_json::{Value, json};
use thoth_tests::{Answer, Faultd, Mcp, Site, Thoth, mcp, tool};

use super::scene::{
    SANG, able, by_policy, by_service, decide, large_transfer, outcome, plain, report, thoth,
};

const PAGE: &str = "https://approve.example/h1";

/// A service that holds calls as `h1`, and says where to approve.
fn holding() -> Faultd {
    let service = Faultd::start();
    service.enforce(
        Answer::step_up("h1")
            .with("approval_url", PAGE)
            .with("reason", "a human decides"),
    );
    service.hold(Answer::unresolved("h1"));
    service
}

/// A client of 2026-07-28 whose user can be sent to a page.
struct Modern {
    client: Mcp,
    meta: Value,
}

impl Modern {
    fn start(thoth: &Thoth, service: &Faultd) -> Self {
        let serve = by_service(thoth, service).args(["--session-id", "s", "--wait", "200ms"]);
        Self {
            client: Mcp::start(serve),
            meta: mcp::meta(&json!({"elicitation": {"url": {}}})),
        }
    }

    fn call(&mut self, note: &str) -> Value {
        self.retry("sing", note, None)
    }

    /// Calls, with the state of an earlier answer and a yes to its question.
    fn retry(&mut self, tool: &str, note: &str, state: Option<&str>) -> Value {
        let mut params = json!({"name": tool, "arguments": {"note": note}, "_meta": self.meta});
        if let Some(state) = state {
            params["requestState"] = state.into();
            params["inputResponses"] = json!({"approval": {"action": "accept"}});
        }
        self.client.call("tools/call", params)
    }

    /// Calls, and gives the state of the hold that comes of it.
    fn held(&mut self, note: &str) -> String {
        let answer = self.call(note);
        let result = &answer["result"];
        assert_eq!(result["resultType"], "input_required", "{answer}");
        let question = &result["inputRequests"]["approval"];
        assert_eq!(question["method"], "elicitation/create");
        assert_eq!(question["params"]["mode"], "url");
        assert_eq!(question["params"]["url"], PAGE);
        let message = question["params"]["message"].as_str().unwrap();
        assert!(
            message.starts_with("Approve `sing` of canary with {\"note\":\"")
                && message.ends_with("a human decides"),
            "{message}"
        );
        result["requestState"].as_str().unwrap().to_owned()
    }
}

/// How often the tool ran, by the events that the service got.
fn ran(service: &Faultd) -> usize {
    let kinds = service.event_types("s");
    kinds
        .iter()
        .filter(|kind| *kind == "TOOL_CALL_POST")
        .count()
}

#[test]
fn an_approved_call_runs_once_when_the_client_comes_back() {
    let (thoth, service) = (thoth(), holding());
    let mut modern = Modern::start(&thoth, &service);
    let state = modern.held("a");
    service.hold(Answer::resolved("h1", "ALLOW"));
    let answer = modern.retry("sing", "a", Some(&state));
    assert_eq!(answer["result"]["structuredContent"], format!("{SANG}a"));
    let replayed = modern.retry("sing", "a", Some(&state));
    assert_eq!(replayed["error"]["code"], -32602, "{replayed}");
    let _end = modern.client.end();
    assert_eq!(ran(&service), 1);
    assert_eq!(service.requests_to(Site::Enforce).len(), 1);
    assert_eq!(service.requests_to(Site::Hold).len(), 1);
}

#[test]
fn a_denied_call_does_not_run() {
    let (thoth, service) = (thoth(), holding());
    let mut modern = Modern::start(&thoth, &service);
    let state = modern.held("a");
    service.hold(Answer::resolved("h1", "BLOCK").with("reason", "no"));
    let report = report(&modern.retry("sing", "a", Some(&state))["result"]);
    assert_eq!(report["cause"], "denied");
    assert_eq!(
        report["next"],
        "a human said no: do not call again with these arguments"
    );
    let _end = modern.client.end();
    assert_eq!(ran(&service), 0);
}

#[test]
fn a_call_that_nobody_decided_on_can_be_come_back_to_again() {
    let (thoth, service) = (thoth(), holding());
    let mut modern = Modern::start(&thoth, &service);
    let state = modern.held("a");
    let answer = modern.retry("sing", "a", Some(&state));
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    let state = answer["result"]["requestState"]
        .as_str()
        .unwrap()
        .to_owned();
    service.hold(Answer::resolved("h1", "ALLOW"));
    let answer = modern.retry("sing", "a", Some(&state));
    assert_eq!(answer["result"]["structuredContent"], format!("{SANG}a"));
    assert_eq!(service.requests_to(Site::Enforce).len(), 1);
}

#[test]
fn no_other_state_runs_anything() {
    let (thoth, service) = (thoth(), holding());
    let mut modern = Modern::start(&thoth, &service);
    let state = modern.held("a");
    service.hold(Answer::resolved("h1", "ALLOW"));
    let mut states = vec![String::new(), "rs1..".into(), "x".repeat(4_000)];
    // Every part of it counts.
    for at in (0..state.len()).step_by(7) {
        let mut bytes = state.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        states.push(String::from_utf8(bytes).unwrap());
    }
    states.push(state[..state.len() - 1].to_owned());
    for tampered in &states {
        let answer = modern.retry("sing", "a", Some(tampered));
        assert_eq!(answer["error"]["code"], -32602, "{tampered}: {answer}");
    }
    // The same state for other arguments, or for another tool, is foreign.
    for (tool, note) in [("sing", "b"), ("tarpit", "a")] {
        let answer = modern.retry(tool, note, Some(&state));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    // A state of another server, with the same identity and session, is foreign as well.
    let mut other = Modern::start(&thoth, &service);
    let answer = other.retry("sing", "a", Some(&state));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    assert_eq!(service.requests_to(Site::Hold).len(), 0);
    let _ends = (modern.client.end(), other.client.end());
    assert_eq!(ran(&service), 0);
}

#[test]
fn a_state_does_not_outlive_its_hold() {
    let (thoth, service) = (thoth(), Faultd::start());
    let held = Answer::step_up("h1").with("approval_url", PAGE);
    service.enforce(
        held.with("reason", "a human decides")
            .with("step_up_timeout_seconds", 1),
    );
    service.hold(Answer::resolved("h1", "ALLOW"));
    let mut modern = Modern::start(&thoth, &service);
    let state = modern.held("a");
    // The server's own clock says when it is over: it is asked until then.
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_millis(1_100) {
        let other = modern
            .client
            .call("tools/list", json!({"_meta": modern.meta}));
        assert!(other.get("result").is_some(), "{other}");
    }
    let answer = modern.retry("sing", "a", Some(&state));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let _end = modern.client.end();
    assert_eq!(ran(&service), 0);
}

#[test]
fn a_user_who_declines_leaves_the_hold_as_it_is() {
    let (thoth, service) = (thoth(), holding());
    let mut modern = Modern::start(&thoth, &service);
    let state = modern.held("a");
    service.hold(Answer::unresolved("h1"));
    let answer = modern.client.call(
        "tools/call",
        json!({
            "name": "sing",
            "arguments": {"note": "a"},
            "_meta": modern.meta,
            "requestState": state,
            "inputResponses": {"approval": {"action": "decline"}},
        }),
    );
    let report = report(&answer["result"]);
    assert_eq!(report["outcome"], "pending");
    assert_eq!(report["hold_token"], "h1");
    assert_eq!(report["approval_url"], PAGE);
}

#[test]
fn a_client_that_can_ask_nobody_is_told_the_hold_and_comes_back_by_calling_again() {
    let (thoth, service) = (thoth(), holding());
    let serve = by_service(&thoth, &service).args(["--session-id", "s", "--wait", "200ms"]);
    let mut client = plain(serve);
    let first = report(&client.tool("sing", json!({"note": "a"})));
    assert_eq!(first["outcome"], "pending");
    assert_eq!(first["hold_token"], "h1");
    assert_eq!(first["retry_after_seconds"], 10);
    let again = report(&client.tool("sing", json!({"note": "a"})));
    assert_eq!(again["call_id"], first["call_id"]);
    // Another call is another hold.
    let other = report(&client.tool("sing", json!({"note": "b"})));
    assert_ne!(other["call_id"], first["call_id"]);
    service.hold(Answer::resolved("h1", "ALLOW"));
    let result = client.tool("sing", json!({"note": "a"}));
    assert_eq!(result["content"][0]["text"], format!("{SANG}a"));
    // An approval is for one run.
    let next = report(&client.tool("sing", json!({"note": "a"})));
    assert_ne!(next["call_id"], first["call_id"]);
    assert_eq!(service.requests_to(Site::Enforce).len(), 3);
    let _end = client.end();
    assert_eq!(ran(&service), 1);
}

#[test]
fn a_client_of_2025_asks_its_user_while_the_call_waits() {
    let (thoth, service) = (thoth(), holding());
    let can = json!({"elicitation": {"url": {}}});
    let mut client = able(by_service(&thoth, &service), "2025-11-25", can);
    let id = client.request(
        "tools/call",
        json!({"name": "sing", "arguments": {"note": "a"}}),
    );
    let asked = client.find(|message| message["method"] == "elicitation/create");
    assert_eq!(asked["params"]["mode"], "url");
    assert_eq!(asked["params"]["url"], PAGE);
    client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept"}}));
    service.hold(Answer::resolved("h1", "ALLOW"));
    let result = client.answer(id)["result"].clone();
    assert_eq!(result["content"][0]["text"], format!("{SANG}a"));
}

#[test]
fn an_answer_that_comes_too_late_does_not_stop_what_runs() {
    let (thoth, service) = (thoth(), holding());
    // The tool is at work from its request until its answer.
    let site = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", site.local_addr().unwrap());
    let serve = thoth.command("serve").arg(tool("fetcher"));
    let serve = serve.args(["--enforcer-url", &service.url(), "--session-id", "s"]);
    let serve = serve.args(["--allow-net", &format!("{origin}/* GET allow-private")]);
    let mut client = able(serve, "2025-11-25", json!({"elicitation": {"url": {}}}));
    let id = client.request(
        "tools/call",
        json!({"name": "fetch_json", "arguments": {"url": format!("{origin}/a")}}),
    );
    let asked = client.find(|message| message["method"] == "elicitation/create");
    service.hold(Answer::resolved("h1", "ALLOW"));
    let (mut request, _) = site.accept().unwrap();
    let mut head = [0; 16];
    request.read_exact(&mut head).unwrap();
    assert!(head.starts_with(b"GET /a"));
    client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "decline"}}));
    // Whatever that would do is done once the next message was answered.
    client.call("tools/list", json!({}));
    assert!(client.seen(|message| message["id"] == id).is_empty());
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    request.write_all(answer.as_bytes()).unwrap();
    let result = client.answer(id)["result"].clone();
    assert_eq!(outcome(&result)["outcome"], "completed", "{result}");
    assert_eq!(result["content"][0]["text"], "{}");
}

#[test]
fn what_the_clients_user_says_counts_only_where_the_operator_lets_it() {
    let thoth = thoth();
    let can = json!({"elicitation": {}});
    let mut client = able(by_policy(&thoth, &["ledger"]), "2025-06-18", can.clone());
    // Without the operator's word the client's user is not asked at all.
    let pending = report(&client.tool("transfer", large_transfer()));
    assert_eq!(pending["outcome"], "pending");
    drop(client);
    let serve = by_policy(&thoth, &["ledger"]).arg("--client-approves");
    let mut client = able(serve, "2025-06-18", can);
    for (answer, outcome) in [
        (json!({"action": "decline"}), "refused"),
        (
            json!({"action": "accept", "content": {"approve": false}}),
            "refused",
        ),
        (
            json!({"action": "accept", "content": {"approve": "true"}}),
            "refused",
        ),
        (
            json!({"action": "accept", "content": {"approve": true}}),
            "completed",
        ),
    ] {
        let params = json!({"name": "transfer", "arguments": large_transfer()});
        let id = client.request("tools/call", params);
        let asked = client.find(|message| message["method"] == "elicitation/create");
        let form = &asked["params"]["requestedSchema"];
        assert_eq!(form["properties"]["approve"]["type"], "boolean", "{asked}");
        client.send(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": answer}));
        let result = client.answer(id)["result"].clone();
        assert_eq!(
            result["_meta"]["thoth/outcome"]["outcome"], outcome,
            "{answer}: {result}"
        );
    }
}

#[test]
fn a_yes_counts_only_for_a_question_that_was_asked_and_shows_all_that_would_run() {
    let thoth = thoth();
    let serve = by_policy(&thoth, &["ledger"]).arg("--client-approves");
    let mut client = Mcp::start(serve);
    let meta = mcp::meta(&json!({"elicitation": {"form": {}}}));
    let yes = json!({"approval": {"action": "accept", "content": {"approve": true}}});
    let mut call = |arguments: &Value, state: Option<&Value>| {
        let mut params = json!({"name": "transfer", "arguments": arguments, "_meta": meta});
        params["inputResponses"] = yes.clone();
        if let Some(state) = state {
            params["requestState"] = state.clone();
        }
        client.call("tools/call", params)["result"].clone()
    };
    let asked = call(&large_transfer(), None);
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let ran = call(&large_transfer(), Some(&asked["requestState"]));
    assert_eq!(
        ran["_meta"]["thoth/outcome"]["outcome"], "completed",
        "{ran}"
    );
    // Canonical names are in order, so this one would hide what comes after it.
    let mut long = large_transfer();
    long["from_account"] = "a".repeat(600).into();
    let told = call(&long, None);
    assert_eq!(
        told["_meta"]["thoth/outcome"]["outcome"], "pending",
        "{told}"
    );
}

#[test]
fn a_call_is_approved_from_another_terminal() {
    let thoth = thoth();
    let mut client = plain(by_policy(&thoth, &["ledger"]));
    let pending = report(&client.tool("transfer", large_transfer()));
    decide(&thoth, "approve", pending["hold_token"].as_str().unwrap());
    let result = client.tool("transfer", large_transfer());
    assert_eq!(
        result["structuredContent"]["to_account"], "suppliers",
        "{result}"
    );
}

#[test]
fn a_remote_enforcer_has_approvers_of_its_own() {
    let (thoth, service) = (thoth(), Faultd::start());
    let run = by_service(&thoth, &service).arg("--client-approves").run();
    assert_eq!(
        run.error(2),
        "thoth: `--client-approves` needs a policy file: an enforcer has approvers of its own"
    );
}
