//! Bounds of one call, over all of its requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use thoth_egress::{Budget, Kind, Usage};
use tokio::io::AsyncWriteExt;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bed::{AMPLE, Bed, Canary, NAME, Server, ask, ask_with, get, hold};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// The barrier opens for four together, so fewer than four at a time would never end.
#[tokio::test]
async fn of_ten_thousand_at_once_thirty_two_leave_four_at_a_time() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, peak) = (Arc::clone(&now), Arc::clone(&most));
    let four = Arc::new(Barrier::new(4));
    let server = Server::start(move |mut stream, _| {
        let (count, peak, four) = (Arc::clone(&count), Arc::clone(&peak), Arc::clone(&four));
        async move {
            peak.fetch_max(count.fetch_add(1, SeqCst) + 1, SeqCst);
            four.wait().await;
            count.fetch_sub(1, SeqCst);
            let _ = stream.write_all(OK.as_bytes()).await;
            hold(stream).await;
        }
    })
    .await;
    let egress = Bed::open_to(server.port).egress();
    let url = server.url("/");
    let mut requests = JoinSet::new();
    for _ in 0..10_000 {
        let (egress, parts) = (egress.clone(), get(&url));
        requests.spawn(async move { ask(&egress, &parts).await.map_err(|r| r.kind) });
    }
    let results = requests.join_all().await;
    let answered = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!((answered, server.requests().len()), (32, 32));
    let over = |result: &&Result<_, Kind>| matches!(result, Err(Kind::Budget(Budget::Requests)));
    assert_eq!(results.iter().filter(over).count(), 10_000 - 32);
    assert_eq!(most.load(SeqCst), 4);
    let attempts = egress.take_attempts();
    assert_eq!((attempts.ended.len(), attempts.omitted), (32, 9_968));
    assert_eq!(egress.usage().requests, 32);
}

#[tokio::test]
async fn bytes_that_go_up_are_counted_over_the_call() {
    let server = Server::saying(OK).await;
    let mut bed = Bed::open_to(server.port);
    bed.budgets.request_bytes = 2_500;
    let egress = bed.egress();
    let mut parts = get(&server.url("/abc"));
    parts.method = http::Method::POST;
    let body = Bytes::from(vec![b'a'; 1_000]);
    for _ in 0..2 {
        ask_with(&egress, &parts, body.clone()).await.unwrap();
    }
    let refused = ask_with(&egress, &parts, body).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Budget(Budget::RequestBytes));
    let usage = Usage {
        requests: 3,
        request_bytes: 2_008,
        response_bytes: 4,
    };
    assert_eq!((egress.usage(), server.requests().len()), (usage, 2));
}

#[tokio::test]
async fn bytes_that_come_down_are_counted_over_the_call() {
    let server = Server::saying(OK).await;
    let mut bed = Bed::open_to(server.port);
    bed.budgets.response_bytes = 5;
    let egress = bed.egress();
    for _ in 0..2 {
        ask(&egress, &get(&server.url("/"))).await.unwrap();
    }
    let refused = ask(&egress, &get(&server.url("/"))).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Budget(Budget::ResponseBytes));
    assert_eq!(egress.usage().response_bytes, 4);
}

#[tokio::test]
async fn a_request_that_waits_for_its_turn_still_has_its_deadline() {
    let server = Server::start(|stream, _| hold(stream)).await;
    let mut bed = Bed::open_to(server.port);
    bed.budgets.in_flight = 1;
    let egress = bed.egress();
    let url = server.url("/");
    let first = egress.check(&get(&url)).unwrap();
    let second = egress.check(&get(&url)).unwrap();
    let deadline = Instant::now() + crate::bed::SHORT;
    let (first, second) = tokio::join!(
        egress.send(first, Bytes::new(), deadline),
        egress.send(second, Bytes::new(), deadline),
    );
    assert_eq!(first.unwrap_err().kind, Kind::Timeout);
    assert_eq!(second.unwrap_err().kind, Kind::Timeout);
}

#[tokio::test]
async fn a_request_is_sent_by_the_call_that_permitted_it() {
    let canary = Canary::new().await;
    let url = format!("http://{NAME}:{}/", canary.port());
    let (one, other) = (
        Bed::open_to(canary.port()).egress(),
        Bed::open_to(canary.port()).egress(),
    );
    let permitted = one.check(&get(&url)).unwrap();
    let refused = other
        .send(permitted, Bytes::new(), Instant::now() + AMPLE)
        .await;
    assert_eq!(refused.unwrap_err().kind, Kind::NotGranted);
    canary.assert_silent().await;
}
