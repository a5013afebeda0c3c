//! Generated answers: none hangs, panics or comes back as more or less than its own framing says.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use thoth_transport::Fault;

use crate::server::{AMPLE, Server, send};

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let start = select(vec![
        "HTTP/1.1 200 OK",
        "HTTP/1.0 200 OK",
        "HTTP/1.1 204 No Content",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
        "HTTP/1.1 101 X",
        "HTTP/1.1 200",
    ]);
    let line = select(vec![
        "Content-Length: 20",
        "content-length: 19",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "transfer-encoding: identity",
        "Connection: keep-alive",
        "Connection: close",
        "Content-Type: application/json",
        "X: \u{e9}",
    ]);
    let body = select(vec![
        "{\"decision\":\"ALLOW\"}",
        "14\r\n{\"decision\":\"ALLOW\"}\r\n0\r\n\r\n",
        "14;a=b\r\n{\"decision\":\"ALLOW\"}\r\n0\r\nX: y\r\n\r\n",
        "14\r\n{\"decision\":",
        "",
    ]);
    let change = prop::option::of((any::<prop::sample::Index>(), any::<u8>()));
    (start, prop::collection::vec(line, 0..4), body, change).prop_map(
        |(start, lines, body, change)| {
            let mut bytes = [&[start], lines.as_slice(), &["", body]]
                .concat()
                .join("\r\n")
                .into_bytes();
            if let Some((at, byte)) = change {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

#[test]
fn no_generated_answer_is_misread() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let current = Arc::new(Mutex::new(Vec::new()));
    let script = Arc::clone(&current);
    let server = runtime.block_on(Server::start(move |mut peer| {
        let text = script.lock().unwrap().clone();
        async move {
            peer.request().await;
            peer.say(text).await;
        }
    }));
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(1000)
    });
    let result = runner.run(&answer(), |bytes| {
        bytes.clone_into(&mut current.lock().unwrap());
        // The server closes after its answer, so that only a wrong reading can wait.
        let result = runtime.block_on(send(&server.client(), AMPLE));
        prop_assert_ne!(result.as_ref().err(), Some(&Fault::Timeout));
        let Ok(response) = result else { return Ok(()) };
        let body = response.body();
        prop_assert!(
            bytes
                .windows(body.len().max(1))
                .any(|part| body.is_empty() || part == body)
        );
        let length = response.headers().get("content-length");
        let has_body = !matches!(response.status().as_u16(), 101 | 204 | 304);
        if let (Some(length), true) = (length, has_body) {
            prop_assert_eq!(
                length.to_str().unwrap().parse::<usize>().unwrap(),
                body.len()
            );
        }
        Ok(())
    });
    result.unwrap();
}
