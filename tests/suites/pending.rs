//! A thousand calls that wait for a human in one process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thoth_enforcer::{ApprovalStatus, Resolution, Store};
use thoth_host::{Identity, Jail, Outcome, Runtime, Session};
use thoth_tests::{Answer, Faultd, Site, Thoth, tool};

const CALLS: usize = 1000;
const MEMORY_MAX: u64 = 64 * 1024;

/// Bytes of this process that are in memory and nobody else's.
fn memory() -> u64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let private = rollup
        .lines()
        .filter(|line| line.starts_with("Private_Dirty:"));
    let kilobytes = private.map(|line| {
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    });
    kilobytes.sum::<u64>() * 1024
}

async fn runtime(state: &std::path::Path, seconds: u32) -> Runtime {
    let policy = state.join("policy.cedar");
    let text = format!(
        r#"@decision("STEP_UP") @step_up_seconds("{seconds}") permit (principal, action, resource);"#
    );
    std::fs::write(&policy, text).unwrap();
    let builder = Runtime::builder().policy_file(policy).state_dir(state);
    builder.compiler(Jail::InProcess).build().await.unwrap()
}

fn session(runtime: &Runtime) -> Arc<Session> {
    Arc::new(runtime.session(Identity::new("acme", "bot").user("sam")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_waiting_calls_cost_little_and_each_gets_its_own_answer() {
    let state = tempfile::tempdir().unwrap();
    let runtime = runtime(state.path(), 3600).await;
    let canary = runtime.load(tool("canary")).await.unwrap();
    let session = session(&runtime);
    let call = async |number: usize| {
        let arguments = format!(r#"{{"note":"{number}"}}"#);
        session.call(&canary, "sing", &arguments).await.unwrap()
    };
    // What is made once is made before it is counted.
    let mut pending = Vec::new();
    for number in 0..50 {
        pending.push(call(number).await);
    }
    let before = memory();
    for number in 50..CALLS {
        pending.push(call(number).await);
    }
    let waiting: Vec<_> = pending
        .into_iter()
        .map(|call| {
            let session = Arc::clone(&session);
            tokio::spawn(async move { session.wait(call, None).await })
        })
        .collect();
    let store = Store::open(&state.path().join("enforcer.db")).unwrap();
    let holds = store.approvals(Some(ApprovalStatus::Pending)).unwrap();
    assert_eq!(holds.len(), CALLS);
    let each = memory().saturating_sub(before) / (CALLS as u64 - 50);
    assert!(each <= MEMORY_MAX, "{each} bytes for each");
    println!("{each} bytes for each of {CALLS} waiting calls");

    // Every third one is denied; nobody gets the answer to another.
    for (at, hold) in holds.iter().enumerate() {
        let resolution = if at % 3 == 0 {
            Resolution::Deny
        } else {
            Resolution::Approve
        };
        store.resolve(&hold.token, resolution, "ann", None).unwrap();
    }
    for (number, call) in waiting.into_iter().enumerate() {
        let hold = &holds[number];
        assert_eq!(hold.arguments, format!(r#"{{"note":"{number}"}}"#));
        match call.await.unwrap().outcome {
            Outcome::Completed(result) if number % 3 != 0 => {
                assert_eq!(result, format!(r#""canary-sang-41c7f0:{number}""#));
            }
            Outcome::Refused(refusal) if number % 3 == 0 => {
                assert_eq!(refusal.cause.as_str(), "denied");
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    runtime.close(Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_calls_that_nobody_decides_are_refused_when_their_time_is_over() {
    let state = tempfile::tempdir().unwrap();
    let runtime = runtime(state.path(), 5).await;
    let canary = runtime.load(tool("canary")).await.unwrap();
    let session = session(&runtime);
    let mut waiting = Vec::new();
    for _ in 0..CALLS {
        let call = session
            .call(&canary, "sing", r#"{"note":"a"}"#)
            .await
            .unwrap();
        let (session, since) = (Arc::clone(&session), Instant::now());
        waiting.push(tokio::spawn(async move {
            let call = session.wait(call, None).await;
            (call, since.elapsed())
        }));
    }
    let mut last = Duration::ZERO;
    for waited in waiting {
        let (call, took) = waited.await.unwrap();
        match call.outcome {
            Outcome::Refused(refusal) => assert_eq!(refusal.cause.as_str(), "expired"),
            other => panic!("{other:?}"),
        }
        assert!(took >= Duration::from_secs(4), "{took:?} is too soon");
        last = last.max(took);
    }
    println!("the last of {CALLS} holds of 5 s was refused after {last:?}");
    assert!(last < Duration::from_secs(20), "{last:?} is too late");
    runtime.close(Duration::from_secs(30)).await;
}

#[test]
fn an_approval_ends_with_the_policies_that_asked_for_it() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let policy = |text: &str| thoth.file("policy.cedar", text);
    let ask =
        r#"@decision("STEP_UP") @step_up_seconds("900") permit (principal, action, resource);"#;
    let sing = |policy: &Path, more: &[&str]| {
        let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
        let call = call.arg("--policy").arg(policy).args(["--wait", "0s"]);
        call.args(["--session-id", "s-1"]).args(more).run()
    };
    let held = sing(&policy(ask), &[]).json(4);
    let token = held["hold_token"].as_str().unwrap();
    let approve = thoth
        .bare()
        .args(["approvals", "approve", token, "--state-dir"]);
    let _line = approve.arg(thoth.state_dir()).run().assert_code(0);
    // Meanwhile somebody forbids it.
    let changed = format!("{ask}\nforbid (principal, action, resource == Tool::\"sing\");");
    let run = sing(&policy(&changed), &["--resume", "--hold", token]);
    let refused = run.json(3);
    assert_eq!(
        refused["decision_reason_code"], "hold_other_policy",
        "{run}"
    );
    assert!(!run.stdout.contains("canary-sang"), "{run}");
}

#[test]
fn a_held_call_is_picked_up_by_the_next_process_once_and_as_it_was_held() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let policy = thoth.file(
        "policy.cedar",
        r#"@decision("STEP_UP") @step_up_seconds("900") permit (principal, action, resource);"#,
    );
    let sing_with = |component: &Path, function: &str, note: &str, more: &[&str]| {
        let arguments = format!(r#"{{"note":"{note}"}}"#);
        let call = thoth.call(component).args([function, &arguments]);
        let call = call.arg("--policy").arg(&policy).args(["--wait", "0s"]);
        call.args(["--tenant-id", "acme", "--agent-id", "bot"])
            .args(more)
            .run()
    };
    let canary = tool("canary");
    let sing = |function: &str, note: &str, more: &[&str]| sing_with(&canary, function, note, more);
    let held = sing("sing", "a", &["--session-id", "s-1"]).json(4);
    let token = held["hold_token"].as_str().unwrap();
    let again = |note: &str, session: &str, token: &str| {
        sing(
            "sing",
            note,
            &["--session-id", session, "--resume", "--hold", token],
        )
    };
    // Nobody has decided, whoever asks.
    assert_eq!(again("a", "s-1", token).json(4)["call_id"], held["call_id"]);
    let approve = thoth
        .bare()
        .args(["approvals", "approve", token, "--state-dir"]);
    let _line = approve.arg(thoth.state_dir()).run().assert_code(0);

    let other = sing("sing", "a", &["--session-id", "s-2"]).json(4);
    let other_token = other["hold_token"].as_str().unwrap();
    for (run, expected) in [
        (again("b", "s-1", token), "it is for other arguments"),
        (again("a", "s-2", token), "session `s-2` has no such hold"),
        (
            again("a", "s-1", other_token),
            "session `s-1` has no such hold",
        ),
        (
            again("a", "s-1", "hold_0"),
            "session `s-1` has no such hold",
        ),
    ] {
        let error = run.error(2);
        assert!(error.contains(expected), "{error}");
    }
    // The same functions, but not the same bytes: an empty custom section more.
    let mut bytes = std::fs::read(&canary).unwrap();
    bytes.extend([0, 2, 1, b'x']);
    let altered = thoth.file("altered.wasm", bytes);
    let picked = ["--session-id", "s-1", "--resume", "--hold", token];
    let error = sing_with(&altered, "sing", "a", &picked);
    assert!(
        error.error(2).contains("it is for another component"),
        "{error}"
    );
    let ran = again("a", "s-1", token).json(0);
    assert_eq!(ran["result"], "canary-sang-41c7f0:a");
    assert_eq!(ran["call_id"], held["call_id"]);
    let replayed = again("a", "s-1", token);
    assert!(replayed.error(2).contains("has ended"), "{replayed}");
}

/// An enforcer that knows no claims tells everybody that a hold is approved.
#[test]
fn of_processes_that_come_back_to_one_approval_at_once_one_runs_the_call() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let service = Faultd::start();
    service.enforce(Answer::step_up("hold-7"));
    let canary = tool("canary");
    let sing = |more: &[&str]| {
        let call = thoth.call(&canary).args(["sing", r#"{"note":"a"}"#]);
        let call = call.arg("--enforcer-url").arg(service.url());
        call.args(["--wait", "0s", "--session-id", "s-1"])
            .args(more)
            .run()
    };
    let _held = sing(&[]).json(4);
    service.hold(Answer::resolved("hold-7", "ALLOW"));
    let runs: Vec<_> = std::thread::scope(|scope| {
        let again = || sing(&["--resume", "--hold", "hold-7"]);
        let runs: Vec<_> = (0..6).map(|_| scope.spawn(again)).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let sang = runs.iter().filter(|run| run.stdout.contains("canary-sang"));
    assert_eq!(sang.count(), 1, "{runs:#?}");
    for run in runs
        .iter()
        .filter(|run| !run.stdout.contains("canary-sang"))
    {
        assert!(run.to_string().contains("for one run"), "{run}");
        // Some come when the call has ended, others at the same time.
        if run.status.code() != Some(2) {
            assert_eq!(run.json(3)["cause"], "invalid_hold", "{run}");
        }
    }
    // And whoever came too late is not said to have run it, nor remembered for it.
    service.enforce(Answer::allow());
    let _next = sing(&["--resume"]).json(0);
    let mut ends = service.event_types("s-1");
    ends.retain(|kind| kind == "TOOL_CALL_POST");
    assert_eq!(ends.len(), 2, "of the approved call, and of the next");
    let asked = service.requests_to(Site::Enforce);
    assert_eq!(
        asked[asked.len() - 1].json()["session_tool_calls"],
        serde_json::json!(["sing", "sing"])
    );
}

#[test]
fn a_held_call_that_is_picked_up_has_the_grounds_and_the_time_of_the_first_decision() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let service = Faultd::start();
    let held = Answer::step_up("hold-7").with("violation_id", "v-1");
    let held = held.with("decision_reason_code", "large");
    service.enforce(held.with("step_up_timeout_seconds", 1));
    let canary = tool("canary");
    let sing = |more: &[&str]| {
        let call = thoth.call(&canary).args(["sing", r#"{"note":"a"}"#]);
        let call = call.arg("--enforcer-url").arg(service.url());
        call.args(["--session-id", "s-1"]).args(more).run()
    };
    let again = ["--resume", "--hold", "hold-7"];
    // Nobody decides, so it is asked about once a process until its second is over.
    service.hold(Answer::unresolved("hold-7"));
    let begun = std::time::Instant::now();
    let _held = sing(&["--wait", "0s"]).json(4);
    let over = loop {
        let run = sing(&[&again[..], &["--wait", "0s"]].concat());
        if run.status.code() == Some(3) {
            break run.json(3);
        }
        let _held = run.json(4);
        assert!(
            begun.elapsed().as_secs() < 60,
            "its time begins anew each time"
        );
    };
    assert_eq!(
        [
            &over["cause"],
            &over["violation_id"],
            &over["decision_reason_code"]
        ],
        ["expired", "v-1", "large"]
    );
}
