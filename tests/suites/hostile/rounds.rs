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
    assert!(told.late(1.0).0 <= Duration::from_millis(50), "{told}");
}

/// What the rounds came to.
#[derive(Default)]
struct Told {
    /// How long after its deadline each call ended, recording and deciding included, and which one
    /// it was; in order, once all are there.
    late: Vec<(Duration, String)>,
    /// Memory in use before the rounds, and after each tenth of them.
    resident: Vec<u64>,
}

impl Told {
    fn left_behind(&self) -> u64 {
        let before = self.resident.first().copied().unwrap_or(0);
        self.resident
            .last()
            .copied()
            .unwrap_or(0)
            .saturating_sub(before)
    }

    /// The call that this share of all was not later than.
    fn late(&self, share: f64) -> &(Duration, String) {
        &self.late[((self.late.len() - 1) as f64 * share) as usize]
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kibibytes: Vec<u64> = self.resident.iter().map(|bytes| bytes >> 10).collect();
        write!(
            out,
            "{} hostile calls that ran into their deadline; after it, half ended in {:?}, 99 of 100 \
             in {:?}, the slowest in {:?} ({}); resident, before and after each tenth: {kibibytes:?} KiB",
            self.late.len(),
            self.late(0.5).0,
            self.late(0.99).0,
            self.late(1.0).0,
            self.late(1.0).1,
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
    // As `thoth` has it.
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).unwrap();
    let mut processes = HashMap::new();
    let mut loaded = Vec::new();
    for row in rows().into_iter().filter(Row::is_for_one_process) {
        let time = row.time();
        if let Entry::Vacant(place) = processes.entry(time) {
            place.insert(Process::start(time).await);
        }
        let bytes = row.bytes();
        // Some may stay out as well.
        let runtime = &processes[&time].runtime;
        if let Ok(tool) = runtime
            .load_bytes("hostile", bytes, runtime.nothing())
            .await
        {
            loaded.push((row, time, tool));
        }
    }
    let mut told = Told::default();
    for round in 0..WARM + rounds {
        if round >= WARM && (round - WARM).is_multiple_of(rounds.div_ceil(10)) {
            told.resident.push(resident());
        }
        for (row, time, tool) in &loaded {
            let process = &processes[time];
            let session = process.session();
            let (function, arguments) = row.entry();
            let start = Instant::now();
            let called = session.call(tool, function, &arguments).await.unwrap();
            let late = start.elapsed().checked_sub(*time);
            if let Some(late) = late.filter(|_| round >= WARM) {
                told.late.push((late, row.name()));
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
    told.resident.push(resident());
    told.late.sort();
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
