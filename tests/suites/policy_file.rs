//! The five verdicts by a policy file in the same process, as the README shows them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::PathBuf;

use serde_json::{Value, json};
use thoth_tests::{Thoth, thoth::Invocation, tool, tools};

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

fn policy() -> PathBuf {
    tools::workspace().join("host/examples/policy.cedar")
}

fn call(thoth: &Thoth, component: &str, function: &str, arguments: &Value) -> Invocation {
    let call = thoth
        .call(tool(component))
        .args([function, &arguments.to_string()]);
    call.arg("--policy").arg(policy())
}

#[test]
fn the_policy_of_the_examples_is_valid() {
    let run = thoth()
        .bare()
        .args(["enforcer", "check"])
        .arg(policy())
        .run();
    assert!(run.assert_code(0).stdout.contains("is valid"), "{run}");
    assert_eq!(run.stderr, "");
}

#[test]
fn searching_is_allowed() {
    let json = call(
        &thoth(),
        "docs-search",
        "search_docs",
        &json!({"query": "hotel"}),
    )
    .run()
    .json(0);
    assert_eq!(json["result"][0]["path"], "travel.md");
}

#[test]
fn reading_is_allowed_but_for_personnel_files() {
    let thoth = thoth();
    let read = |path: &str| call(&thoth, "docs-search", "read_doc", &json!({"path": path})).run();
    assert_eq!(read("travel.md").json(0)["outcome"], "completed");
    let json = read("hr/salaries.md").json(3);
    assert_eq!(json["cause"], "policy");
    assert_eq!(json["decision_reason_code"], "hr_documents");
    assert_eq!(json["action_classification"], "read");
    assert_eq!(json["reason"], "personnel files are not for agents");
    assert!(json["violation_id"].is_string(), "{json}");
}

#[test]
fn a_large_transfer_waits_for_a_human_and_runs_once_approved() {
    let thoth = thoth();
    let payment =
        json!({"from_account": "payroll", "to_account": "suppliers", "amount_cents": 1_000_000});
    let mut running = call(&thoth, "ledger", "transfer", &payment).spawn();
    let line = running.stderr_line(|line| line.contains("waits for approval"));
    assert!(
        line.contains("a transfer of 10,000.00 or more needs an approval"),
        "{line}"
    );

    let list = thoth
        .bare()
        .args(["approvals", "list", "--json", "--state-dir"])
        .arg(thoth.state_dir())
        .run();
    let holds: Value = serde_json::from_str(&list.assert_code(0).stdout).unwrap();
    let hold = &holds[0];
    assert_eq!(hold["tool_name"], "transfer");
    assert_eq!(hold["arguments"], payment);
    let token = hold["token"].as_str().unwrap();
    let approve = thoth
        .bare()
        .args(["approvals", "approve", token, "--state-dir"]);
    approve.arg(thoth.state_dir()).run().assert_code(0);

    let json = running.wait().json(0);
    assert_eq!(json["result"]["to_balance_cents"], 1_740_000);
}

#[test]
fn a_large_transfer_that_is_denied_does_not_run() {
    let thoth = thoth();
    let payment =
        json!({"from_account": "payroll", "to_account": "suppliers", "amount_cents": 1_000_000});
    let mut running = call(&thoth, "ledger", "transfer", &payment).spawn();
    let _line = running.stderr_line(|line| line.contains("waits for approval"));
    let list = thoth
        .bare()
        .args(["approvals", "list", "--json", "--state-dir"])
        .arg(thoth.state_dir())
        .run();
    let holds: Value = serde_json::from_str(&list.stdout).unwrap();
    let token = holds[0]["token"].as_str().unwrap();
    let deny = thoth.bare().args([
        "approvals",
        "deny",
        token,
        "--reason",
        "wrong account",
        "--state-dir",
    ]);
    deny.arg(thoth.state_dir()).run().assert_code(0);
    let json = running.wait().json(3);
    assert_eq!(json["cause"], "denied");
    assert!(
        json["reason"].as_str().unwrap().contains("wrong account"),
        "{json}"
    );
}

