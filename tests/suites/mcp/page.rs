//! The approvals page that `thoth serve` has itself: where a held call sends people, and who decides there.

use serde_json::{Value, json};
use thoth_tests::{Mcp, Thoth, client, mcp};

use super::scene::{by_policy, large_transfer, report, thoth};

/// A server with its page, and a client of 2026-07-28 whose user can be sent there.
struct Scene {
    thoth: Thoth,
    client: Mcp,
    meta: Value,
    /// Where the page is.
    base: String,
}

impl Scene {
    fn start() -> Self {
        let thoth = thoth();
        let serve = by_policy(&thoth, &["ledger"]);
        let mut client = Mcp::start(serve.args(["--approvals", "127.0.0.1:0", "--wait", "200ms"]));
        let line = client.stderr_line(|line| line.contains("approve in a browser at "));
        let (base, key) = line
            .rsplit(' ')
            .next()
            .unwrap()
            .split_once("/#key=")
            .unwrap();
        assert_eq!(key.len(), 32, "{line}");
        Self {
            base: base.to_owned(),
            thoth,
            client,
            meta: mcp::meta(&json!({"elicitation": {"url": {}}})),
        }
    }

    fn transfer(&mut self, state: Option<&str>) -> Value {
        let mut params =
            json!({"name": "transfer", "arguments": large_transfer(), "_meta": self.meta});
        if let Some(state) = state {
            params["requestState"] = state.into();
            params["inputResponses"] = json!({"approval": {"action": "accept"}});
        }
        self.client.call("tools/call", params)
    }

    /// Calls, and gives the state of the hold and the path to which people are sent.
    fn held(&mut self) -> (String, String) {
        let answer = self.transfer(None);
        let result = &answer["result"];
        assert_eq!(result["resultType"], "input_required", "{answer}");
        let question = &result["inputRequests"]["approval"]["params"];
        assert_eq!(question["mode"], "url", "{answer}");
        let url = question["url"].as_str().unwrap();
        let path = url.strip_prefix(&self.base).expect("it leads to the page");
        let state = result["requestState"].as_str().unwrap();
        (state.to_owned(), path.to_owned())
    }

    fn approver(&self) -> String {
        let token = std::fs::read_to_string(self.thoth.state_dir().join("approver.token"));
        format!("Bearer {}", token.unwrap())
    }

    /// Decides over the page's API, for what is shown there.
    fn resolve(&self, path: &str, decision: &str) -> u16 {
        let bearer = self.approver();
        let headers = [("authorization", bearer.as_str())];
        let shown = client::get(&self.base, path, &headers).json(200);
        let body = json!({"decision": decision, "digest": shown["digest"]});
        client::post(&self.base, &format!("{path}/resolve"), &headers, &body).status
    }
}

#[test]
fn a_call_that_is_approved_on_the_page_runs_once() {
    let mut scene = Scene::start();
    let (state, path) = scene.held();
    assert_eq!(scene.resolve(&path, "approve"), 200);
    let answer = scene.transfer(Some(&state));
    assert_eq!(
        answer["result"]["structuredContent"]["to_account"], "suppliers",
        "{answer}"
    );
    let replayed = scene.transfer(Some(&state));
    assert_eq!(replayed["error"]["code"], -32602, "{replayed}");
    assert_eq!(scene.resolve(&path, "approve"), 409);
    // The next call is another one, and held again.
    assert_ne!(scene.held().1, path);
}

#[test]
fn a_call_that_is_denied_on_the_page_does_not_run() {
    let mut scene = Scene::start();
    let (state, path) = scene.held();
    assert_eq!(scene.resolve(&path, "deny"), 200);
    let answer = scene.transfer(Some(&state));
    assert_eq!(report(&answer["result"])["cause"], "denied");
}

#[test]
fn nobody_decides_there_without_an_approvers_credential_or_from_another_page() {
    let mut scene = Scene::start();
    let (state, path) = scene.held();
    let resolve = format!("{path}/resolve");
    let yes = json!({"decision": "approve"});
    let bearer = scene.approver();
    let own = ("authorization", bearer.as_str());
    for (headers, status) in [
        (vec![], 401),
        (vec![("authorization", "Bearer thoth_test_k")], 401),
        (vec![own, ("origin", "http://evil.example")], 403),
        (vec![own, ("origin", "http://127.0.0.1:1")], 403),
        (vec![own, ("host", "evil.example")], 403),
    ] {
        let response = client::post(&scene.base, &resolve, &headers, &yes);
        assert_eq!(response.status, status, "{headers:?}: {response:?}");
    }
    let answer = scene.transfer(Some(&state));
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
}

#[test]
fn agents_are_not_served_there() {
    let scene = Scene::start();
    let bearer = scene.approver();
    let approver = [("authorization", bearer.as_str())];
    for path in ["/v1/enforce", "/v1/events/batch", "/v1/explain"] {
        for headers in [&[][..], &approver] {
            let response = client::post(&scene.base, path, headers, &json!({}));
            assert_eq!(response.status, 404, "{path}: {response:?}");
        }
    }
    let page = client::get(&scene.base, "/", &[]);
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").is_some());
}

#[test]
fn a_page_needs_a_policy_file_and_a_loopback_address() {
    let thoth = thoth();
    let public = by_policy(&thoth, &["ledger"]).args(["--approvals", "0.0.0.0:0"]);
    assert!(public.run().error(2).contains("is not a loopback address"));
    let remote = thoth.command("serve").arg(thoth_tests::tool("ledger"));
    let remote = remote.args([
        "--enforcer-url",
        "http://127.0.0.1:1",
        "--approvals",
        "127.0.0.1:0",
    ]);
    assert_eq!(
        remote.run().error(2),
        "thoth: `--approvals` needs a policy file: an enforcer has approvers of its own"
    );
}
