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
use thoth_tests::{Thoth, thoth::Invocation, tool, tools};

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
        run.assert_code(0).stdout.starts_with("whole: 4 records"),
        "{run}"
    );
    assert_eq!(run.stderr, "");
}

#[test]
fn a_removed_end_is_found_by_a_copy_of_the_checkpoints() {
    let thoth = thoth();
    read(&thoth, "travel.md");
    let before = thoth.path("before.db");
    fs::copy(thoth.state_dir().join("events.db"), &before).unwrap();
    read(&thoth, "hr/salaries.md");
    let elsewhere = thoth.path("elsewhere.checkpoints");
    fs::copy(thoth.state_dir().join("events.db.checkpoints"), &elsewhere).unwrap();
    // The older state of the file is whole by itself.
    let run = thoth
        .bare()
        .args(["log", "verify", "--log"])
        .arg(&before)
        .run();
    assert!(
        run.assert_code(0)
            .stdout
            .contains("signed through record 0 by nobody"),
        "{run}"
    );
    let run = thoth
        .bare()
        .args(["log", "verify", "--log"])
        .arg(&before)
        .arg("--checkpoints")
        .arg(&elsewhere)
        .run();
    assert_eq!(
        run.assert_code(1).stdout.trim(),
        "NOT WHOLE: records 3 to 4 were removed from the end: a checkpoint was signed for them; the 2 \
         records before are right"
    );
}

#[test]
fn a_flipped_bit_in_a_record_is_found_and_the_record_named() {
    let thoth = thoth();
    two_calls(&thoth);
    let file = thoth.state_dir().join("events.db");
    let mut bytes = fs::read(&file).unwrap();
    let word = b"\"event_phase\":\"block\"";
    let at = bytes
        .windows(word.len())
        .rposition(|at| at == word)
        .unwrap();
    bytes[at + 16] ^= 1;
    fs::write(&file, bytes).unwrap();
    let run = log(&thoth, "verify").run();
    assert!(
        run.assert_code(1)
            .stdout
            .starts_with("NOT WHOLE: record 4 (event `"),
        "{run}"
    );
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
    assert!(shown[0].contains("#2  ran  read_doc  ALLOW"), "{run}");
    assert!(
        shown[2].contains("#4  refused  read_doc  BLOCK  (hr_documents)  by bot@"),
        "{run}"
    );
    let mut tail = log(&thoth, "tail")
        .args(["--follow", "--json", "-n", "0"])
        .spawn();
    read(&thoth, "travel.md");
    let line = tail.stdout_line(|line| line.contains("TOOL_CALL_POST"));
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["index"], 6);
    tail.interrupt();
    tail.wait().assert_code(0);
}

#[test]
fn an_export_is_a_chain_of_json_lines() {
    let thoth = thoth();
    two_calls(&thoth);
    let run = log(&thoth, "export").run();
    let records = lines(&run.assert_code(0).stdout);
    assert_eq!(records.len(), 4);
    for pair in records.windows(2) {
        assert_eq!(pair[1]["previous_hash"], pair[0]["hash"]);
    }
    assert_eq!(records[0]["body"]["tool_name"], "read_doc");
    let after = log(&thoth, "export").args(["--after", "2"]).run();
    assert_eq!(lines(&after.stdout), records[2..]);
    let run = log(&thoth, "export").args(["--format", "ocsf"]).run();
    let events = lines(&run.assert_code(0).stdout);
    assert_eq!(events[3]["class_uid"], 6003);
    assert_eq!(events[3]["disposition_id"], 2);
    assert_eq!(events[3]["metadata"]["sequence"], 4);
    assert_eq!(events[3]["actor"]["user"]["uid"], "sam");
}

#[test]
fn the_status_says_what_was_delivered() {
    let thoth = thoth();
    two_calls(&thoth);
    let status = log(&thoth, "status").arg("--json").run().json(0);
    assert_eq!(status["records"], 4);
    assert_eq!(status["destinations"][0]["destination"], "embedded");
    assert_eq!(status["destinations"][0]["delivered"], 4);
    assert_eq!(status["destinations"][0]["waiting"], 0);
    let run = log(&thoth, "status").run();
    assert!(
        run.stdout
            .contains("embedded: 4 delivered, 0 waiting (0 KiB)"),
        "{run}"
    );
}
