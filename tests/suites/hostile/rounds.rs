//! The corpus in one process, over and over: how late a tool is stopped, and what is left behind.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::{Duration, Instant},
};

use thoth_host::{Identity, Jail, Limits, Outcome, Runtime, Session, Tool};
use thoth_tests::tool;

use super::{POLICY, row::Row, rows};

/// The most that the process may keep, after the first rounds have filled its pools and caches.
const LEFT_BEHIND: u64 = 16 << 20;

/// Rounds that fill pools and caches.
const WARM: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_rounds_in_one_process_leave_little_behind() {
    let told = play(3).await;
    println!("{told}");
    assert!(told.left_behind() <= LEFT_BEHIND, "{told}");
}

/// Minutes long, and asks for a machine that does nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes, and measures time"]
async fn two_hundred_rounds_in_one_process_leave_little_behind_and_no_tool_overstays() {
    let told = play(200).await;
    println!("{told}");
    assert!(told.left_behind() <= LEFT_BEHIND, "{told}");
    assert!(told.latest.0 <= Duration::from_millis(50), "{told}");
}

/// What the rounds came to.
struct Told {
    calls: usize,
    /// How long after its deadline the slowest call ended, and which one that was.
    latest: (Duration, String),
    before: u64,
    after: u64,
}

impl Told {
    fn left_behind(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{} hostile calls; the slowest ended {:?} after its deadline ({}); resident: {} KiB \
             before, {} KiB after",
            self.calls,
            self.latest.0,
            self.latest.1,
            self.before >> 10,
            self.after >> 10,
        )
    }
}

/// One process's worth of everything, for one time limit.
struct Process {
    runtime: Runtime,
    canary: Tool,
    _state: tempfile::TempDir,
}

impl Process {
    async fn start(time: Duration) -> Self {
        let state = tempfile::tempdir().unwrap();
        let policy = state.path().join("policy.cedar");
        std::fs::write(&policy, POLICY).unwrap();
        let mut limits = Limits::default();
        limits.time = time;
        limits.memory = 64 << 20;
        let runtime = Runtime::builder()
            .compiler(Jail::Command {
                program: env!("CARGO_BIN_EXE_thoth").into(),
                args: vec!["__compile".into()],
            })
            .policy_file(policy)
            .state_dir(state.path().join("state"))
            .limits(limits)
            .build()
            .await
            .unwrap();
        let canary = runtime.load(tool("canary")).await.unwrap();
        Self {
            runtime,
            canary,
            _state: state,
        }
    }

    fn session(&self) -> Session {
        self.runtime.session(Identity::new("acme", "bot"))
    }
}

/// Loads every row once and calls it so many times; a good call follows each.
async fn play(rounds: usize) -> Told {
    let mut processes = HashMap::new();
    let mut loaded = Vec::new();
    for row in rows().into_iter().filter(Row::is_for_one_process) {
        let time = row.time();
        if let Entry::Vacant(place) = processes.entry(time) {
            place.insert(Process::start(time).await);
        }
        let bytes = row.bytes();
        // Some may stay out as well.
        if let Ok(tool) = processes[&time].runtime.load_bytes("hostile", bytes).await {
            loaded.push((row, time, tool));
        }
    }
    let mut told = Told {
        calls: 0,
        latest: (Duration::ZERO, "none".into()),
        before: 0,
        after: 0,
    };
    for round in 0..WARM + rounds {
        if round == WARM {
            told.before = resident();
        }
        for (row, time, tool) in &loaded {
            let process = &processes[time];
            let session = process.session();
            let (function, arguments) = row.entry();
            let start = Instant::now();
            let called = session.call(tool, function, &arguments).await.unwrap();
            let late = start.elapsed().saturating_sub(*time);
            if round >= WARM {
                told.calls += 1;
                if late > told.latest.0 {
                    told.latest = (late, row.name());
                }
            }
            assert!(
                !matches!(called.outcome, Outcome::Refused(_) | Outcome::Pending(_)),
                "{}: {called:?}",
                row.name()
            );
            let sung = session
                .call(&process.canary, "sing", r#"{"note":"on"}"#)
                .await;
            match sung.unwrap().outcome {
                Outcome::Completed(result) => assert_eq!(result, r#""canary-sang-41c7f0:on""#),
                other => panic!("after {}: {other:?}", row.name()),
            }
        }
    }
    told.after = resident();
    told
}

/// Memory of this process that is in use, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kibibytes << 10
}
