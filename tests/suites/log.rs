//! `thoth log`: what an auditor sees, and what tampering looks like.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use thoth_tests::{Faultd, Reply, Site, Thoth, thoth::Invocation, tool, tools};

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

fn policy() -> PathBuf {
    tools::workspace().join("host/examples/policy.cedar")
}

fn read(thoth: &Thoth, path: &str) -> Value {
    let arguments = json!({"path": path}).to_string();
    let call = thoth
        .call(tool("docs-search"))
        .args(["read_doc", &arguments]);
    let call = call.args(["--agent-id", "bot", "--user-id", "sam"]);
    let run = call.arg("--policy").arg(policy()).run();
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run}"))
}

fn log(thoth: &Thoth, command: &str) -> Invocation {
    thoth
        .bare()
        .args(["log", command, "--state-dir"])
        .arg(thoth.state_dir())
}

/// One allowed and one refused call, and their ids.
fn two_calls(thoth: &Thoth) -> (String, String) {
    let allowed = read(thoth, "travel.md");
    assert_eq!(allowed["outcome"], "completed");
    let refused = read(thoth, "hr/salaries.md");
    assert_eq!(refused["outcome"], "refused");
    let id = |call: Value| call["call_id"].as_str().unwrap().to_owned();
    (id(allowed), id(refused))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_log_is_whole_and_says_how_far_it_is_signed() {
    let thoth = thoth();
    two_calls(&thoth);
    let report = log(&thoth, "verify").arg("--json").run().json(0);
    assert_eq!(report["whole"], true, "{report}");
    assert_eq!(report["records"], report["signed_through"]);
    let run = log(&thoth, "verify").run();
    assert!(
        run.assert_code(0).stdout.starts_with("whole: 8 records"),
        "{run}"
    );
    assert_eq!(run.stderr, "");
}

/// Does what somebody does who can write to the file.
fn tamper(thoth: &Thoth, sql: &str) {
    let log = rusqlite::Connection::open(thoth.state_dir().join("events.db")).unwrap();
    assert!(log.execute(sql, []).unwrap() > 0);
}

#[test]
fn a_removed_end_is_found_by_a_copy_of_the_checkpoints() {
    let thoth = thoth();
    two_calls(&thoth);
    let beside = thoth.state_dir().join("events.db.checkpoints");
    let elsewhere = thoth.path("elsewhere");
    fs::copy(&beside, &elsewhere).unwrap();
    tamper(&thoth, "DELETE FROM event WHERE seq > 6");
    let found = "NOT WHOLE: records 7 to 8 were removed from the end: a checkpoint was signed for them; \
                 the 6 records before are right";
    let run = log(&thoth, "verify").run();
    assert_eq!(run.assert_code(1).stdout.trim(), found);
    // Who removes the checkpoint as well has to reach the copy of it.
    let text = fs::read_to_string(&beside).unwrap();
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("\"index\":8,"))
        .collect();
    fs::write(&beside, kept.join("\n")).unwrap();
    assert!(
        log(&thoth, "verify")
            .run()
            .assert_code(0)
            .stdout
            .starts_with("whole: 6 records")
    );
    let run = log(&thoth, "verify")
        .arg("--checkpoints")
        .arg(&elsewhere)
        .run();
    assert_eq!(run.assert_code(1).stdout.trim(), found);
}

#[test]
fn a_changed_record_is_found_and_named() {
    let thoth = thoth();
    two_calls(&thoth);
    tamper(
        &thoth,
        "UPDATE event SET body = replace(body, 'hr_documents', 'other') WHERE seq = 7",
    );
    let report = log(&thoth, "verify").arg("--json").run().json(1);
    assert_eq!(report["whole"], false);
    assert_eq!(report["records"], 6);
    let flaw = report["flaw"].as_str().unwrap();
    assert!(flaw.starts_with("record 7 (event `"), "{flaw}");
}

