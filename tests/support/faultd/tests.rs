//! The service does what it is told, as seen by a client that is none of ours.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;

use super::*;
use crate::client;

/// What a client gets after one request: the bytes, and how the connection ended.
fn ask(service: &Faultd) -> (Vec<u8>, Result<usize, ErrorKind>) {
    let mut stream = TcpStream::connect(service.address).unwrap();
    // Sent first and then read, whatever the service does meanwhile.
    let _ = stream.write_all(b"POST /v1/enforce HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}");
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).map_err(|error| error.kind());
    (bytes, end)
}

#[test]
fn what_nothing_was_said_about_is_answered_in_good_health() {
    let service = Faultd::start();
    let asked = json!({"action_attestation_id": "call-1"});
    let answer = client::post(&service.url(), "//v1/enforce", &[], &asked).json(200);
    assert_eq!(answer["decision"], "ALLOW");
    assert_eq!(answer["action_attestation_id"], "call-1");
    let batch =
        json!({"events": [{"event_id": "1", "session_id": "s", "event_type": "TOOL_CALL_PRE"}]});
    assert_eq!(
        client::post(&service.url(), "/v1/events/batch", &[], &batch).status,
        202
    );
    assert_eq!(service.event_types("s"), ["TOOL_CALL_PRE"]);
    assert_eq!(client::get(&service.url(), "/", &[]).status, 404);
    assert_eq!(service.requests().len(), 3);
}

#[test]
fn a_queue_comes_before_what_is_always_said() {
    let service = Faultd::start();
    service.next(Site::Enforce, Reply::json(500, "{}"));
    service.enforce(Reply::bytes(chunked(
        &[r#"{"decision":"#, r#""BLOCK"}"#],
        true,
    )));
    let post = || client::post(&service.url(), "/v1/enforce", &[], &json!({}));
    assert_eq!(post().status, 500);
    assert_eq!(post().json(200), json!({"decision": "BLOCK"}));
}

#[test]
fn bytes_are_sent_as_they_are() {
    let service = Faultd::start();
    service.enforce(Reply::bytes("garb\0age"));
    assert_eq!(ask(&service), (b"garb\0age".to_vec(), Ok(8)));
}

#[test]
fn a_reset_is_a_reset() {
    let service = Faultd::start();
    service.enforce(vec![Step::Reset]);
    assert_eq!(ask(&service), (Vec::new(), Err(ErrorKind::ConnectionReset)));
}

#[test]
fn a_connection_can_end_before_a_request() {
    let closed = Faultd::listen(Listener::Steps(Vec::new()));
    assert!(ask(&closed).0.is_empty());
    assert_eq!(closed.requests().len(), 0);
}

#[test]
fn an_answer_that_never_ends_lasts_until_the_peer_leaves() {
    let service = Faultd::start();
    service.enforce(vec![Step::Forever(b"x".to_vec(), Duration::from_millis(1))]);
    let mut stream = TcpStream::connect(service.address).unwrap();
    stream
        .write_all(b"POST /v1/enforce HTTP/1.1\r\n\r\n")
        .unwrap();
    let mut some = [0; 16];
    stream.read_exact(&mut some).unwrap();
    assert_eq!(some, [b'x'; 16]);
    assert!(service.waits().is_empty());
    drop(stream);
    service.wait_until(|service| service.waits().len() == 1);
}

#[test]
fn a_full_or_missing_service_cannot_be_reached_until_it_heals() {
    let refused = Refused::take();
    let url = refused.url();
    let error = TcpStream::connect(url.replace("http://", "")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let listening = refused.listen();
    assert_eq!(listening.url(), url);
    assert_eq!(
        client::post(&url, "/v1/enforce", &[], &json!({})).status,
        200
    );

    let full = Faultd::listen(Listener::Full);
    full.wait_until(|full| {
        TcpStream::connect_timeout(&full.address, Duration::from_millis(100)).is_err()
    });
    full.heal(Listener::Plain);
    assert_eq!(
        client::post(&full.url(), "/v1/enforce", &[], &json!({})).status,
        200
    );
}
