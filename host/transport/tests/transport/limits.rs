//! What goes out, the exact limits, and requests that never leave.

use bytes::Bytes;
use http::Request;
use thoth_transport::{Client, Fault, Options, Origin};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::server::{ALLOW, AMPLE, Server, enforce, send};

#[tokio::test]
async fn the_request_on_the_wire_is_ours() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let server = Server::start(move |mut peer| {
        let seen = seen.clone();
        async move {
            while let Some(request) = peer.request().await {
                seen.send(request).unwrap();
                peer.say(ALLOW).await;
            }
        }
    })
    .await;
    let client = server.client();
    let request = Request::post(format!("http://{}/v1/enforce?a=b", server.address))
        .header("host", "evil.example")
        .header("content-length", "1")
        .header("transfer-encoding", "chunked")
        .header("connection", "close")
        .header("expect", "100-continue")
        .header("x-api-key", "k")
        .body(Bytes::from_static(b"{\"tool_name\":\"search\"}"))
        .unwrap();
    client.send(request, Instant::now() + AMPLE).await.unwrap();
    let expected = format!(
        "POST /v1/enforce?a=b HTTP/1.1\r\nx-api-key: k\r\nhost: {}\r\ncontent-length: 22\r\n\r\n{{\"tool_name\":\"search\"}}",
        server.address
    );
    assert_eq!(requests.recv().await.unwrap(), expected);
    let hold = Request::get("/v1/enforce/hold/t")
        .body(Bytes::new())
        .unwrap();
    client.send(hold, Instant::now() + AMPLE).await.unwrap();
    let expected = format!(
        "GET /v1/enforce/hold/t HTTP/1.1\r\nhost: {}\r\n\r\n",
        server.address
    );
    assert_eq!(requests.recv().await.unwrap(), expected);
}

#[tokio::test]
async fn localhost_is_reached_by_name() {
    let server = Server::start(|mut peer| async move { peer.answer_all(ALLOW).await }).await;
    let origin = Origin::parse(&format!("http://localhost:{}", server.address.port())).unwrap();
    let client = Client::new(origin, Options::default()).unwrap();
    assert_eq!(send(&client, AMPLE).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_body_may_be_as_large_as_its_limit_and_no_larger() {
    for (length, fits) in [(1000, true), (1001, false)] {
        for chunked in [false, true] {
            let server = Server::start(move |mut peer| async move {
                let body = "a".repeat(length);
                let text = if chunked {
                    let (one, two) = body.split_at(500);
                    format!(
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
                        one.len(),
                        two.len()
                    )
                } else {
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
                };
                peer.answer_all(text).await;
            })
            .await;
            let client = server.client_with(Options {
                max_response: 1000,
                ..Options::default()
            });
            match send(&client, AMPLE).await {
                Ok(response) => assert_eq!((response.body().len(), fits), (length, true)),
                Err(fault) => {
                    assert_eq!(
                        (fault, fits),
                        (Fault::TooLarge("the response's body"), false)
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_head_may_be_as_large_as_its_limits_and_no_larger() {
    for (lines, value, fits) in [
        (62, 1, true),
        (63, 1, true),
        (64, 1, false),
        (1, 3000, true),
        (1, 5000, false),
    ] {
        let server = Server::start(move |mut peer| async move {
            let line = format!("X-Y: {}\r\n", "z".repeat(value)).repeat(lines);
            peer.answer_all(format!(
                "HTTP/1.1 200 OK\r\n{line}Content-Length: 0\r\n\r\n"
            ))
            .await;
        })
        .await;
        let client = server.client_with(Options {
            max_head: 4096,
            ..Options::default()
        });
        match send(&client, AMPLE).await {
            Ok(_) => assert!(fits, "{lines} {value}"),
            Err(fault) => {
                assert_eq!(
                    (fault, fits),
                    (Fault::TooLarge("the response's head"), false),
                    "{lines} {value}"
                );
            }
        }
    }
}

#[tokio::test]
async fn trailers_are_dropped() {
    let server = Server::start(|mut peer| async move {
        peer.answer_all("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n").await;
    })
    .await;
    let client = server.client();
    for _ in 0..3 {
        let response = send(&client, AMPLE).await.unwrap();
        assert_eq!(
            (response.body().as_ref(), response.headers().get("x")),
            (&b"{}"[..], None)
        );
    }
    assert_eq!(client.connections_opened(), 1);
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_is_whole() {
    let server = Server::start(|mut peer| async move {
        peer.request().await;
        peer.say("HTTP/1.0 200 OK\r\n\r\n{\"decision\":").await;
        peer.say("\"ALLOW\"}").await;
    })
    .await;
    let client = server.client();
    assert_eq!(
        send(&client, AMPLE).await.unwrap().body(),
        "{\"decision\":\"ALLOW\"}"
    );
}

#[tokio::test]
async fn what_may_not_leave_opens_no_connection() {
    let server = Server::start(|mut peer| async move { peer.answer_all(ALLOW).await }).await;
    let client = server.client_with(Options {
        max_request: 4,
        ..Options::default()
    });
    let soon = Instant::now() + AMPLE;
    let other = Request::get("https://evil.example/")
        .body(Bytes::new())
        .unwrap();
    assert!(matches!(
        client.send(other, soon).await,
        Err(Fault::NotAllowed(_))
    ));
    assert_eq!(
        client.send(enforce(), soon).await.unwrap_err(),
        Fault::TooLarge("the request's body")
    );
    let late = Request::get("/").body(Bytes::new()).unwrap();
    assert_eq!(
        client.send(late, Instant::now()).await.unwrap_err(),
        Fault::Timeout
    );
    assert_eq!(client.connections_opened(), 0);
}
