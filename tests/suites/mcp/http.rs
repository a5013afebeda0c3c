//! Streamable HTTP: who is let in, and the same calls as on stdio.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use thoth_tests::{
    Answer, Faultd, Site, Thoth,
    client::{self, Response},
    mcp,
    thoth::Running,
};

use super::scene::{SANG, by_service, thoth};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// What does not come by then is not coming.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a free port.
pub(crate) struct Served {
    url: String,
    running: Running,
}

impl Served {
    pub(crate) fn start(thoth: &Thoth, service: &Faultd) -> Self {
        Self::with(thoth, service, &[])
    }

    /// The same with more flags.
    pub(crate) fn with(thoth: &Thoth, service: &Faultd, flags: &[&str]) -> Self {
        let token = thoth.file("token", format!("{TOKEN}\n"));
        let serve = by_service(thoth, service).args(["--http", "127.0.0.1:0", "--token-file"]);
        let mut running = serve.arg(token).args(flags).spawn();
        let line = running.stderr_line(|line| line.contains("serving MCP at"));
        let url = line.rsplit(' ').next().unwrap();
        Self {
            url: url.strip_suffix("/mcp").unwrap().to_owned(),
            running,
        }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(self) {
        self.running.interrupt();
        self.running.wait().assert_code(0);
    }

    /// Ends a session.
    pub(crate) fn close(&self, session: &str) -> u16 {
        let bearer = bearer();
        let headers = [
            ("authorization", bearer.as_str()),
            ("mcp-session-id", session),
        ];
        client::request(&self.url, "DELETE", "/mcp", &headers, b"").status
    }

    /// Begins a call of the tool that does not end, and waits until it runs.
    pub(crate) fn tarpit(&self, session: &str, id: u32) -> BufReader<TcpStream> {
        let session = format!("mcp-session-id: {session}");
        self.begin(&session, id, json!({"progressToken": "t"}), "")
    }

    /// The same in no session, with something after the request.
    pub(crate) fn tarpit_and(&self, more: &str) -> BufReader<TcpStream> {
        let mut meta = mcp::meta(&json!({}));
        meta["progressToken"] = json!("t");
        let headers =
            "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: tarpit";
        self.begin(headers, 1, meta, more)
    }

    fn begin(&self, headers: &str, id: u32, meta: Value, more: &str) -> BufReader<TcpStream> {
        let body = json!({
            "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "tarpit", "arguments": {"note": "x"}, "_meta": meta},
        });
        let body = body.to_string();
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "POST /mcp HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             {headers}\r\ncontent-length: {}\r\n\r\n{body}{more}",
            body.len()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while !line.contains("\"running\"") {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "it ended");
        }
        reader
    }

    /// Sends a message of a session.
    pub(crate) fn send(&self, session: &str, message: &Value) -> Response {
        let bearer = bearer();
        let own = ("authorization", bearer.as_str());
        self.post(&[own, ("mcp-session-id", session)], message)
    }

    fn post(&self, headers: &[(&str, &str)], body: &Value) -> Response {
        let mut all = vec![("accept", "application/json, text/event-stream")];
        all.extend(headers);
        client::post(&self.url, "/mcp", &all, body)
    }
}

fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

fn hello() -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    })
}

/// The message in an answer, which may be a stream of events.
fn message(response: &Response) -> Value {
    assert_eq!(response.status, 200, "{response:?}");
    let body = response.body.as_str();
    if let Ok(message) = serde_json::from_str(body) {
        return message;
    }
    let datas = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut messages = datas.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    messages
        .find(|message| message.get("id").is_some())
        .unwrap_or_else(|| panic!("no message: {response:?}"))
}

/// Shakes hands as 2025-11-25 does, and gives the session's id.
pub(crate) fn session(served: &Served) -> String {
    let bearer = bearer();
    let own = ("authorization", bearer.as_str());
    let response = served.post(&[own], &hello());
    let hello = message(&response);
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25");
    let id = response.header("mcp-session-id").unwrap().to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let accepted = served.post(&[own, ("mcp-session-id", &id)], &ready);
    assert_eq!(accepted.status, 202);
    id
}

/// A call in a session.
pub(crate) fn sing_in(served: &Served, session: &str) -> Value {
    let call = json!({
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "sing", "arguments": {"note": "b"}},
    });
    let bearer = bearer();
    let headers = [
        ("authorization", bearer.as_str()),
        ("mcp-session-id", session),
    ];
    message(&served.post(&headers, &call))
}

/// A call as 2026-07-28 has it: no session, and headers that say what it is.
pub(crate) fn sing_without_session(served: &Served, note: &str) -> Value {
    let body = json!({
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {
            "name": "sing",
            "arguments": {"note": note},
            "_meta": mcp::meta(&json!({})),
        },
    });
    let bearer = bearer();
    let headers = [
        ("authorization", bearer.as_str()),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "sing"),
    ];
    message(&served.post(&headers, &body))
}

#[test]
fn nobody_is_let_in_without_the_token_in_its_header() {
    let (thoth, service) = (thoth(), Faultd::start());
    let served = Served::start(&thoth, &service);
    let other = format!("Bearer {}", "f".repeat(32));
    let twice = bearer();
    let rows: [&[(&str, &str)]; 6] = [
        &[],
        &[("authorization", &other)],
        &[("authorization", TOKEN)],
        &[("authorization", "Basic dGhvdGg6")],
        &[("authorization", "Bearer ")],
        &[("authorization", &twice), ("authorization", &twice)],
    ];
    for headers in rows {
        let response = served.post(headers, &hello());
        assert_eq!(response.status, 401, "{headers:?}: {response:?}");
        assert_eq!(response.header("www-authenticate"), Some("Bearer"));
    }
    let query = format!("/mcp?token={TOKEN}&access_token={TOKEN}");
    let response = client::post(&served.url, &query, &[], &hello());
    assert_eq!(response.status, 401, "{response:?}");
    assert!(service.requests().is_empty());
}

