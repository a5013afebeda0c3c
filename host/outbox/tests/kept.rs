//! What was acknowledged is in the log, whatever happens to the process, its neighbours or the disk.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Waker};

use support::{Running, child_folder, event, ids, log, open};
use thoth_outbox::{AppendError, Carrier, Event, Options, Outbox, Retry, Sent, deliver};
use tokio::task::JoinSet;

/// A child's part: appends from several tasks, and prints an id when it is acknowledged.
#[tokio::test]
async fn child_appends_until_it_is_killed() {
    let Some(folder) = child_folder() else { return };
    let outbox = open(&folder);
    let mut tasks = JoinSet::new();
    for task in 0..4 {
        let outbox = outbox.clone();
        let session = format!("{}-{task}", std::process::id());
        tasks.spawn(async move {
            for number in 0..100_000 {
                let event = event(&session, number);
                match outbox.append(event.clone()).await {
                    Ok(()) => println!("\nkept {}", event.id),
                    Err(error) => {
                        println!("\nfailed {error}");
                        return;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
}

#[test]
fn an_acknowledged_event_survives_a_killed_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    for round in 0..12 {
        let mut child = Running::start("child_appends_until_it_is_killed", folder.path(), |c| c);
        let first = child.next("kept ").unwrap();
        let whole = first.len();
        kept.push(first);
        for _ in 0..fastrand::usize(0..40 + round) {
            kept.push(child.next("kept ").unwrap());
        }
        child.kill();
        // Acknowledged before it died and not read yet; the last line may be torn.
        let rest = child.rest("kept ");
        kept.extend(rest.into_iter().filter(|id| id.len() == whole));
    }
    let found = ids(folder.path());
    let unique: HashSet<_> = found.iter().collect();
    assert_eq!(unique.len(), found.len(), "an id is in the log twice");
    let lost: Vec<_> = kept.iter().filter(|id| !unique.contains(id)).collect();
    assert!(lost.is_empty(), "lost of {}: {lost:?}", kept.len());
    assert_in_order(&found);
}

/// Within a session, events are in the order in which they were appended.
fn assert_in_order(ids: &[String]) {
    let sessions: HashSet<&str> = ids
        .iter()
        .map(|id| id.rsplit_once('-').unwrap().0)
        .collect();
    for session in sessions {
        let own: Vec<_> = ids
            .iter()
            .filter(|id| id.rsplit_once('-').unwrap().0 == session)
            .collect();
        assert!(own.is_sorted(), "{session} is out of order");
    }
}

/// A child's part: appends two hundred events, one after the other, beside other processes.
#[tokio::test]
async fn child_appends_two_hundred() {
    let Some(folder) = child_folder() else { return };
    let outbox = open(&folder);
    let session = std::process::id().to_string();
    for number in 0..200 {
        outbox.append(event(&session, number)).await.unwrap();
    }
    println!("\nappended {session}");
}

#[test]
fn eight_processes_can_append_to_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..8)
        .map(|_| Running::start("child_appends_two_hundred", folder.path(), |c| c))
        .collect();
    for child in &mut children {
        assert!(child.next("appended ").is_some());
        assert!(child.process.wait().unwrap().success());
    }
    let found = ids(folder.path());
    assert_eq!(found.len(), 1600);
    assert_in_order(&found);
}

/// The shell sets a limit on the size of files and has the signal ignored that would kill the child,
/// so that writes begin to fail as they do on a failing disk.
#[test]
fn an_event_is_not_acknowledged_when_the_disk_refuses_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Running::start("child_appends_until_it_is_killed", folder.path(), |own| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$@\"", "sh"])
            .arg(own.get_program());
        shell
    });
    let mut kept = Vec::new();
    let error = loop {
        let line = child.lines.next().unwrap().unwrap();
        if let Some(id) = line.strip_prefix("kept ") {
            kept.push(id.to_owned());
        } else if let Some(error) = line.strip_prefix("failed ") {
            break error.to_owned();
        }
    };
    kept.extend(child.rest("kept "));
    child.process.wait().unwrap();
    assert!(error.starts_with("the log cannot be written: "), "{error}");
    assert!(kept.len() > 10);
    let found: HashSet<_> = ids(folder.path()).into_iter().collect();
    assert!(kept.iter().all(|id| found.contains(id)));
}

#[tokio::test]
async fn appending_the_same_event_twice_is_fine_and_another_under_its_id_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let first = event("s", 1);
    outbox.append(first.clone()).await.unwrap();
    outbox.append(first.clone()).await.unwrap();
    let other = Event {
        body: "{}".into(),
        ..first.clone()
    };
    let conflict = AppendError::Conflict(first.id.clone());
    assert_eq!(outbox.append(other).await, Err(conflict.clone()));
    let elsewhere = Outbox::open(&log(folder.path()), "https://e", Options::default()).unwrap();
    assert_eq!(elsewhere.append(first.clone()).await, Err(conflict));
    assert_eq!(ids(folder.path()), [first.id]);
    let status = outbox.status().await.unwrap();
    assert_eq!((status.waiting, status.delivered), (1, 0));
    assert!(status.oldest_waiting.is_some());
}