#[test]
fn an_approval_is_for_one_call_and_no_other() {
    let thoth = thoth();
    let payment = |cents: u64| json!({"from_account": "payroll", "to_account": "suppliers", "amount_cents": cents});
    let first = call(&thoth, "ledger", "transfer", &payment(1_000_000))
        .args(["--wait", "0s"])
        .run()
        .json(4);
    let token = first["hold_token"].as_str().unwrap();
    let approve = thoth
        .bare()
        .args(["approvals", "approve", token, "--state-dir"]);
    approve.arg(thoth.state_dir()).run().assert_code(0);
    // The same call again and a larger one: each is a question of its own.
    for cents in [1_000_000, 2_000_000] {
        let json = call(&thoth, "ledger", "transfer", &payment(cents))
            .args(["--wait", "0s"])
            .run()
            .json(4);
        assert_eq!(json["outcome"], "pending");
        assert_ne!(json["hold_token"], first["hold_token"]);
    }
}

#[test]
fn a_small_transfer_runs_and_one_offshore_never_does() {
    let thoth = thoth();
    let transfer = |to: &str, cents: u64| {
        let payment =
            json!({"from_account": "operations", "to_account": to, "amount_cents": cents});
        call(&thoth, "ledger", "transfer", &payment)
            .args(["--wait", "0s"])
            .run()
    };
    let receipt = &transfer("suppliers", 12_500).json(0)["result"];
    assert_eq!(receipt["from_balance_cents"], 2_487_500);
    for cents in [1, 12_500, 1_000_000] {
        let json = transfer("offshore-1", cents).json(3);
        assert_eq!(json["decision_reason_code"], "blocked_account");
    }
}

#[test]
fn an_export_leaves_without_internal_notes_whatever_was_asked_for() {
    let thoth = thoth();
    let text = json!({
        "title": "Report",
        "body": "All is well.\n[internal] It is not.",
        "format": "plain",
        "include_internal": true,
    });
    let json = call(&thoth, "exporter", "export_text", &text).run().json(0);
    assert_eq!(json["result"], "Report\n\nAll is well.\n");
}

#[test]
fn closing_the_books_is_deferred() {
    let thoth = thoth();
    let json = call(
        &thoth,
        "ledger",
        "close_books",
        &json!({"month": "2026-03"}),
    )
    .run()
    .json(3);
    assert_eq!(json["cause"], "deferred");
    assert_eq!(json["retry_after_seconds"], 3600);
    assert_eq!(json["decision_reason_code"], "outside_closing_hours");
}

#[test]
fn what_no_rule_covers_is_blocked() {
    let thoth = thoth();
    for (component, function, arguments) in [
        ("ledger", "balance", json!({"account": "payroll"})),
        ("canary", "tarpit", json!({"note": "x"})),
    ] {
        let json = call(&thoth, component, function, &arguments).run().json(3);
        assert_eq!(json["cause"], "policy");
    }
}

#[test]
fn a_rule_that_errors_is_a_block_even_where_another_permits() {
    let thoth = thoth();
    let file = thoth.file(
        "errs.cedar",
        "//! type Arguments = { amount_cents?: Long };\n\
         permit(principal, action, resource);\n\
         forbid(principal, action, resource)\n\
         when { context.arguments has amount_cents && context.arguments.amount_cents * 9223372036854775807 > 5 };\n",
    );
    let payment =
        json!({"from_account": "operations", "to_account": "suppliers", "amount_cents": 12_500});
    let call = thoth
        .call(tool("ledger"))
        .args(["transfer", &payment.to_string()]);
    let json = call.arg("--policy").arg(file).run().json(3);
    assert_eq!(json["outcome"], "refused");
}
