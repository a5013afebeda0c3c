//! A disk that does not sync: what cannot be recorded does not run, and what is acknowledged is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use thoth_outbox::{Archive, Event, Options, Outbox};
use thoth_tests::{Faultd, Run, Thoth, failing_sync, tool};

const SANG: &str = "canary-sang-41c7f0";
const CHILD: &str = "THOTH_SYNCED_TEST_CHILD";
const EVENTS: usize = 12;

fn event(number: usize) -> Event {
    Event {
        id: format!("acme:{number:06}"),
        session_id: "s".into(),
        call_id: format!("call-{number}"),
        event_type: "TOOL_CALL_PRE".into(),
        body: format!("{{\"number\":{number}}}"),
        facts: String::new(),
    }
}

/// A child's part: appends one after the other to a log that is to survive a loss of power, and prints
/// what is acknowledged. The disk fails in the middle, and is mended before the last third.
#[tokio::test]
async fn child_appends_while_the_disk_fails() {
    let Some(folder) = std::env::var_os(CHILD).map(PathBuf::from) else {
        return;
    };
    let options = Options {
        power_loss: true,
        ..Options::default()
    };
    let outbox = Outbox::open(&folder.join("log.db"), "embedded", options).unwrap();
    let broken = folder.join("broken");
    for number in 0..EVENTS {
        if number == EVENTS / 3 {
            std::fs::write(&broken, "").unwrap();
        }
        if number == EVENTS * 2 / 3 {
            std::fs::remove_file(&broken).unwrap();
        }
        match outbox.append(event(number)).await {
            Ok(()) => println!("\nkept {number}"),
            Err(error) => println!("\nrefused {number} {error}"),
        }
    }
}

/// Runs the child on a disk that fails, and returns what it printed.
fn child(library: &Path, folder: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child_appends_while_the_disk_fails",
            "--nocapture",
        ])
        .env(CHILD, folder)
        .env("LD_PRELOAD", library)
        .env("FAIL_SYNC_WHILE", folder.join("broken"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !said.contains("panicked"),
        "{said}"
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_append_that_is_not_synced_is_refused_and_those_before_and_after_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = failing_sync::compile(folder.path()) else {
        return;
    };
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    private(&state);
    let said = child(&library, &state);
    let kept: Vec<usize> = said
        .lines()
        .filter_map(|line| line.strip_prefix("kept ")?.parse().ok())
        .collect();
    let refused: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("refused "))
        .collect();
    let expected: Vec<usize> = (0..EVENTS / 3).chain(EVENTS * 2 / 3..EVENTS).collect();
    assert_eq!(kept, expected, "{said}");
    assert!(
        refused.iter().all(|line| line.contains("the disk failed")),
        "{said}"
    );
    let mut found = HashSet::new();
    let archive = Archive::open(&state.join("log.db")).unwrap();
    archive
        .visit(0, |entry| {
            found.insert(entry.event.id);
            ControlFlow::Continue(())
        })
        .unwrap();
    for number in kept {
        assert!(found.contains(&event(number).id), "{number} of {found:?}");
    }
}

fn private(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// One call by a process whose syncs fail after so many.
fn sing(thoth: &Thoth, service: &Faultd, session: &str, failing: Option<(&Path, usize)>) -> Run {
    let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
    let call = call.args(["--enforcer-url", &service.url(), "--session-id", session]);
    match failing {
        None => call.run(),
        Some((library, after)) => call
            .env("LD_PRELOAD", library)
            .env("FAIL_SYNC_AFTER", after.to_string())
            .run(),
    }
}

/// The types of a session's records.
fn recorded(thoth: &Thoth, session: &str) -> Vec<String> {
    let export = thoth.bare().args(["log", "export", "--state-dir"]);
    let run = export.arg(thoth.state_dir()).run();
    // Where the log could not be made there is none.
    let records = run.stdout.lines();
    let records = records.map(|line| serde_json::from_str::<Value>(line).unwrap());
    records
        .filter(|record| record["session_id"] == session)
        .map(|record| record["event_type"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn wherever_syncing_begins_to_fail_nothing_runs_without_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = failing_sync::compile(folder.path()) else {
        return;
    };
    // In a new installation, where the log, its key and the cache are made; and in one that is there.
    let mut ran = 0;
    for is_new in [true, false] {
        for after in 0..8 {
            let (thoth, service) = (Thoth::new(env!("CARGO_BIN_EXE_thoth")), Faultd::start());
            if !is_new {
                let _ran = sing(&thoth, &service, "before", None).json(0);
            }
            let run = sing(&thoth, &service, "failing", Some((&library, after)));
            let line = format!("new {is_new}, after {after}: {run}");
            assert!(!run.stderr.contains("panicked"), "{line}");
            let types = recorded(&thoth, "failing");
            match run.status.code() {
                Some(0) => {
                    ran += 1;
                    for needed in ["TOOL_CALL_PRE", "TOOL_CALL_POST"] {
                        assert!(types.iter().any(|kind| kind == needed), "{types:?} {line}");
                    }
                }
                Some(1) => assert_eq!(run.stdout, "", "{line}"),
                Some(3) => assert!(run.stdout.contains("not_recorded"), "{line}"),
                other => panic!("{other:?}: {line}"),
            }
            assert_eq!(
                run.stdout.contains(SANG),
                run.status.code() == Some(0),
                "{line}"
            );
            // With the disk mended everything goes on, and the chain is whole.
            let _ran = sing(&thoth, &service, "after", None).json(0);
            let verify = thoth.bare().args(["log", "verify", "--state-dir"]);
            verify.arg(thoth.state_dir()).run().assert_code(0);
        }
    }
    println!("{ran} of 16 ran");
}
