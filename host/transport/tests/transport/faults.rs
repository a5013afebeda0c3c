//! The fail-closed matrix at the level of HTTP: every broken answer is one known fault, in time, and
//! the next healthy exchange works.

use std::time::Duration;

use http::StatusCode;
use thoth_transport::{Client, Fault, Options, Origin};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, interval, timeout};

use crate::server::{ALLOW, AMPLE, Peer, SHORT, Server, send};

/// What a connection ends with, after its text.
#[derive(Clone, Copy)]
enum End {
    Fin,
    Rst,
    Stall,
    /// The same text again and again, as fast as it is taken.
    Flood(&'static str),
    /// The same text again and again, with pauses that no per-read time-out would notice.
    Drip(&'static str),
}

async fn misbehave(mut peer: Peer, text: &'static str, end: End) {
    peer.request().await;
    peer.say(text).await;
    match end {
        End::Fin => {}
        End::Rst => peer.reset(),
        End::Stall => peer.hold().await,
        End::Flood(text) => while peer.say(text).await {},
        End::Drip(text) => {
            let mut pause = interval(Duration::from_millis(5));
            while peer.say(text).await {
                pause.tick().await;
            }
        }
    }
}

/// Runs one row: the first connection misbehaves, all later ones are healthy.
async fn fault(text: &'static str, end: End, limit: Duration) -> Fault {
    let server = Server::start(move |mut peer| async move {
        match peer.number {
            0 => misbehave(peer, text, end).await,
            _ => peer.answer_all(ALLOW).await,
        }
    })
    .await;
    let client = server.client();
    let start = Instant::now();
    let fault = send(&client, limit).await.unwrap_err();
    assert!(
        start.elapsed() < limit + Duration::from_millis(250),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        client.connections_opened(),
        1,
        "a fault on a new connection is not retried"
    );
    let healthy = send(&client, AMPLE).await.unwrap();
    assert_eq!(healthy.body(), "{\"decision\":\"ALLOW\"}");
    fault
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn no_byte_of_an_answer_is_unreachable() {
    for end in [End::Fin, End::Rst] {
        let fault = fault("", end, AMPLE).await;
        assert!(matches!(fault, Fault::Unreachable(..)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_server_that_closes_at_once_is_unreachable() {
    for reset in [false, true] {
        let server = Server::start(move |peer| async move {
            if reset {
                peer.reset();
            }
        })
        .await;
        let fault = send(&server.client(), AMPLE).await.unwrap_err();
        assert!(matches!(fault, Fault::Unreachable(..)), "{reset} {fault:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let client = Client::new(origin, Options::default()).unwrap();
    let fault = send(&client, AMPLE).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Unreachable(_, why) if why.contains("refused")),
        "{fault:?}"
    );
    assert_eq!(client.connections_opened(), 0);
}

/// A full backlog drops the packets that open a connection, as an unroutable address does.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_swallows_packets_is_unreachable() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut fill = Vec::new();
    while let Ok(stream) = timeout(SHORT, TcpStream::connect(address)).await {
        fill.push(stream.unwrap());
    }
    let origin = Origin::parse(&format!("http://{address}")).unwrap();
    let fault = send(&Client::new(origin, Options::default()).unwrap(), SHORT)
        .await
        .unwrap_err();
    assert!(
        matches!(&fault, Fault::Unreachable(_, why) if why.contains("time limit")),
        "{fault:?}"
    );
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable() {
    // The name never exists (RFC 6761); where it cannot be asked for, the time limit says the same.
    let origin = Origin::parse("https://enforce.invalid").unwrap();
    let client = Client::new(origin, Options::default()).unwrap();
    let fault = send(&client, SHORT).await.unwrap_err();
    assert!(matches!(fault, Fault::Unreachable(..)), "{fault:?}");
}

#[tokio::test]
async fn a_broken_answer_is_a_protocol_fault() {
    for (text, end) in [
        ("H", End::Fin),
        ("HTTP/1.1 200 OK\r\nContent-Ty", End::Fin),
        ("HTTP/1.1 200 OK\r\nContent-Ty", End::Rst),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"decision\":",
            End::Fin,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"decision\":",
            End::Rst,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"decision\":\"ALLOW\"}",
            End::Fin,
        ),
        (HEAD, End::Fin),
        (CHUNKED, End::Fin),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{\"decision\":\"ALLOW\"}\r\n",
            End::Fin,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{\"decision\":\"ALLOW\"}\r\n0\r\n",
            End::Fin,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{\"decision\":\"ALLOW\"}\r\n",
            End::Rst,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}x",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
            End::Fin,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            End::Stall,
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\n{}",
            End::Stall,
        ),
        ("HTTP/2 200 OK\r\n\r\n", End::Stall),
        ("HTTP/1.1 2000 OK\r\n\r\n", End::Stall),
        ("{\"decision\":\"ALLOW\"}", End::Fin),
        ("SSH-2.0-OpenSSH_9.9\r\n", End::Stall),
        ("\x15\x03\x01\0\x02\x02\x46", End::Stall),
        ("HTTP/1.1 100 Continue\r\n\r\n", End::Fin),
    ] {
        let fault = fault(text, end, AMPLE).await;
        assert!(matches!(fault, Fault::Protocol(_)), "{text:?} {fault:?}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_end_meets_the_deadline() {
    for (text, end) in [
        ("", End::Stall),
        ("HTTP/1.1 200 OK\r\n", End::Stall),
        (HEAD, End::Stall),
        (CHUNKED, End::Stall),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
            End::Stall,
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n{\"decision\":\"ALLOW\"}",
            End::Stall,
        ),
        ("HTTP/1.1 200 OK\r\nX: ", End::Drip("a")),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n",
            End::Drip("a"),
        ),
        (CHUNKED, End::Drip("1\r\na\r\n")),
        ("HTTP/1.1 100 Continue\r\n\r\n", End::Stall),
        ("", End::Drip("HTTP/1.1 100 Continue\r\n\r\n")),
        ("", End::Flood("HTTP/1.1 100 Continue\r\n\r\n")),
        (
            "",
            End::Flood("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        ),
    ] {
        let fault = fault(text, end, SHORT).await;
        assert_eq!(fault, Fault::Timeout, "{text:?}");
    }
}

#[tokio::test]
async fn an_answer_without_measure_meets_its_limit() {
    for (text, end, what) in [
        (
            "HTTP/1.1 200 OK\r\n",
            End::Flood("X-Y: z\r\n"),
            "the response's head",
        ),
        (
            "HTTP/1.1 200 OK\r\nX: ",
            End::Flood("aaaaaaaa"),
            "the response's head",
        ),
        (
            "HTTP/1.1 200 ",
            End::Flood("aaaaaaaa"),
            "the response's head",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n",
            End::Flood("aaaaaaaa"),
            "the response's body",
        ),
        (
            CHUNKED,
            End::Flood("8\r\naaaaaaaa\r\n"),
            "the response's body",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
            End::Stall,
            "the response's body",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
            End::Stall,
            "the response's body",
        ),
    ] {
        let fault = fault(text, end, AMPLE).await;
        assert_eq!(fault, Fault::TooLarge(what), "{text:?}");
    }
}

/// Statuses and redirects are the caller's to judge; none is followed, and none leads anywhere.
#[tokio::test]
async fn every_status_is_given_back_as_it_is() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("http://{}/stolen", elsewhere.local_addr().unwrap());
    for status in [
        203, 205, 206, 226, 301, 302, 303, 307, 308, 400, 401, 403, 404, 407, 408, 409, 422, 429,
        451, 500, 502, 503, 504, 599, 999,
    ] {
        let text = format!(
            "HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 20\r\n\r\n{{\"decision\":\"ALLOW\"}}"
        );
        let server = Server::start(move |mut peer| {
            let text = text.clone();
            async move { peer.answer_all(text).await }
        })
        .await;
        let response = send(&server.client(), AMPLE).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["location"], location.as_str());
        assert_eq!(server.requests(), 1, "{status}");
    }
    assert!(
        timeout(Duration::ZERO, elsewhere.accept()).await.is_err(),
        "a redirect was followed"
    );
}

#[tokio::test]
async fn a_status_without_a_body_has_none() {
    for status in [204, 304] {
        let server = Server::start(move |mut peer| async move {
            peer.answer_all(format!(
                "HTTP/1.1 {status} X\r\n\r\n{{\"decision\":\"ALLOW\"}}"
            ))
            .await;
        })
        .await;
        let client = server.client();
        for opened in 1..3 {
            let response = send(&client, AMPLE).await.unwrap();
            assert_eq!(
                (response.status().as_u16(), response.body().len()),
                (status, 0)
            );
            // What follows such a head is no part of it, and must not be read as the next answer.
            assert_eq!(client.connections_opened(), opened);
        }
    }
}

#[tokio::test]
async fn an_upgrade_is_given_back_and_not_taken() {
    let server = Server::start(|mut peer| async move {
        peer.answer_all(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        )
        .await;
    })
    .await;
    let client = server.client();
    for opened in 1..3 {
        let response = send(&client, AMPLE).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert!(response.body().is_empty());
        assert_eq!(client.connections_opened(), opened);
    }
}

#[tokio::test]
async fn an_interim_answer_is_skipped() {
    let server = Server::start(|mut peer| async move {
        peer.answer_all(format!("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n{ALLOW}"))
            .await;
    })
    .await;
    let response = send(&server.client(), AMPLE).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("x"));
}
