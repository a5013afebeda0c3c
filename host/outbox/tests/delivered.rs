//! What is in the log reaches its destination: in order, at least once, by one process at a time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::time::{Duration, SystemTime};

use support::{Running, Scripted, child_folder, event, later, log, open};
use thoth_outbox::{BATCH, Carrier, Event, Options, Outbox, Retry, Sent, Status, deliver};

const SECOND: Duration = Duration::from_secs(1);

/// Delivers until nothing waits.
async fn deliver_all(outbox: &Outbox, carrier: &Scripted) -> Status {
    let drained = outbox.drained();
    deliver(outbox.clone(), carrier.clone(), Retry::default(), drained).await;
    outbox.status().await.unwrap()
}

async fn append(outbox: &Outbox, numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in numbers {
        let event = event("s", number);
        ids.push(event.id.clone());
        outbox.append(event).await.unwrap();
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn events_are_delivered_in_order_in_batches_of_at_most_ten() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let ids = append(&outbox, 0..35).await;
    let carrier = Scripted::default();
    let status = deliver_all(&outbox, &carrier).await;
    assert_eq!(carrier.ids(), ids);
    assert_eq!(carrier.tries().len(), 4);
    assert!(carrier.tries().iter().all(|one| one.ids.len() <= BATCH));
    assert_eq!(
        status,
        Status {
            waiting: 0,
            waiting_bytes: 0,
            delivered: 35,
            rejected: 0,
            oldest_waiting: None,
            last_error: None,
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_a_megabyte_at_most_and_one_larger_event_goes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    for (number, size) in [400_000, 400_000, 400_000, 3_000_000, 10]
        .iter()
        .enumerate()
    {
        let body = "x".repeat(*size);
        let large = Event {
            body,
            ..event("s", number)
        };
        outbox.append(large).await.unwrap();
    }
    let carrier = Scripted::default();
    assert_eq!(deliver_all(&outbox, &carrier).await.delivered, 5);
    let sizes: Vec<_> = carrier.tries().iter().map(|one| one.ids.len()).collect();
    assert_eq!(sizes, [2, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_is_tried_again_with_growing_waits_and_nothing_overtakes_it() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let ids = append(&outbox, 0..12).await;
    let carrier = Scripted::new(std::iter::repeat_n(later(None), 9));
    let running = tokio::spawn(deliver(
        outbox.clone(),
        carrier.clone(),
        Retry::default(),
        std::future::pending(),
    ));
    while carrier.tries().len() < 11 {
        carrier.tried().await;
    }
    running.abort();
    let tries = carrier.tries();
    for (failures, pair) in (1..=9).zip(tries.windows(2)) {
        assert_eq!(pair[0].ids, ids[..10]);
        let full = (Duration::from_millis(250) * (1 << (failures - 1))).min(30 * SECOND);
        let wait = pair[1].at - pair[0].at;
        // The clock counts in milliseconds.
        let most = full + Duration::from_millis(2);
        assert!((full / 2..=most).contains(&wait), "{failures}: {wait:?}");
    }
    assert_eq!(tries[9].ids, ids[..10]);
    assert_eq!(tries[10].ids, ids[10..]);
}

#[tokio::test(start_paused = true)]
async fn the_destination_says_when_to_come_back_but_not_beyond_the_cap() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    append(&outbox, 0..10).await;
    let carrier = Scripted::new([later(Some(9 * SECOND)), later(Some(3600 * SECOND))]);
    let running = tokio::spawn(deliver(
        outbox.clone(),
        carrier.clone(),
        Retry::default(),
        std::future::pending(),
    ));
    while carrier.tries().len() < 3 {
        carrier.tried().await;
    }
    running.abort();
    let tries = carrier.tries();
    let (first, second) = (tries[1].at - tries[0].at, tries[2].at - tries[1].at);
    assert!(first >= 9 * SECOND && first < 10 * SECOND, "{first:?}");
    assert!(second >= 30 * SECOND && second < 31 * SECOND, "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn trouble_is_told_while_it_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    append(&outbox, 0..1).await;
    let carrier = Scripted::new([later(None), later(Some(20 * SECOND))]);
    let running = tokio::spawn(deliver(
        outbox.clone(),
        carrier.clone(),
        Retry::default(),
        std::future::pending(),
    ));
    carrier.tried().await;
    carrier.tried().await;
    // Another process sees it as well.
    let status = open(folder.path()).status().await.unwrap();
    assert_eq!(status.last_error.as_deref(), Some("503"));
    assert_eq!(status.waiting, 1);
    assert!(status.oldest_waiting.unwrap() <= SystemTime::now());
    outbox.drained().await;
    assert_eq!(outbox.status().await.unwrap().last_error, None);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_refused_batch_is_split_and_only_the_bad_event_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let ids = append(&outbox, 0..23).await;
    let bad = event("s", 4);
    let carrier = Scripted::refusing(&[&bad]);
    let status = deliver_all(&outbox, &carrier).await;
    assert_eq!(
        (status.waiting, status.delivered, status.rejected),
        (0, 22, 1)
    );
    let sizes: Vec<_> = carrier.tries().iter().map(|one| one.ids.len()).collect();
    assert_eq!(sizes, [10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10, 3]);
    assert_eq!(carrier.ids()[10..], ids);
    // The event stays in the log, with the reason on one line.
    let stored = rusqlite::Connection::open(log(folder.path())).unwrap();
    let (id, why): (String, String) = stored
        .query_row(
            "SELECT id, why FROM rejection JOIN event USING (seq)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!((id, why), (bad.id, "not well-formed".into()));
}

#[tokio::test(start_paused = true)]
async fn a_refused_event_alone_is_rejected_and_the_reason_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    append(&outbox, 0..1).await;
    let status = deliver_all(&outbox, &Scripted::refusing(&[&event("s", 0)])).await;
    assert_eq!((status.waiting, status.rejected), (0, 1));
    assert_eq!(status.last_error.as_deref(), Some("not well-formed"));
}

/// Never answers the first time.
struct Silent(Scripted);

impl Carrier for Silent {
    async fn send(&self, batch: &[Event]) -> Sent {
        let sent = self.0.send(batch).await;
        if self.0.tries().len() == 1 {
            std::future::pending::<()>().await;
        }
        sent
    }
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_does_not_answer_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    append(&outbox, 0..3).await;
    let carrier = Scripted::default();
    let silent = Silent(carrier.clone());
    deliver(outbox.clone(), silent, Retry::default(), outbox.drained()).await;
    let tries = carrier.tries();
    assert_eq!(tries.len(), 2);
    assert_eq!(tries[0].ids, tries[1].ids);
    assert!(tries[1].at - tries[0].at >= 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn events_of_another_process_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let carrier = Scripted::default();
    let running = tokio::spawn(deliver(
        outbox.clone(),
        carrier.clone(),
        Retry::default(),
        std::future::pending(),
    ));
    // A second handle shares the file and nothing else, like a second process.
    let other = open(folder.path());
    for number in 0..3 {
        other.append(event("s", number)).await.unwrap();
        other.drained().await;
    }
    assert_eq!(carrier.tries().len(), 3);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn one_loop_delivers_and_the_next_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let (first, second) = (Scripted::default(), Scripted::default());
    let start = |carrier: &Scripted| {
        let handle = open(folder.path());
        let forever = std::future::pending();
        tokio::spawn(deliver(handle, carrier.clone(), Retry::default(), forever))
    };
    let holder = start(&first);
    append(&outbox, 0..1).await;
    first.tried().await;
    let waiter = start(&second);
    for number in 1..30 {
        append(&outbox, number..number + 1).await;
        outbox.drained().await;
    }
    assert_eq!(second.ids().len(), 0);
    holder.abort();
    assert!(holder.await.unwrap_err().is_cancelled());
    append(&outbox, 30..31).await;
    outbox.drained().await;
    assert_eq!(first.ids().len(), 30);
    assert_eq!(second.ids(), [event("s", 30).id]);
    waiter.abort();
}

#[tokio::test(start_paused = true)]
async fn who_cannot_deliver_gives_way_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let without_key = Scripted::new(std::iter::repeat_with(|| later(None)).take(1_000));
    let with_key = Scripted::default();
    let start = |carrier: &Scripted| {
        let handle = open(folder.path());
        let forever = std::future::pending();
        tokio::spawn(deliver(handle, carrier.clone(), Retry::default(), forever))
    };
    let first = start(&without_key);
    append(&outbox, 0..3).await;
    without_key.tried().await;
    let second = start(&with_key);
    outbox.drained().await;
    assert_eq!(
        with_key.ids(),
        [0, 1, 2].map(|number| event("s", number).id)
    );
    assert_eq!(outbox.status().await.unwrap().last_error, None);
    first.abort();
    second.abort();
}

#[tokio::test(start_paused = true)]
async fn what_a_shutdown_leaves_is_delivered_next_time() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let ids = append(&outbox, 0..15).await;
    let stuck = Scripted::new([Sent::Accepted, later(None), later(None)]);
    deliver(outbox.clone(), stuck.clone(), Retry::default(), async {
        while stuck.tries().len() < 2 {
            stuck.tried().await;
        }
    })
    .await;
    drop(outbox);
    let again = open(folder.path());
    let rest = Scripted::default();
    let status = deliver_all(&again, &rest).await;
    assert_eq!(rest.ids(), ids[10..]);
    assert_eq!(status.delivered, 15);
}

/// Prints what it is given and never answers.
struct Printing;

impl Carrier for Printing {
    async fn send(&self, batch: &[Event]) -> Sent {
        for event in batch {
            println!("\nsent {}", event.id);
        }
        println!("\nwaiting");
        std::future::pending().await
    }
}

/// A child's part: takes the turn, sends and waits for an answer that does not come.
#[tokio::test]
async fn child_delivers_until_it_is_killed() {
    let Some(folder) = child_folder() else { return };
    let outbox = open(&folder);
    append(&outbox, 0..12).await;
    deliver(outbox, Printing, Retry::default(), std::future::pending()).await;
}

#[tokio::test]
async fn another_process_takes_over_from_a_killed_one_with_the_same_ids() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Running::start("child_delivers_until_it_is_killed", folder.path(), |c| c);
    let sent: Vec<_> = (0..10).map(|_| child.next("sent ").unwrap()).collect();
    let outbox = open(folder.path());
    let carrier = Scripted::default();
    let quick = Retry {
        turn: Duration::from_millis(1),
        ..Retry::default()
    };
    let forever = std::future::pending();
    let running = tokio::spawn(deliver(outbox.clone(), carrier.clone(), quick, forever));
    // While the child lives it keeps the turn, however often this one asks.
    tokio::task::yield_now().await;
    outbox.append(event("t", 0)).await.unwrap();
    assert_eq!(carrier.tries().len(), 0);
    child.kill();
    outbox.drained().await;
    running.abort();
    assert_eq!(carrier.ids()[..10], sent);
    assert_eq!(carrier.ids().len(), 13);
}

/// A child's part: competes for the turn and prints what it delivers, until all is delivered.
#[tokio::test]
async fn child_competes_for_the_turn() {
    struct Lines;
    impl Carrier for Lines {
        async fn send(&self, batch: &[Event]) -> Sent {
            for event in batch {
                println!("\nsent {}", event.id);
            }
            Sent::Accepted
        }
    }
    let Some(folder) = child_folder() else { return };
    let outbox = open(&folder);
    append_as(&outbox, std::process::id()).await;
    // Only when all of every child is settled: a loop that stops in the middle of a batch may rightly
    // have it sent again, which is not what is tested here.
    let all_settled = async {
        while outbox.status().await.unwrap().delivered < 200 {
            outbox.drained().await;
        }
    };
    deliver(outbox.clone(), Lines, Retry::default(), all_settled).await;
}

async fn append_as(outbox: &Outbox, process: u32) {
    for number in 0..50 {
        let event = event(&process.to_string(), number);
        outbox.append(event).await.unwrap();
    }
}

#[test]
fn of_several_processes_one_delivers_at_a_time_so_nothing_is_sent_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut children: Vec<_> = (0..4)
        .map(|_| Running::start("child_competes_for_the_turn", folder.path(), |c| c))
        .collect();
    let mut sent = Vec::new();
    for child in &mut children {
        sent.extend(child.rest("sent "));
        assert!(child.process.wait().unwrap().success());
    }
    let total = sent.len();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), total, "an event was sent twice");
    assert_eq!(total, 200);
}

#[tokio::test]
async fn delivering_does_not_wait_for_a_batch_to_fill_when_somebody_waits() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    let slow = Retry {
        gather: Duration::from_secs(3600),
        ..Retry::default()
    };
    append(&outbox, 0..1).await;
    deliver(outbox.clone(), Scripted::default(), slow, outbox.drained()).await;
    let options = Options::default();
    let elsewhere = Outbox::open(&log(folder.path()), "https://e", options).unwrap();
    elsewhere.drained().await;
    assert_eq!(outbox.status().await.unwrap().delivered, 1);
}