#[test]
fn a_call_is_told_as_a_story() {
    let thoth = thoth();
    let (allowed, refused) = two_calls(&thoth);
    let story = log(&thoth, "show").args([&allowed, "--json"]).run().json(0);
    assert_eq!(story["outcome"], "completed");
    assert_eq!(story["agent"], "bot");
    assert_eq!(story["user"], "sam");
    assert_eq!(story["decision"]["authorization_decision"], "ALLOW");
    // SHA-256 of {"path":"travel.md"}.
    let digest = "484bdca702d21bb52f1bd978bea28e5e4601101eef26b2a2a8e0d5f9ee511434";
    assert_eq!(story["arguments_sha256"], digest);
    assert_eq!(story["component"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(story["component"]["limits"]["time_ms"], 30_000);
    assert_eq!(story["result"]["sha256"].as_str().unwrap().len(), 64);
    assert!(story["usage"]["fuel"].as_u64().unwrap() > 0);
    let run = log(&thoth, "show").arg(&refused[..8]).run();
    let text = &run.assert_code(0).stdout;
    assert!(
        text.starts_with(&format!("read_doc refused  (call {refused})")),
        "{run}"
    );
    assert!(text.contains("hr_documents"), "{run}");
    assert!(!text.contains("salaries"), "arguments are digests: {run}");
}

#[test]
fn who_asks_for_no_call_is_told_so() {
    let thoth = thoth();
    let missing = log(&thoth, "show").arg("x").run();
    assert!(missing.error(1).contains("there is no log at"), "{missing}");
    two_calls(&thoth);
    let none = log(&thoth, "show").arg("x").run();
    assert!(none.error(1).contains("no call begins with `x`"), "{none}");
    let many = log(&thoth, "show").arg("").run();
    assert!(many.error(1).contains("several calls begin with"), "{many}");
}

#[test]
fn the_last_records_are_shown_and_new_ones_as_they_come() {
    let thoth = thoth();
    two_calls(&thoth);
    let run = log(&thoth, "tail").args(["-n", "3"]).run();
    let shown: Vec<&str> = run.assert_code(0).stdout.lines().collect();
    assert_eq!(shown.len(), 3, "{run}");
    assert!(shown[0].contains("#6  asked  read_doc  by bot@"), "{run}");
    assert!(
        shown[1].contains("#7  refused  read_doc  BLOCK  (hr_documents)  by bot@"),
        "{run}"
    );
    assert!(shown[2].contains("#8  SESSION_END"), "{run}");
    let mut tail = log(&thoth, "tail")
        .args(["--follow", "--json", "-n", "0"])
        .spawn();
    read(&thoth, "travel.md");
    let line =
        tail.stdout_line(|line| line.contains("TOOL_CALL_POST") && line.contains("read_doc"));
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["index"], 11);
    tail.interrupt();
    tail.wait().assert_code(0);
}

#[test]
fn an_export_is_a_chain_of_json_lines() {
    let thoth = thoth();
    two_calls(&thoth);
    let run = log(&thoth, "export").run();
    let records = lines(&run.assert_code(0).stdout);
    assert_eq!(records.len(), 8);
    for pair in records.windows(2) {
        assert_eq!(pair[1]["previous_hash"], pair[0]["hash"]);
    }
    assert_eq!(records[1]["body"]["tool_name"], "read_doc");
    let after = log(&thoth, "export").args(["--after", "2"]).run();
    assert_eq!(lines(&after.stdout), records[2..]);
    let run = log(&thoth, "export").args(["--format", "ocsf"]).run();
    let events = lines(&run.assert_code(0).stdout);
    assert_eq!(events[6]["class_uid"], 6003);
    assert_eq!(events[6]["disposition_id"], 2);
    assert_eq!(events[6]["metadata"]["sequence"], 7);
    assert_eq!(events[6]["actor"]["user"]["uid"], "sam");
}

#[test]
fn the_status_says_what_was_delivered() {
    let thoth = thoth();
    two_calls(&thoth);
    let status = log(&thoth, "status").arg("--json").run().json(0);
    assert_eq!(status["records"], 8);
    assert_eq!(status["destinations"][0]["destination"], "embedded");
    assert_eq!(status["destinations"][0]["delivered"], 8);
    assert_eq!(status["destinations"][0]["waiting"], 0);
    let run = log(&thoth, "status").run();
    assert!(
        run.stdout
            .contains("embedded: 8 delivered, 0 waiting (0 KiB)"),
        "{run}"
    );
}

#[test]
fn a_session_goes_on_by_its_id_with_its_history_and_budget() {
    let (thoth, service) = (thoth(), Faultd::start());
    let sing = |more: &[&str]| {
        let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
        let call = call.args(["--enforcer-url", &service.url(), "--session-id", "s-1"]);
        call.args(more).run()
    };
    let none = sing(&["--resume"]);
    assert!(
        none.error(2).contains("the log has no session `s-1`"),
        "{none}"
    );
    assert_eq!(sing(&[]).json(0)["outcome"], "completed");
    assert_eq!(sing(&["--resume"]).json(0)["outcome"], "completed");
    let history =
        service.requests_to(Site::Enforce).last().unwrap().json()["session_tool_calls"].clone();
    assert_eq!(history, json!(["sing", "sing"]));
    let refused = sing(&["--resume", "--session-calls", "2"]).json(3);
    assert_eq!(refused["cause"], "budget");
    assert_eq!(
        service.requests_to(Site::Enforce).len(),
        2,
        "nobody was asked"
    );
    assert_eq!(
        service.event_types("s-1").last().unwrap(),
        "TOOL_CALL_BLOCK"
    );
    let other = sing(&["--resume", "--agent-id", "other"]);
    assert!(
        other.error(2).contains("was begun with the agent_id"),
        "{other}"
    );
    let types: Vec<_> = lines(&log(&thoth, "export").run().stdout)
        .iter()
        .map(|record| record["event_type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        types.iter().filter(|kind| *kind == "SESSION_START").count(),
        3
    );
    assert_eq!(
        types.iter().filter(|kind| *kind == "SESSION_END").count(),
        3
    );
}

#[test]
fn a_hold_and_its_approval_are_records_and_the_approver_is_in_the_story() {
    let thoth = thoth();
    let payment =
        json!({"from_account": "payroll", "to_account": "suppliers", "amount_cents": 1_000_000});
    let call = thoth
        .call(tool("ledger"))
        .args(["transfer", &payment.to_string()]);
    let mut running = call.arg("--policy").arg(policy()).spawn();
    let line = running.stderr_line(|line| line.contains("waits for approval"));
    let token = line.split("approvals approve ").nth(1).unwrap();
    let token = token.split([' ', '`']).next().unwrap().to_owned();
    let approve = thoth
        .bare()
        .args(["approvals", "approve", &token, "--reason", "checked"]);
    let approve = approve.arg("--state-dir").arg(thoth.state_dir());
    approve.env("USER", "ann").run().assert_code(0);
    let call = running.wait().json(0);
    let id = call["call_id"].as_str().unwrap();
    let story = log(&thoth, "show").args([id, "--json"]).run().json(0);
    let types: Vec<_> = story["records"].as_array().unwrap().iter().collect();
    let types: Vec<_> = types
        .iter()
        .map(|record| record["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        ["TOOL_CALL_PRE", "HOLD", "APPROVAL", "TOOL_CALL_POST"]
    );
    assert_eq!(story["decision"]["reason"], "approved by ann: checked");
    assert_eq!(story["outcome"], "completed");
}

#[test]
fn the_log_keeps_of_arguments_and_results_what_the_operator_says() {
    let thoth = thoth();
    for (keep, arguments) in [
        ("digest", json!(null)),
        ("masked", json!({"path": "<9 characters>"})),
        ("full", json!({"path": "travel.md"})),
    ] {
        let component = tool("docs-search");
        let config = format!("[tools.docs]\ncomponent = {component:?}\nkeep = \"{keep}\"\n");
        let file = thoth.file("thoth.toml", config);
        let call = thoth
            .call(&component)
            .args(["read_doc", r#"{"path":"travel.md"}"#]);
        let call = call
            .arg("--policy")
            .arg(policy())
            .arg("--config")
            .arg(file)
            .run()
            .json(0);
        let id = call["call_id"].as_str().unwrap();
        let story = log(&thoth, "show").args([id, "--json"]).run().json(0);
        assert_eq!(story["arguments"], arguments, "{keep}");
        assert_eq!(
            story["result"]["text"].is_null(),
            keep == "digest",
            "{keep}"
        );
    }
}

#[test]
fn what_waits_can_be_delivered_without_a_call() {
    let (thoth, service) = (thoth(), Faultd::start());
    let away = "http://127.0.0.1:9";
    let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
    service.always(Site::Events, Reply::json(503, "{}"));
    let call = call.args(["--enforcer-url", &service.url()]);
    assert_eq!(call.run().json(0)["outcome"], "completed");
    let deliver = |url: &str| log(&thoth, "deliver").args(["--enforcer-url", url, "--json"]);
    let other = deliver(away).run().json(0);
    assert_eq!(
        other["delivered"], 0,
        "its events are not for another enforcer"
    );
    let late = deliver(&service.url()).args(["--wait", "0s"]).run().json(1);
    // The call and its session, each with two.
    assert_eq!(late["waiting"], 4);
    service.always(Site::Events, Reply::json(202, "{}"));
    let report = deliver(&service.url()).run().json(0);
    assert_eq!(report["delivered"], 4);
    assert_eq!(report["waiting"], 0);
}
