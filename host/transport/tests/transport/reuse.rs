//! Keep-alive: how few connections are opened, and when one must not be used again.

use std::sync::Arc;
use std::time::Duration;

use thoth_transport::{Fault, Options};
use tokio::sync::{Barrier, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::server::{ALLOW, AMPLE, SHORT, Server, send};

async fn healthy() -> Server {
    Server::start(|mut peer| async move { peer.answer_all(ALLOW).await }).await
}

#[tokio::test]
async fn requests_in_turn_share_one_connection() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{\"decision\":\"ALLOW\"}\r\n0\r\n\r\n";
    let empty = "HTTP/1.1 204 No Content\r\n\r\n";
    let old = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}";
    for text in [ALLOW, chunked, empty, old] {
        let server =
            Server::start(move |mut peer| async move { peer.answer_all(text).await }).await;
        let client = server.client();
        for _ in 0..100 {
            send(&client, AMPLE).await.unwrap();
        }
        assert_eq!(
            (server.requests(), client.connections_opened()),
            (100, 1),
            "{text:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_never_outnumber_the_callers() {
    let server = healthy().await;
    let client = server.client();
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        callers.spawn(async move {
            for _ in 0..100 {
                send(&client, AMPLE).await.unwrap();
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    assert_eq!(server.requests(), 800);
    assert!(
        client.connections_opened() <= 8,
        "{}",
        client.connections_opened()
    );
}

#[tokio::test]
async fn a_connection_that_says_close_is_not_used_again() {
    for text in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let server =
            Server::start(move |mut peer| async move { peer.answer_all(text).await }).await;
        let client = server.client();
        for opened in 1..4 {
            send(&client, AMPLE).await.unwrap();
            assert_eq!(client.connections_opened(), opened, "{text:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_cannot_be_used_again_is_closed_at_once() {
    let (closed, mut seen) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let closed = closed.clone();
        async move {
            peer.request().await;
            peer.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
                .await;
            peer.hold().await;
            closed.send(()).unwrap();
        }
    })
    .await;
    let client = server.client();
    send(&client, AMPLE).await.unwrap();
    assert_eq!(timeout(AMPLE, seen.recv()).await, Ok(Some(())));
    drop(client);
}

/// What a server says unasked while the connection lies idle is no answer to the next request.
#[tokio::test]
async fn an_idle_connection_that_was_spoken_on_is_not_used_again() {
    let (ask, asked) = watch::channel(false);
    let (tell, mut told) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let (mut asked, tell) = (asked.clone(), tell.clone());
        async move {
            peer.request().await;
            peer.say(ALLOW).await;
            if peer.number == 0 {
                asked.wait_for(|asked| *asked).await.unwrap();
                peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                    .await;
                tell.send(()).unwrap();
            }
            peer.hold().await;
        }
    })
    .await;
    let client = server.client();
    send(&client, AMPLE).await.unwrap();
    ask.send(true).unwrap();
    told.recv().await.unwrap();
    // Lets the runtime look at its sockets before the next request.
    tokio::task::yield_now().await;
    assert_eq!(
        send(&client, AMPLE).await.unwrap().body(),
        "{\"decision\":\"ALLOW\"}"
    );
    assert_eq!(client.connections_opened(), 2);
}

/// Bytes after a complete answer could be taken for the answer to the next request.
#[tokio::test]
async fn a_connection_with_bytes_left_over_is_not_used_again() {
    let server = Server::start(|mut peer| async move {
        peer.answer_all(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{{}}{ALLOW}"
        ))
        .await;
    })
    .await;
    let client = server.client();
    for opened in 1..4 {
        assert_eq!(send(&client, AMPLE).await.unwrap().body(), "{}");
        assert_eq!(client.connections_opened(), opened);
    }
}

#[tokio::test]
async fn a_connection_that_lay_idle_for_too_long_is_not_used_again() {
    let server = healthy().await;
    let client = server.client_with(Options {
        idle: Duration::ZERO,
        ..Options::default()
    });
    for opened in 1..4 {
        send(&client, AMPLE).await.unwrap();
        assert_eq!(client.connections_opened(), opened);
    }
}

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_allowed() {
    let server = healthy().await;
    let client = server.client_with(Options {
        max_idle: 0,
        ..Options::default()
    });
    for opened in 1..4 {
        send(&client, AMPLE).await.unwrap();
        assert_eq!(client.connections_opened(), opened);
    }
}

#[tokio::test]
async fn a_server_that_closed_between_requests_goes_unnoticed() {
    for reset in [false, true] {
        let server = Server::start(move |mut peer| async move {
            peer.request().await;
            peer.say(ALLOW).await;
            if reset {
                peer.reset();
            }
        })
        .await;
        let client = server.client();
        for number in 1..20 {
            assert_eq!(send(&client, AMPLE).await.unwrap().status(), 200);
            assert_eq!(server.requests(), number);
        }
    }
}

/// The worst case of the above: the server closes after it has read the request.
#[tokio::test]
async fn a_request_is_sent_once_more_after_a_used_connection_failed_silently() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.say(ALLOW).await;
        if peer.number == 0 {
            peer.request().await;
        } else {
            peer.answer_all(ALLOW).await;
        }
    })
    .await;
    let client = server.client();
    for _ in 0..3 {
        assert_eq!(send(&client, AMPLE).await.unwrap().status(), 200);
    }
    assert_eq!((server.requests(), client.connections_opened()), (4, 2));
}

