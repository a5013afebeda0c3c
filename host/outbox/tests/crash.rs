//! A process that appends and delivers is killed at any point, also while it recovers, and what it had
//! acknowledged is compared with what outlived it.
//!
//! The oracle is the parent: it hears of each acknowledged append, and of each event that the
//! destination was given, through a pipe that no kill of the child empties.
//!
//! ```text
//! THOTH_CRASH_KILLS=2000 THOTH_CRASH_RECOVERIES=500 \
//!     cargo test --release -p thoth-outbox --test crash -- --ignored --nocapture
//! ```
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use std::collections::{HashMap, HashSet};
use std::env;
use std::path::Path;
use std::thread;
use std::time::Duration;

use support::{Running, child_folder, event, log, open};
use thoth_outbox::{Archive, Carrier, Event, Retry, Sent, checkpoints_path, deliver, verify};

/// Sessions that append at the same time.
const SESSIONS: usize = 4;

/// The most events that a session appends in one life.
const EVENTS: usize = 40;

/// Lives after which a log is compared and a new one begun.
const LIVES: usize = 50;

/// A destination that takes everything and tells the parent.
struct Told;

impl Carrier for Told {
    async fn send(&self, batch: &[Event]) -> Sent {
        let ids: Vec<&str> = batch.iter().map(|event| event.id.as_str()).collect();
        println!("\ngiven {} .", ids.join(" "));
        Sent::Accepted
    }
}

/// A child's part: appends and delivers, until it is killed or all is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_lives() {
    let Some(folder) = child_folder() else { return };
    println!("\nborn .");
    let outbox = open(&folder);
    println!("\nopen .");
    let retry = Retry {
        gather: Duration::from_millis(1),
        turn: Duration::from_millis(1),
        ..Retry::default()
    };
    let delivery = tokio::spawn(deliver(outbox.clone(), Told, retry, std::future::pending()));
    let life = std::process::id();
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|session| {
            let outbox = outbox.clone();
            tokio::spawn(async move {
                for number in 0..EVENTS {
                    let event = event(&format!("{life}_{session}"), number);
                    let id = event.id.clone();
                    outbox.append(event).await.unwrap();
                    println!("\nkept {id} .");
                }
            })
        })
        .collect();
    for session in sessions {
        session.await.unwrap();
    }
    outbox.drained().await;
    outbox.checkpoint().await.unwrap();
    delivery.abort();
    println!("\ndone .");
}

/// What the parent heard of one log.
#[derive(Default)]
struct Oracle {
    kept: Vec<String>,
    /// In the order in which they came first.
    given: Vec<String>,
    seen: HashSet<String>,
    again: usize,
}

impl Oracle {
    fn hear(&mut self, line: &str) {
        // A line that the kill cut off says nothing.
        let Some(line) = line.strip_suffix(" .") else {
            return;
        };
        if let Some(id) = line.strip_prefix("kept ") {
            self.kept.push(id.into());
        } else if let Some(ids) = line.strip_prefix("given ") {
            for id in ids.split(' ') {
                if self.seen.insert(id.into()) {
                    self.given.push(id.into());
                } else {
                    self.again += 1;
                }
            }
        }
    }

    /// Nothing lost, nothing twice, nothing overtaken, and a chain that is whole.
    fn judge(&self, folder: &Path) {
        let lost: Vec<_> = self
            .kept
            .iter()
            .filter(|id| !self.seen.contains(*id))
            .collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let mut last: HashMap<&str, &str> = HashMap::new();
        for id in &self.given {
            let (session, _) = id.rsplit_once('-').unwrap();
            let before = last.insert(session, id);
            assert!(
                before.is_none_or(|before| before < id.as_str()),
                "{id} after {before:?}"
            );
        }
        let found = support::ids(folder);
        let unique: HashSet<_> = found.iter().collect();
        assert_eq!(unique.len(), found.len(), "an id is in the log twice");
        assert!(
            self.given.iter().all(|id| unique.contains(id)),
            "given, but not recorded"
        );
        let checkpoints = std::fs::read_to_string(checkpoints_path(&log(folder))).unwrap();
        let lines = checkpoints
            .lines()
            .map(|line| ("checkpoint".into(), line.into()));
        let verified = verify(&Archive::open(&log(folder)).unwrap(), lines, None, |_| {});
        assert_eq!(verified.flaw, None);
        assert_eq!(verified.records, u64::try_from(found.len()).unwrap());
        assert_eq!(verified.signed_through, verified.records);
    }
}

/// One life of a child, which ends so long after it printed `word`; none lives to its end.
fn live(folder: &Path, oracle: &mut Oracle, end: Option<(&str, Duration)>) {
    let mut child = Running::start("child_lives", folder, |command| command);
    let Some((word, after)) = end else {
        for line in child.lines.by_ref() {
            oracle.hear(&line.unwrap());
        }
        assert!(child.process.wait().unwrap().success());
        return;
    };
    for line in child.lines.by_ref() {
        let line = line.unwrap();
        oracle.hear(&line);
        if line.starts_with(word) {
            break;
        }
    }
    thread::sleep(after);
    child.kill();
    for line in child.lines.by_ref() {
        // What the kill cut off may not even be text.
        oracle.hear(&line.unwrap_or_default());
    }
}

fn random(below: Duration) -> Duration {
    Duration::from_micros(fastrand::u64(..=u64::try_from(below.as_micros()).unwrap()))
}

/// Kills so many children while they work, and as many pairs while they recover.
fn crash(kills: usize, recoveries: usize) {
    let (mut kept, mut again) = (0, 0);
    let mut left = (kills, recoveries);
    while left != (0, 0) {
        let folder = tempfile::tempdir().unwrap();
        let mut oracle = Oracle::default();
        for _ in 0..LIVES {
            if left.0 > 0 {
                left.0 -= 1;
                // Some die in the middle of it, some with their last acknowledged event.
                live(
                    folder.path(),
                    &mut oracle,
                    Some(("kept ", random(Duration::from_millis(30)))),
                );
            }
            if left.1 > 0 {
                left.1 -= 1;
                for _ in 0..2 {
                    live(
                        folder.path(),
                        &mut oracle,
                        Some(("born ", random(Duration::from_millis(4)))),
                    );
                }
            }
        }
        live(folder.path(), &mut oracle, None);
        oracle.judge(folder.path());
        kept += oracle.kept.len();
        again += oracle.again;
    }
    println!(
        "{kills} kills at work, {recoveries} times two in recovery: {kept} acknowledged events, 0 lost, \
         0 out of order, {again} delivered again under the same id; every chain is whole"
    );
    assert!(kept > kills, "it has to have worked at all");
}

#[test]
fn killed_at_any_point_nothing_acknowledged_is_lost() {
    crash(24, 6);
}

fn number(name: &str, usual: usize) -> usize {
    env::var(name).map_or(usual, |number| number.parse().unwrap())
}

#[test]
#[ignore = "takes minutes: see the head of this file"]
fn killed_thousands_of_times_nothing_acknowledged_is_lost() {
    crash(
        number("THOTH_CRASH_KILLS", 2_000),
        number("THOTH_CRASH_RECOVERIES", 500),
    );
}
