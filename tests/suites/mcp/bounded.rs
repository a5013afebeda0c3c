//! What a server over HTTP bounds: requests under way, sessions, silence, and clients that do not read. In
//! this process, so that the bounds can be small.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use thoth_host::toolbox::Toolbox;
use thoth_host::{Identity, Jail, Runtime, mcp};
use thoth_tests::{tool, tools};
use tokio::net::TcpListener;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// What does not come by then is not coming.
const PATIENCE: Duration = Duration::from_secs(60);

async fn patiently<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("in time")
}

/// A server in this process.
struct Served {
    server: mcp::Server,
    runtime: Runtime,
    address: SocketAddr,
    _state: tempfile::TempDir,
}

impl Served {
    async fn start(options: mcp::Options, set: impl FnOnce(&mut mcp::Http)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let runtime = Runtime::builder()
            .policy_file(tools::workspace().join("host/examples/policy.cedar"))
            .compiler(Jail::InProcess)
            .cache_dir(tools::scratch().join("cache"))
            .state_dir(state.path())
            .build()
            .await
            .unwrap();
        let server = mcp::Server::new(&runtime, Identity::new("acme", "bot"), options).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut http = mcp::Http::new(mcp::Token::new(TOKEN));
        set(&mut http);
        let serving = server.clone();
        tokio::spawn(async move {
            serving
                .serve_http(listener, http, std::future::pending())
                .await
        });
        Self {
            server,
            runtime,
            address,
            _state: state,
        }
    }

    async fn offer(&self) {
        let toolbox = Toolbox::new(Default::default()).place(tool("docs-search"));
        self.server
            .offer(&toolbox.load(&self.runtime).await.unwrap());
    }
}

/// One request, whole.
fn post(session: Option<&str>, body: &Value) -> String {
    let session = session.map(|id| format!("mcp-session-id: {id}\r\n"));
    let body = body.to_string();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\naccept: application/json, text/event-stream\r\n{}\
         content-length: {}\r\n\r\n{body}",
        session.unwrap_or_default(),
        body.len()
    )
}

fn list(id: u32) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": {}})
}

fn sent(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// The head of an answer, in small letters, and its reader.
fn head(stream: TcpStream) -> (String, BufReader<TcpStream>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    (head.to_ascii_lowercase(), reader)
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A handshake.
fn hello() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    })
}

/// Shakes hands, and gives the session's id; the status where there is none.
fn session(address: SocketAddr) -> Result<String, u16> {
    let (head, _) = head(sent(address, &post(None, &hello())));
    let id = head.split("mcp-session-id: ").nth(1);
    let id = id.and_then(|rest| rest.lines().next());
    let id = id.ok_or_else(|| status(&head))?.trim().to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let (accepted, _) = self::head(sent(address, &post(Some(&id), &ready)));
    assert_eq!(status(&accepted), 202, "{accepted}");
    Ok(id)
}

/// The stream on which a session is told of what it did not ask for.
fn stream(address: SocketAddr, session: &str) -> BufReader<TcpStream> {
    let request = format!(
        "GET /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\
         accept: text/event-stream\r\nconnection: close\r\nmcp-session-id: {session}\r\n\r\n"
    );
    let (head, reader) = head(sent(address, &request));
    assert_eq!(status(&head), 200, "{head}");
    reader
}

fn is_open(address: SocketAddr, session: &str) -> bool {
    let (head, reader) = head(sent(address, &post(Some(session), &list(7))));
    match status(&head) {
        200 => {
            // Until it is answered its id is taken.
            told(reader, "\"id\":7");
            true
        }
        404 => false,
        _ => panic!("{head}"),
    }
}

