//! Hostile tools end as failed calls with a cause, and take nothing with them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use serde_json::Value;
use thoth_tests::{Faultd, Run, Thoth, table, tool};

/// What starting, compiling and delivering may add to a limit on a busy machine.
const SLACK: Duration = Duration::from_secs(20);

fn run(service: &Faultd, function: &str, flags: &[&str]) -> Run {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let call = thoth
        .call(tool("hostile"))
        .args([function, "{}", "--session-id", function]);
    call.args(["--enforcer-url", &service.url()])
        .args(flags)
        .run()
}

#[test]
fn a_hostile_tool_fails_with_a_cause() {
    let service = Faultd::start();
    // function, causes, tool timeout
    let rows: [(&str, &[&str], &str); 8] = [
        ("loops_forever", &["limit_time", "limit_fuel"], "300ms"),
        ("waits_forever", &["limit_time"], "300ms"),
        ("grows_memory", &["limit_memory"], "10s"),
        ("recurses", &["limit_stack"], "10s"),
        ("returns_huge", &["limit_result", "limit_hostcall"], "10s"),
        ("panics", &["trap"], "10s"),
        ("exits", &["exit"], "10s"),
        ("exits_in_peace", &["exit"], "10s"),
    ];
    table::each(
        &rows,
        |(function, ..)| (*function).to_owned(),
        |(function, causes, timeout)| {
            let run = run(&service, function, &["--tool-timeout", timeout]);
            let json = run.json(5);
            assert_eq!(json["outcome"], "failed", "{run}");
            let cause = json["cause"].as_str().unwrap();
            assert!(
                causes.contains(&cause),
                "cause {cause}, expected {causes:?}"
            );
            assert!(!json["reason"].as_str().unwrap().is_empty(), "{run}");
            assert_eq!(json.get("result"), None);
            assert!(run.elapsed < Duration::from_secs(10) + SLACK, "{run}");
            let events = service.event_types(function);
            assert_eq!(events, ["TOOL_CALL_PRE", "TOOL_CALL_POST"]);
        },
    );
}

#[test]
fn a_tool_that_spins_or_waits_ends_near_its_limit() {
    let service = Faultd::start();
    for function in ["loops_forever", "waits_forever"] {
        let _warm = run(&service, function, &["--tool-timeout", "1ms"]);
        let short = run(&service, function, &["--tool-timeout", "1ms"]).elapsed;
        let long = run(&service, function, &["--tool-timeout", "700ms"]).elapsed;
        let added = long.saturating_sub(short);
        assert!(
            added < Duration::from_secs(4),
            "{function}: 700 ms became {added:?}"
        );
    }
}

#[test]
fn a_tool_that_talks_too_much_does_not_reach_the_terminal() {
    let service = Faultd::start();
    let run = run(&service, "floods_output", &["--tool-timeout", "20s"]);
    assert!(
        run.stdout.lines().count() <= 1,
        "{} lines on stdout",
        run.stdout.lines().count()
    );
    assert!(
        run.stderr.len() < 64 << 10,
        "{} bytes on stderr",
        run.stderr.len()
    );
    assert!(!run.stderr.contains('\u{1b}'), "{run}");
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(
        ["completed", "failed"].contains(&json["outcome"].as_str().unwrap()),
        "{run}"
    );
}

#[test]
fn terminal_control_in_a_result_stays_one_line_of_json() {
    let service = Faultd::start();
    let run = run(&service, "returns_escapes", &[]);
    let json = run.json(0);
    assert!(
        json["result"]
            .as_str()
            .unwrap()
            .starts_with("\u{1b}]0;owned")
    );
    assert_eq!(run.stdout.lines().count(), 1);
    assert!(
        !run.stdout.contains('\u{1b}'),
        "JSON escapes control characters"
    );
}

#[test]
fn a_tool_sees_no_environment_arguments_or_files() {
    let service = Faultd::start();
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth")).env("THOTH_API_KEY", "thoth_test_k");
    let call = thoth.call(tool("hostile")).args(["looks_around", "{}"]);
    let json = call.args(["--enforcer-url", &service.url()]).run().json(0);
    assert_eq!(json["result"], serde_json::json!([]));
}