#[tokio::test]
async fn a_full_log_refuses_new_events_until_some_are_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options {
        max_waiting: 2,
        ..Options::default()
    };
    let outbox = Outbox::open(&log(folder.path()), "embedded", small).unwrap();
    outbox.append(event("s", 1)).await.unwrap();
    outbox.append(event("s", 2)).await.unwrap();
    assert_eq!(outbox.append(event("s", 3)).await, Err(AppendError::Full));
    assert_eq!(outbox.append(event("s", 1)).await, Ok(()));
    // How something ended that began is kept all the same, and counts.
    outbox.append_end(event("s", 4)).await.unwrap();
    assert_eq!(outbox.status().await.unwrap().waiting, 3);
    assert_eq!(outbox.append(event("s", 3)).await, Err(AppendError::Full));
    // Other destinations have room of their own.
    let elsewhere = Outbox::open(&log(folder.path()), "https://e", Options::default()).unwrap();
    elsewhere.append(event("t", 1)).await.unwrap();
    let carrier = support::Scripted::default();
    deliver(outbox.clone(), carrier, Retry::default(), outbox.drained()).await;
    outbox.append(event("s", 3)).await.unwrap();
    assert_eq!(ids(folder.path()).len(), 5);
}

#[tokio::test]
async fn the_cap_counts_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options {
        max_waiting_bytes: 10_000,
        ..Options::default()
    };
    let outbox = Outbox::open(&log(folder.path()), "embedded", small).unwrap();
    let large = |number| Event {
        body: "x".repeat(6_000),
        ..event("s", number)
    };
    outbox.append(large(1)).await.unwrap();
    assert_eq!(outbox.append(large(2)).await, Err(AppendError::Full));
    outbox.append(event("s", 3)).await.unwrap();
    assert!(outbox.status().await.unwrap().waiting_bytes < 10_000);
}

#[tokio::test]
async fn an_append_that_was_given_up_is_committed_before_the_writer_ends() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    {
        let mut append = pin!(outbox.append(event("s", 1)));
        let mut nobody = Context::from_waker(Waker::noop());
        // Asked once, which hands it over; given up before or after the answer, as it happens.
        let _ = append.as_mut().poll(&mut nobody);
    }
    drop(outbox);
    let again = open(folder.path());
    while again.status().await.unwrap().waiting == 0 {}
    assert_eq!(ids(folder.path()), [event("s", 1).id]);
}

#[tokio::test]
async fn a_log_that_was_replaced_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    outbox.append(event("s", 1)).await.unwrap();
    std::fs::remove_dir_all(folder.path().join("state")).unwrap();
    let refused = outbox.append(event("s", 2)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable(why) if why.contains("moved or deleted")));
    open(folder.path()).append(event("s", 2)).await.unwrap();
    assert!(outbox.append(event("s", 3)).await.is_err());
}

#[tokio::test]
async fn a_log_for_loss_of_power_keeps_events_too() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        power_loss: true,
        ..Options::default()
    };
    let outbox = Outbox::open(&log(folder.path()), "embedded", options).unwrap();
    outbox.append(event("s", 1)).await.unwrap();
    assert_eq!(ids(folder.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_stays_bounded_under_a_stream_of_appends() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let outbox = outbox.clone();
        tasks.spawn(async move {
            for number in 0..400 {
                let large = Event {
                    body: "x".repeat(24_000),
                    ..event(&task.to_string(), number)
                };
                outbox.append(large).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    // 150 MB went through it.
    let written = std::fs::metadata(log(folder.path()).with_extension("db-wal")).unwrap();
    assert!(written.len() < 90 << 20, "{}", written.len());
}

/// A carrier that must not be asked.
struct Nobody;

impl Carrier for Nobody {
    async fn send(&self, batch: &[Event]) -> Sent {
        panic!("{batch:?} was sent to the wrong destination");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_never_delivered_to_another_destination() {
    let folder = tempfile::tempdir().unwrap();
    let here = open(folder.path());
    let there = Outbox::open(&log(folder.path()), "https://e", Options::default()).unwrap();
    here.append(event("s", 1)).await.unwrap();
    let long = tokio::time::sleep(std::time::Duration::from_secs(5));
    deliver(there.clone(), Nobody, Retry::default(), long).await;
    assert_eq!(there.status().await.unwrap().waiting, 0);
    there.drained().await;
    assert_eq!(here.status().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn what_waits_is_counted_for_each_destination_whoever_appends_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        max_waiting: 3,
        ..Options::default()
    };
    let open = |destination| Outbox::open(&log(folder.path()), destination, options.clone());
    let (one, other, same) = (
        open("embedded").unwrap(),
        open("https://enforcer.example").unwrap(),
        open("embedded").unwrap(),
    );
    for number in 0..3 {
        let outbox = if number == 1 { &same } else { &one };
        outbox.append(event("s", number)).await.unwrap();
        other.append(event("t", number)).await.unwrap();
        one.keep(event("u", number)).await.unwrap();
    }
    for outbox in [&one, &other, &same] {
        assert_eq!(outbox.status().await.unwrap().waiting, 3);
        let full = outbox.append(event("more", 0)).await;
        assert_eq!(full, Err(AppendError::Full));
        outbox.keep(event("kept", 0)).await.unwrap();
    }
}
