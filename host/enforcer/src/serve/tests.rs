//! Facts about the loopback carrier.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::{Whom, is_loopback_authority, serve, serve_to};
use crate::{Enforcer, Options, Policy, Store};

struct Served {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<std::io::Result<()>>,
}

async fn served() -> Served {
    served_in(Semaphore::new(2)).await
}

async fn served_in(turns: Semaphore) -> Served {
    let policy = Policy::parse("p.cedar", "permit (principal, action, resource);").unwrap();
    let options = Options {
        approver_token: Some("approver-token".into()),
        ..Options::default()
    };
    let enforcer = Enforcer::new(policy, Store::in_memory().unwrap(), options).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let ended = tokio::spawn(serve_to(
        Whom::All,
        listener,
        Arc::new(enforcer),
        turns,
        shutdown,
    ));
    Served {
        address,
        stop,
        ended,
    }
}

/// Sends raw bytes and reads until the server closes.
async fn exchange(address: SocketAddr, request: String) -> String {
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    })
    .await
    .unwrap()
}

fn post(headers: &str, body: &str) -> String {
    format!(
        "POST /v1/events/batch HTTP/1.1\r\n{headers}Connection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_requests_for_a_loopback_name_are_served() {
    let served = served().await;
    for (headers, expected) in [
        ("Host: localhost\r\n", "202"),
        ("Host: LOCALHOST:80\r\n", "202"),
        ("Host: 127.0.0.1:8181\r\n", "202"),
        ("Host: 127.9.9.9\r\n", "202"),
        ("Host: [::1]:1\r\n", "202"),
        (
            "Host: localhost\r\nOrigin: http://localhost:3000\r\n",
            "202",
        ),
        ("Host: localhost\r\nOrigin: https://evil.example\r\n", "403"),
        ("Host: localhost\r\nOrigin: null\r\n", "403"),
        ("Host: evil.example\r\n", "403"),
        ("Host: localhost.evil.example\r\n", "403"),
        ("Host: localhost.\r\n", "403"),
        ("Host: 127.0.0.1.evil.example\r\n", "403"),
        ("Host: 10.0.0.1\r\n", "403"),
        ("Host: 0.0.0.0\r\n", "403"),
        ("Host: 2130706433\r\n", "403"),
        ("Host: a@localhost\r\n", "403"),
        ("Host: localhost\r\nHost: evil.example\r\n", "403"),
        ("Host:\r\n", "403"),
        ("", "403"),
    ] {
        let answer = exchange(served.address, post(headers, "[]")).await;
        assert_eq!(status(&answer), expected, "{headers:?}");
    }
    let absolute =
        post("Host: localhost\r\n", "[]").replace("POST /v1", "POST http://evil.example/v1");
    assert_eq!(status(&exchange(served.address, absolute).await), "403");
    served.stop.send(()).unwrap();
    served.ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_approvers_ask_is_asked_from_the_own_page_or_from_none() {
    let served = served().await;
    for (origin, expected) in [
        ("", "401"),
        ("Origin: http://localhost:8181\r\n", "401"),
        // Another server on this machine, another port of it, another scheme, two at once.
        ("Origin: http://127.0.0.1:8181\r\n", "403"),
        ("Origin: http://localhost:3000\r\n", "403"),
        ("Origin: http://localhost\r\n", "403"),
        ("Origin: https://localhost:8181\r\n", "403"),
        ("Origin: null\r\n", "403"),
        (
            "Origin: http://localhost:8181\r\nOrigin: http://localhost:3000\r\n",
            "403",
        ),
    ] {
        for line in [
            "GET /page/live",
            "POST /page/session",
            "GET /acme/thoth/approvals",
            "POST /acme/thoth/approvals/hold_1/resolve",
        ] {
            let request = format!(
                "{line} HTTP/1.1\r\nHost: localhost:8181\r\n{origin}Connection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
            );
            let answer = exchange(served.address, request).await;
            assert_eq!(status(&answer), expected, "{line} {origin:?}");
            assert!(!answer.to_ascii_lowercase().contains("access-control"));
        }
    }
    served.stop.send(()).unwrap();
    served.ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_http_is_refused_and_the_next_request_is_served() {
    let served = served().await;
    let huge = super::MAX_BODY + 1;
    for (request, expected) in [
        ("nonsense\r\n\r\n".to_owned(), "400"),
        (
            "POST /v1/enforce HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n".to_owned(),
            "400",
        ),
        (
            format!(
                "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "a".repeat(100_000)
            ),
            "431",
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
                "x: y\r\n".repeat(200)
            ),
            "431",
        ),
        (post("Host: localhost\r\n", &" ".repeat(huge)), "413"),
        (
            post("Host: localhost\r\nTransfer-Encoding: gzip\r\n", "[]"),
            "400",
        ),
        (post("Host: localhost\r\n", "[]"), "202"),
    ] {
        let line: String = request.chars().take(40).collect();
        let answer = exchange(served.address, request).await;
        assert_eq!(status(&answer), expected, "{line:?}");
    }
    served.stop.send(()).unwrap();
    served.ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_stream_tells_what_there_is_and_ends_with_the_server() {
    let served = served().await;
    let listen = "GET /page/live HTTP/1.1\r\nHost: localhost\r\n\
                  Authorization: Bearer approver-token\r\n\r\n";
    let mut streams = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(served.address).unwrap();
        stream.write_all(listen.as_bytes()).unwrap();
        let mut text = String::new();
        while !text.contains("event: ready") {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap();
            assert!(read > 0, "{text}");
            text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        assert_eq!(status(&text), "200");
        assert!(text.contains("text/event-stream"), "{text}");
        streams.push(stream);
    }
    // As many as a page is open in; one more is told so.
    let refused = exchange(
        served.address,
        listen.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    );
    assert_eq!(status(&refused.await), "503");
    served.stop.send(()).unwrap();
    served.ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_does_not_get_its_turn_in_time_is_told_so() {
    let served = served_in(Semaphore::new(0)).await;
    let asked = Instant::now();
    let answer = exchange(served.address, post("Host: localhost\r\n", "[]")).await;
    assert_eq!(status(&answer), "503");
    assert!(answer.contains("BUSY"), "{answer}");
    // Sooner than a client gives up.
    assert!(asked.elapsed() < Duration::from_secs(5) * 2);
    served.stop.send(()).unwrap();
    served.ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_more_values_than_are_read_is_refused() {
    let served = served().await;
    let body = format!("[{}]", vec!["0"; crate::json::MAX_VALUES].join(","));
    let answer = exchange(served.address, post("Host: localhost\r\n", &body)).await;
    assert_eq!(status(&answer), "413");
    assert!(answer.contains("200000 values"), "{answer}");
    served.stop.send(()).unwrap();
    served.ended.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_does_not_keep_it_from_ending() {
    let served = served().await;
    let mut idle = TcpStream::connect(served.address).unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut first = [0; 16];
    idle.read_exact(&mut first).unwrap();
    served.stop.send(()).unwrap();
    served.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
    let policy = Policy::parse("p.cedar", "").unwrap();
    let enforcer = Enforcer::new(policy, Store::in_memory().unwrap(), Options::default()).unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = serve(listener, Arc::new(enforcer), std::future::pending()).await;
    assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn loopback_authorities_are_told_by_their_host_alone() {
    assert!(is_loopback_authority("127.0.0.1:1"));
    assert!(!is_loopback_authority("127.0.0.1@evil.example"));
    assert!(!is_loopback_authority("evil.example:127"));
    assert!(!is_loopback_authority("0177.0.0.1"));
}