/// Reads until a line says that.
fn told(mut reader: BufReader<TcpStream>, what: &str) {
    let mut line = String::new();
    while !line.contains(what) {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the stream ended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_beyond_the_cap_are_refused_and_not_queued() {
    let mut options = mcp::Options::default();
    options.requests = 2;
    let served = Served::start(options, |_| {}).await;
    let address = served.address;
    let session = session(address).unwrap();
    // What asks for tools waits as long as there are none.
    let waiting: Vec<TcpStream> = (0..3)
        .map(|id| sent(address, &post(Some(&session), &list(id))))
        .collect();
    let answers = waiting.into_iter().map(|stream| {
        tokio::task::spawn_blocking(move || {
            let (head, mut reader) = head(stream);
            assert_eq!(status(&head), 200, "{head}");
            let mut line = String::new();
            while !line.contains("\"id\":") {
                line.clear();
                assert!(reader.read_line(&mut line).unwrap() > 0);
            }
            line
        })
    });
    let mut answers: Vec<_> = answers.collect();
    // One of them is answered though nothing is offered yet, and it is the one that is refused.
    let (refused, rest) = patiently(first(&mut answers)).await;
    assert!(
        refused.contains("too many requests are under way") && refused.contains("-32600"),
        "{refused}"
    );
    served.offer().await;
    for answer in rest {
        assert!(answer.await.unwrap().contains("search_docs"));
    }
    assert!(is_open(address, &session), "there is room again");
}

type Reading = tokio::task::JoinHandle<String>;

/// The first of some that ends, and the others.
async fn first(readings: &mut Vec<Reading>) -> (String, Vec<Reading>) {
    let (done, at) = std::future::poll_fn(|context| {
        for (at, reading) in readings.iter_mut().enumerate() {
            if let std::task::Poll::Ready(done) = std::pin::Pin::new(reading).poll(context) {
                return std::task::Poll::Ready((done.unwrap(), at));
            }
        }
        std::task::Poll::Pending
    })
    .await;
    drop(readings.remove(at));
    (done, std::mem::take(readings))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_nobody_used_for_longest_makes_room_for_a_new_one() {
    let served = Served::start(mcp::Options::default(), |http| http.sessions = 2).await;
    served.offer().await;
    let address = served.address;
    let (first, second) = (session(address).unwrap(), session(address).unwrap());
    assert!(is_open(address, &first));
    let third = session(address).unwrap();
    assert!(!is_open(address, &second));
    assert!(is_open(address, &first));
    assert!(is_open(address, &third));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handshake_that_is_refused_ends_no_session() {
    let served = Served::start(mcp::Options::default(), |http| http.sessions = 1).await;
    served.offer().await;
    let address = served.address;
    let only = session(address).unwrap();
    let good = post(None, &hello());
    let host = "host: 127.0.0.1\r\n";
    let rows = [
        good.replace(host, "host: evil.example\r\n"),
        good.replace(host, "host: 127.0.0.1\r\nhost: evil.example\r\n"),
        good.replace(host, ""),
        good.replace("POST /mcp", "POST http://evil.example/mcp"),
        good.replace(host, "host: 127.0.0.1\r\norigin: http://evil.example\r\n"),
        good.replace("application/json, text/event-stream", "text/plain"),
        good.replace("application/json\r\n", "text/plain\r\n"),
        post(None, &json!({"method": "initialize"})),
        post(
            None,
            &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize"}),
        ),
        post(None, &json!({"jsonrpc": "2.0", "method": "initialize"})),
    ];
    for request in rows {
        let (head, _) = head(sent(address, &request));
        assert!((400..500).contains(&status(&head)), "{request}: {head}");
        assert!(is_open(address, &only), "{request}");
    }
    // A target may be the whole address, as proxies have it, of the same host.
    let whole = good.replace("POST /mcp", "POST http://127.0.0.1/mcp");
    let (head, _) = head(sent(address, &whole));
    assert_eq!(status(&head), 200, "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_with_something_under_way_does_not_make_room() {
    let served = Served::start(mcp::Options::default(), |http| http.sessions = 1).await;
    served.offer().await;
    let address = served.address;
    let only = session(address).unwrap();
    let listening = stream(address, &only);
    assert_eq!(session(address), Err(429));
    assert!(is_open(address, &only));
    drop(listening);
    // The server sees that the stream is gone a little later than we do.
    let begun = std::time::Instant::now();
    while session(address).is_err() {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert!(!is_open(address, &only));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_is_silent_for_too_long_ends() {
    let idle = Duration::from_secs(2);
    let served = Served::start(mcp::Options::default(), |http| http.idle = idle).await;
    served.offer().await;
    let silent = session(served.address).unwrap();
    // The stream ends with the session.
    let mut rest = String::new();
    stream(served.address, &silent)
        .read_to_string(&mut rest)
        .unwrap();
    assert!(!is_open(served.address, &silent));
}

#[test]
fn a_session_may_be_silent_for_longer_than_the_longest_hold() {
    let http = mcp::Http::new(mcp::Token::new(TOKEN));
    assert!(http.idle > Duration::from_secs(30 * 24 * 60 * 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_never_reads_loses_its_connection() {
    let limit = Duration::from_millis(200);
    let served = Served::start(mcp::Options::default(), |http| http.write_timeout = limit).await;
    served.offer().await;
    let address = served.address;
    let request = post(Some(&session(address).unwrap()), &list(7));
    let written = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        // The server stops to read once nothing of its answers is taken, and then it closes.
        loop {
            if let Err(error) = stream.write_all(request.as_bytes()) {
                return error;
            }
        }
    });
    let error = written.await.unwrap();
    assert!(
        matches!(
            error.kind(),
            std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset
        ),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_that_changes_is_told_in_a_session() {
    let served = Served::start(mcp::Options::default(), |_| {}).await;
    served.offer().await;
    let session = session(served.address).unwrap();
    let listening = stream(served.address, &session);
    let listening = tokio::task::spawn_blocking(|| {
        told(listening, "notifications/tools/list_changed");
    });
    served.offer().await;
    patiently(listening).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_list_that_changes_is_told_to_who_listens_as_2026_does() {
    let served = Served::start(mcp::Options::default(), |_| {}).await;
    served.offer().await;
    let listen = |notifications: Value| {
        let body = json!({
            "jsonrpc": "2.0", "id": 9, "method": "subscriptions/listen",
            "params": {
                "notifications": notifications,
                "_meta": thoth_tests::mcp::meta(&json!({})),
            },
        });
        let request = post(None, &body).replace(
            "content-type",
            "mcp-protocol-version: 2026-07-28\r\nmcp-method: subscriptions/listen\r\ncontent-type",
        );
        let (head, reader) = head(sent(served.address, &request));
        assert_eq!(status(&head), 200, "{head}");
        reader
    };
    let mut listening = listen(json!({"toolsListChanged": true}));
    // What is listened to is acknowledged first.
    let mut line = String::new();
    while !line.contains("acknowledged") {
        line.clear();
        assert!(listening.read_line(&mut line).unwrap() > 0);
    }
    let listening = tokio::task::spawn_blocking(|| {
        told(listening, "notifications/tools/list_changed");
    });
    served.offer().await;
    patiently(listening).await.unwrap();
}