#[tokio::test]
async fn a_request_is_never_sent_a_third_time() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        if peer.number == 0 {
            peer.say(ALLOW).await;
            peer.request().await;
        }
    })
    .await;
    let client = server.client();
    send(&client, AMPLE).await.unwrap();
    let fault = send(&client, AMPLE).await.unwrap_err();
    assert!(matches!(fault, Fault::Unreachable(..)), "{fault:?}");
    assert_eq!((server.requests(), client.connections_opened()), (3, 2));
}

/// Another idle connection may be as dead as the first.
#[tokio::test]
async fn the_second_try_is_on_a_new_connection() {
    let barrier = Arc::new(Barrier::new(2));
    let server = Server::start(move |mut peer| {
        let barrier = Arc::clone(&barrier);
        async move {
            peer.request().await;
            if peer.number < 2 {
                barrier.wait().await;
                peer.say(ALLOW).await;
                peer.request().await;
            } else {
                peer.say(ALLOW).await;
            }
        }
    })
    .await;
    let client = server.client();
    let (one, two) = tokio::join!(send(&client, AMPLE), send(&client, AMPLE));
    assert!(one.is_ok() && two.is_ok());
    assert_eq!((server.requests(), client.connections_opened()), (2, 2));
    send(&client, AMPLE).await.unwrap();
    assert_eq!((server.requests(), client.connections_opened()), (4, 3));
}

/// Once a byte was heard, or the time is up, the server may have acted on the request.
#[tokio::test]
async fn a_request_is_not_repeated_after_the_first_byte_or_the_deadline() {
    for (text, hold) in [("H", false), ("", true)] {
        let server = Server::start(move |mut peer| async move {
            peer.request().await;
            peer.say(ALLOW).await;
            peer.request().await;
            peer.say(text).await;
            if hold {
                peer.hold().await;
            }
        })
        .await;
        let client = server.client();
        send(&client, AMPLE).await.unwrap();
        let fault = send(&client, SHORT).await.unwrap_err();
        assert!(
            matches!(
                (&fault, hold),
                (Fault::Protocol(_), false) | (Fault::Timeout, true)
            ),
            "{fault:?}"
        );
        assert_eq!((server.requests(), client.connections_opened()), (2, 1));
    }
}

#[tokio::test]
async fn a_cancelled_request_closes_its_connection_and_no_other() {
    let (events, mut seen) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let events = events.clone();
        async move {
            if peer.number == 0 {
                peer.request().await;
                peer.say("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"decision\":")
                    .await;
                events.send("asked").unwrap();
                peer.hold().await;
                events.send("closed").unwrap();
            } else {
                peer.answer_all(ALLOW).await;
            }
        }
    })
    .await;
    let client = server.client();
    tokio::select! {
        _ = send(&client, AMPLE) => panic!("there is no answer"),
        event = seen.recv() => assert_eq!(event, Some("asked")),
    }
    assert_eq!(seen.recv().await, Some("closed"));
    for _ in 0..3 {
        assert_eq!(
            send(&client, AMPLE).await.unwrap().body(),
            "{\"decision\":\"ALLOW\"}"
        );
    }
    assert_eq!(client.connections_opened(), 2);
}