#[test]
fn web_pages_and_other_hosts_are_kept_out() {
    let (thoth, service) = (thoth(), Faultd::start());
    let served = Served::start(&thoth, &service);
    let bearer = bearer();
    let own = [("authorization", bearer.as_str())];
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", "http://localhost.evil.example"),
    ] {
        let response = served.post(&[own[0], (name, value)], &hello());
        assert_eq!(response.status, 403, "{name}: {value}: {response:?}");
    }
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.",
        "169.254.169.254",
    ] {
        let response = served.post(&[own[0], ("host", host)], &hello());
        assert!(matches!(response.status, 400 | 403), "{host}: {response:?}");
    }
    let accept = ("accept", "application/json, text/event-stream");
    let headers = [own[0], accept, ("content-type", "text/plain")];
    let body = hello().to_string();
    let text = client::request(&served.url, "POST", "/mcp", &headers, body.as_bytes());
    assert!(matches!(text.status, 400 | 415), "{text:?}");
    assert!(service.requests().is_empty());
}

#[test]
fn what_is_no_message_is_refused_before_it_is_looked_at() {
    let (thoth, service) = (thoth(), Faultd::start());
    let served = Served::start(&thoth, &service);
    let bearer = bearer();
    let own = [("authorization", bearer.as_str())];
    let huge = json!({"jsonrpc": "2.0", "id": 1, "method": "x".repeat(300 << 10)});
    let response = served.post(&own, &huge);
    assert_eq!(response.status, 413, "{response:?}");
    let batch = served.post(&own, &json!([hello()]));
    assert_eq!(batch.json(400)["error"]["code"], -32600);
    for message in [
        json!({"jsonrpc": "2.0", "id": null, "method": "ping"}),
        json!({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}),
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": []}),
        json!({"jsonrpc": "1.0", "id": 1, "method": "ping"}),
        json!({"method": "ping"}),
        json!({}),
    ] {
        let refused = served.post(&own, &message);
        let error = refused.json(400)["error"].clone();
        assert_eq!(error["code"], -32600, "{message}: {error}");
    }
    let elsewhere = client::post(&served.url, "/", &own, &hello());
    assert_eq!(elsewhere.status, 404, "{elsewhere:?}");
    let unknown = served.post(
        &[
            own[0],
            ("mcp-session-id", "00000000-0000-4000-8000-000000000000"),
        ],
        &json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
    );
    assert_eq!(unknown.status, 404, "{unknown:?}");
    assert!(service.requests().is_empty());
}

#[test]
fn a_session_of_2025_and_a_request_of_2026_are_governed_alike() {
    let (thoth, service) = (thoth(), Faultd::start());
    let served = Served::start(&thoth, &service);
    assert_eq!(
        sing_without_session(&served, "a")["result"]["structuredContent"],
        format!("{SANG}a")
    );
    let sessions = [session(&served), session(&served)];
    for session in &sessions {
        let answer = sing_in(&served, session);
        assert_eq!(
            answer["result"]["content"][0]["text"],
            format!("{SANG}b"),
            "{answer}"
        );
    }
    let asked = service.requests_to(Site::Enforce);
    let governed: std::collections::HashSet<String> = asked
        .iter()
        .map(|request| request.json()["session_id"].to_string())
        .collect();
    // One for those that shook hands each, and one for the others.
    assert_eq!(governed.len(), 3, "{governed:?}");
    assert_ne!(sessions[0], sessions[1]);
}

#[test]
fn a_held_call_is_told_over_http_too() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::step_up("h1").with("reason", "a human decides"));
    service.hold(Answer::resolved("h1", "ALLOW"));
    let served = Served::start(&thoth, &service);
    let first = sing_without_session(&served, "a");
    assert_eq!(
        first["result"]["_meta"]["thoth/outcome"]["outcome"], "pending",
        "{first}"
    );
    let second = sing_without_session(&served, "a");
    assert_eq!(
        second["result"]["structuredContent"],
        format!("{SANG}a"),
        "{second}"
    );
}

#[test]
fn a_fresh_token_is_told_once_and_a_short_one_is_refused() {
    let (thoth, service) = (thoth(), Faultd::start());
    let mut running = by_service(&thoth, &service)
        .args(["--http", "127.0.0.1:0"])
        .spawn();
    let line = running.stderr_line(|line| line.contains("serving MCP at"));
    let url = line
        .rsplit(' ')
        .next()
        .unwrap()
        .strip_suffix("/mcp")
        .unwrap()
        .to_owned();
    let line = running.stderr_line(|line| line.contains("Authorization: Bearer"));
    let token = line
        .split("Bearer ")
        .nth(1)
        .unwrap()
        .trim_end_matches('`')
        .to_owned();
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept", "application/json, text/event-stream"),
    ];
    assert_eq!(client::post(&url, "/mcp", &headers, &hello()).status, 200);
    running.interrupt();
    assert_eq!(running.wait().assert_code(0).stdout, "");
    let token = thoth.file("token", "short");
    let serve = by_service(&thoth, &service).args(["--http", "127.0.0.1:0", "--token-file"]);
    let run = serve.arg(token).run();
    assert!(run.error(2).contains("shorter than 16 characters"), "{run}");
}
