//! Requests whose bodies are told about, and those whose bodies stream.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use thoth_tests::hosts::{NOTE, Server};
use thoth_tests::{Answer, Faultd, Site, client};

use crate::{SONG, is_here, parts, vars};

/// What has not come by then is not coming.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection on which a request is sent in pieces.
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Begins a request with a part of its head.
    pub(crate) fn open(base: &str, head: &str) -> Self {
        let authority = base.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(authority).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let read = Vec::new();
        let mut connection = Self { stream, read };
        connection.send(&format!("{head}host: {authority}\r\n"));
        connection
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until this is there.
    fn wait_for(&mut self, text: &str) {
        let mut some = [0; 512];
        while !String::from_utf8_lossy(&self.read).contains(text) {
            let count = self.stream.read(&mut some).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&self.read));
            self.read.extend(&some[..count]);
        }
    }

    /// All that comes.
    pub(crate) fn rest(mut self) -> String {
        let _broken_off = self.stream.read_to_end(&mut self.read);
        String::from_utf8_lossy(&self.read).into_owned()
    }
}

/// A piece of a body.
pub(crate) fn chunked(piece: &str) -> String {
    format!("{:x}\r\n{piece}\r\n", piece.len())
}

pub(crate) fn are_told_about_or_stream_in(host: Server) {
    if !is_here(host, host.find()) {
        return;
    }
    let service = Faultd::start();
    service.enforce(Answer::allow());
    let url = service.url();
    let serving = host.serve(&parts::service(), &vars(&url), &url);
    let asked = |number: usize| {
        let asked = &service.requests_to(Site::Enforce)[number].json()["tool_args"];
        (
            asked["body"].clone(),
            asked["body_bytes"].clone(),
            asked["body_sha256"].clone(),
        )
    };

    let read = client::request(serving.url(), "POST", "/", &[], b"hello");
    assert!(
        read.body.contains(SONG) && read.body.ends_with("hello"),
        "{read:?}"
    );
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(asked(0), ("read".into(), 5.into(), digest.into()));

    let empty = client::get(serving.url(), "/", &[]);
    assert!(empty.body.contains(SONG), "{empty:?}");
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(asked(1), ("read".into(), 0.into(), digest.into()));

    // The answer begins while the request is still under way.
    let head = "POST / HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n";
    let mut connection = Connection::open(serving.url(), head);
    connection.send(&format!("\r\n{}", chunked("first-piece")));
    connection.wait_for("first-piece");
    connection.send(&format!("{}0\r\n\r\n", chunked("second-piece")));
    let all = connection.rest();
    assert!(all.contains(SONG) && all.contains("second-piece"), "{all}");
    let (body, bytes, digest) = asked(2);
    assert_eq!(body, "streamed");
    assert!(bytes.is_null() && digest.is_null());

    // So does one that is longer than what is read.
    let long = "x".repeat(3 << 20);
    let through = client::request(serving.url(), "POST", "/", &[], long.as_bytes());
    let echoed = through.body.matches('x').count();
    assert_eq!((through.status, echoed), (200, long.len()));
    assert_eq!(asked(3).0, "streamed");

    // One that does not come is not waited for.
    let mut connection = Connection::open(serving.url(), "POST / HTTP/1.1\r\n");
    connection.send("connection: close\r\ncontent-length: 10\r\n\r\nhello");
    let answer = connection.rest();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(!answer.contains(SONG), "{answer}");
    assert_eq!(service.requests_to(Site::Enforce).len(), 4);

    // A stream that is not a request's is one of ours all the same.
    let stdin = client::get(serving.url(), "/stdin", &[]);
    assert!(stdin.body.contains("stdin has 0 bytes"), "{stdin:?}");
    if host == Server::Wasmtime {
        let file = client::get(serving.url(), "/file", &[]);
        assert!(file.body.contains(NOTE), "{file:?}");
    }

    // A refusal that is longer than what a stream takes at a time arrives whole.
    service.enforce(Answer::block(&"⛔".repeat(3000)));
    let refused = client::get(serving.url(), "/", &[]);
    assert!(refused.body.len() > 4096, "{refused:?}");
    assert_eq!(refused.json(403)["cause"], "policy");
}
