//! Valid components with a few bytes changed, cut out or doubled, through the whole of admission.

use std::time::{Duration, Instant};

use thoth_host::{Identity, Jail, Limits, Outcome, Runtime};
use thoth_tests::{hostile, tool};

use super::POLICY;

/// No component of a few kilobytes takes this long, whatever is in it.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_mutated_components_leave_the_host_as_it_was() {
    mutate(300, 0x7468_6f74).await;
}

/// A night's worth.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes hours"]
async fn a_hundred_thousand_mutated_components_leave_the_host_as_it_was() {
    mutate(100_000, fastrand::u64(..)).await;
}

async fn mutate(rounds: usize, seed: u64) {
    println!("seed {seed:#x}");
    let mut random = fastrand::Rng::with_seed(seed);
    let state = tempfile::tempdir().unwrap();
    let policy = state.path().join("policy.cedar");
    std::fs::write(&policy, POLICY).unwrap();
    let mut limits = Limits::default();
    limits.time = Duration::from_millis(200);
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
    let session = runtime.session(Identity::new("acme", "bot"));
    let seeds = [
        hostile("exports_a_policy"),
        hostile("loops_after_its_result"),
        hostile("destroys_without_end"),
        hostile("returns_one_list_many_times"),
        std::fs::read(tool("canary")).unwrap(),
    ];
    let (mut loaded, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let bytes = mutated(&mut random, &seeds);
        let start = Instant::now();
        if let Ok(tool) = runtime
            .load_bytes("mutated", bytes, runtime.nothing())
            .await
        {
            loaded += 1;
            for definition in tool.definitions() {
                // Arguments that fit are not the point: some fit, and what runs must end.
                for arguments in [r#"{}"#, r#"{"note":"x"}"#, r#"{"text":"x"}"#] {
                    if let Ok(call) = session.call(&tool, &definition.name, arguments).await {
                        let refused = matches!(call.outcome, Outcome::Refused(_));
                        assert!(!refused, "round {round} of seed {seed:#x}: {call:?}");
                    }
                }
            }
        }
        slowest = slowest.max(start.elapsed());
        assert!(
            slowest < PATIENCE,
            "round {round} of seed {seed:#x}: {slowest:?}"
        );
    }
    println!("{rounds} mutated, {loaded} loaded, the slowest took {slowest:?}");
    let canary = runtime.load(tool("canary")).await.unwrap();
    let sung = session
        .call(&canary, "sing", r#"{"note":"on"}"#)
        .await
        .unwrap();
    assert!(matches!(sung.outcome, Outcome::Completed(_)), "{sung:?}");
}

/// One of the seeds, changed in one to three places behind its first eight bytes.
fn mutated(random: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.choice(seeds).unwrap().clone();
    for _ in 0..random.usize(1..=3) {
        let at = random.usize(8..bytes.len());
        match random.u8(0..6) {
            0 | 1 => bytes[at] ^= 1 << random.u8(0..8),
            2 => bytes[at] = random.choice([0, 1, 0x7f, 0x80, 0xff]).unwrap(),
            3 => drop(bytes.splice(at..at, [random.u8(..)])),
            4 => drop(bytes.drain(at..bytes.len().min(at + random.usize(1..9)))),
            _ => {
                let piece = bytes[at..bytes.len().min(at + 64)].to_vec();
                let to = random.usize(8..bytes.len());
                bytes.splice(to..to, piece);
            }
        }
        if bytes.len() < 16 {
            bytes.resize(16, 0);
        }
    }
    bytes
}
