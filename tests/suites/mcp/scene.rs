//! A served toolbox and what the suites ask about it.

use serde_json::{Value, json};
use thoth_tests::{Faultd, Mcp, Thoth, thoth::Invocation, tool, tools};

/// What the canary gives back before its note.
pub(crate) const SANG: &str = "canary-sang-41c7f0:";

pub(crate) fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

/// `thoth serve` of sample tools, by the policy of the examples.
pub(crate) fn by_policy(thoth: &Thoth, names: &[&str]) -> Invocation {
    let policy = tools::workspace().join("host/examples/policy.cedar");
    let serve = thoth
        .command("serve")
        .args(names.iter().map(|name| tool(name)));
    serve.arg("--policy").arg(policy)
}

/// `thoth serve` of the canary, by a policy service.
pub(crate) fn by_service(thoth: &Thoth, service: &Faultd) -> Invocation {
    let serve = thoth.command("serve").arg(tool("canary"));
    serve.args(["--enforcer-url", &service.url()])
}

/// A client that has shaken hands, and can do nothing but call.
pub(crate) fn plain(invocation: Invocation) -> Mcp {
    able(invocation, "2025-11-25", json!({}))
}

/// A client of a revision, with capabilities.
pub(crate) fn able(invocation: Invocation, version: &str, capabilities: Value) -> Mcp {
    let mut client = Mcp::start(invocation);
    let hello = client.initialize(version, capabilities);
    assert_eq!(hello["protocolVersion"], version, "{hello}");
    client
}

/// What the answer says came of the call.
pub(crate) fn outcome(result: &Value) -> &Value {
    &result["_meta"]["thoth/outcome"]
}

/// The report in an error, which the model reads as the metadata has it.
pub(crate) fn report(result: &Value) -> Value {
    assert_eq!(result["isError"], true, "{result}");
    let text = result["content"][1]["text"].as_str().unwrap();
    let report: Value = serde_json::from_str(text).unwrap();
    assert_eq!(&report, outcome(result));
    assert!(result.get("structuredContent").is_none(), "{result}");
    report
}

/// The arguments of a transfer that a human must approve.
pub(crate) fn large_transfer() -> Value {
    json!({"from_account": "operations", "to_account": "suppliers", "amount_cents": 1_250_000})
}

/// Lets a human decide, in another process.
pub(crate) fn decide(thoth: &Thoth, how: &str, token: &str) {
    thoth
        .bare()
        .args(["approvals", how, token, "--state-dir"])
        .arg(thoth.state_dir())
        .run()
        .assert_code(0);
}
