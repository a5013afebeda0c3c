//! What goes over the wire, and what comes back of what a server says.

use bytes::Bytes;
use thoth_egress::{Budget, Kind, Unreachable};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::bed::{AMPLE, Bed, Canary, NAME, SHORT, Server, ask, ask_with, get, hold, with};

#[tokio::test]
async fn what_was_checked_is_what_is_sent() {
    let server = Server::saying("HTTP/1.1 204 No Content\r\n\r\n").await;
    let egress = Bed::open_to(server.port).egress();
    let mut parts = with(
        get(&server.url("/%7euser/%41?q=a%2Fb")),
        &[("accept", "text/plain"), ("content-length", "5")],
    );
    parts.method = http::Method::POST;
    let answer = ask_with(&egress, &parts, Bytes::from_static(b"hello"));
    assert_eq!(answer.await.unwrap().response.status(), 204);
    let expected = format!(
        "POST /~user/A?q=a%2Fb HTTP/1.1\r\naccept: text/plain\r\nhost: {NAME}:{}\r\n\
         content-length: 5\r\n\r\nhello",
        server.port
    );
    assert_eq!(server.requests(), [expected]);
}

#[tokio::test]
async fn a_redirect_comes_back_and_is_not_followed() {
    let canary = Canary::new().await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("http://127.0.0.1:{}/", canary.port());
        let server = Server::saying(format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
        let egress = Bed::open_to(server.port).egress();
        let answer = ask(&egress, &get(&server.url("/"))).await.unwrap();
        assert_eq!(answer.response.status(), status);
        assert_eq!(answer.response.headers()["location"], location);
    }
    canary.assert_silent().await;
}

#[tokio::test]
async fn headers_of_the_connection_and_cookies_are_not_for_the_tool() {
    let server = Server::saying(
        "HTTP/1.1 200 Fine\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\n\
         Transfer-Encoding: chunked\r\nTrailer: X\r\nSet-Cookie: a=b\r\nProxy-Authenticate: x\r\n\
         Upgrade: h2c\r\nX-Kept: 1\r\nX-Kept: 2\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n",
    )
    .await;
    let egress = Bed::open_to(server.port).egress();
    let answer = ask(&egress, &get(&server.url("/"))).await.unwrap();
    let lines: Vec<_> = answer.response.headers().iter().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|(name, _)| *name == "x-kept"));
    assert_eq!(answer.response.body(), "ok");
    assert!(!answer.masked);
}

#[tokio::test]
async fn an_answer_to_head_has_the_length_of_a_body_that_does_not_come() {
    let server = Server::saying("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").await;
    let egress = Bed::open_to(server.port).egress();
    let mut parts = get(&server.url("/"));
    parts.method = http::Method::HEAD;
    let answer = ask(&egress, &parts).await.unwrap();
    assert_eq!(answer.response.headers()["content-length"], "99999999999");
    assert!(answer.response.body().is_empty());
}

#[tokio::test]
async fn a_compressed_body_is_left_alone() {
    // Not even gzip: nobody looks.
    let server = Server::saying(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x00\xff"
            .to_vec(),
    )
    .await;
    let egress = Bed::open_to(server.port).egress();
    let answer = ask(&egress, &get(&server.url("/"))).await.unwrap();
    assert_eq!(answer.response.headers()["content-encoding"], "gzip");
    assert_eq!(answer.response.body().as_ref(), b"\x1f\x8b\x00\xff");
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_cut_off_at_the_deadline() {
    for part in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\nX",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345678",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        "HTTP/1.1 200 OK\r\n\r\nendless",
    ] {
        let server = Server::start(move |mut stream, _| async move {
            let _ = stream.write_all(part.as_bytes()).await;
            hold(stream).await;
        })
        .await;
        let egress = Bed::open_to(server.port).egress();
        let permitted = egress.check(&get(&server.url("/"))).unwrap();
        let deadline = Instant::now() + SHORT;
        let refused = egress.send(permitted, Bytes::new(), deadline).await;
        assert_eq!(refused.unwrap_err().kind, Kind::Timeout, "{part:?}");
        assert!(Instant::now() < deadline + AMPLE);
    }
}

#[tokio::test]
async fn an_answer_over_the_cap_is_refused() {
    for (head, kind) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            Kind::Budget(Budget::ResponseBytes),
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n",
            Kind::Budget(Budget::ResponseBytes),
        ),
        ("HTTP/1.1 200 OK\r\nX: ", Kind::TooLarge),
    ] {
        let server = Server::start(move |mut stream, _| async move {
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(&[b'a'; 4096]).await.is_ok() {}
        })
        .await;
        let mut bed = Bed::open_to(server.port);
        bed.budgets.response_bytes = 100_000;
        let egress = bed.egress();
        let refused = ask(&egress, &get(&server.url("/"))).await.unwrap_err();
        assert_eq!(refused.kind, kind, "{head:?}");
        assert!(egress.usage().response_bytes <= 100_000);
    }
    let lines = "X: y\r\n".repeat(65);
    let server = Server::saying(format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).await;
    let egress = Bed::open_to(server.port).egress();
    let refused = ask(&egress, &get(&server.url("/"))).await.unwrap_err();
    assert_eq!(refused.kind, Kind::TooLarge);
}

#[tokio::test]
async fn a_length_that_lies_gives_no_answer_or_the_length_that_was_said() {
    let answer = async |text: &'static str| {
        let server = Server::saying(text).await;
        let egress = Bed::open_to(server.port).egress();
        ask(&egress, &get(&server.url("/")))
            .await
            .map(|answer| answer.response.into_body())
            .map_err(|refused| refused.kind)
    };
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        assert_eq!(answer(broken).await, Err(Kind::Protocol), "{broken:?}");
    }
    let longer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world";
    assert_eq!(answer(longer).await, Ok(Bytes::from_static(b"hello")));
    assert_eq!(
        answer("").await,
        Err(Kind::Unreachable(Unreachable::Closed))
    );
}

#[tokio::test]
async fn nobody_at_the_port_is_told_apart_from_no_such_name() {
    let nobody = Canary::new().await.port();
    let bed = Bed::open_to(nobody);
    let refused = ask(&bed.egress(), &get(&format!("http://{NAME}:{nobody}/"))).await;
    assert_eq!(
        refused.unwrap_err().kind,
        Kind::Unreachable(Unreachable::Connect)
    );
    let mut bed = Bed::open_to(nobody);
    bed.addresses = Vec::new();
    let refused = ask(&bed.egress(), &get(&format!("http://{NAME}:{nobody}/"))).await;
    assert_eq!(
        refused.unwrap_err().kind,
        Kind::Unreachable(Unreachable::Resolve)
    );
}
