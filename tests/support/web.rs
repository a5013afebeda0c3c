//! A server on loopback that tools make requests to, or must not: it remembers every connection.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

/// A connection that has not come by then is not coming.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest request head that is read, in bytes.
const HEAD_MAX: usize = 64 << 10;

/// What is at `/v1/items.json`.
pub const ITEMS: &str = r#"{"items":[{"name":"lamp","cents":4999},{"name":"desk","cents":25000}]}"#;

/// Bytes of what is at `/v1/large`.
pub const LARGE: usize = 64 << 10;

/// A server, until the test's process ends.
pub struct Web {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Listens on a free port of loopback.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn start() -> Self {
        Self::on("127.0.0.1:0")
    }

    /// Listens on a free port of loopback in IPv6.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn start_v6() -> Self {
        Self::on("[::1]:0")
    }

    fn on(address: &str) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (connections, heads) = (Arc::default(), Arc::default());
        let web = Self {
            address,
            connections: Arc::clone(&connections),
            heads: Arc::clone(&heads),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let heads = Arc::clone(&heads);
                thread::spawn(move || answer(stream, address, &heads));
            }
        });
        web
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `http://` with the address, without a slash at the end.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until there were so many connections.
    ///
    /// # Panics
    ///
    /// If they do not come.
    pub fn wait_for(&self, connections: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.connections() < connections {
            assert!(Instant::now() < deadline, "no connection came");
            thread::yield_now();
        }
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// The heads of all requests that came whole.
    ///
    /// # Panics
    ///
    /// If a thread of the server panicked.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads
            .lock()
            .expect("no panic while it is held")
            .clone()
    }
}

/// One connection, one request. Whoever hangs up early has what it wants.
fn answer(mut stream: TcpStream, own: SocketAddr, heads: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_MAX {
        match stream.read(&mut byte) {
            Ok(1) => head.extend(byte),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    // What is left unread when a connection ends may take the answer with it.
    let length = head
        .lines()
        .filter_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        })
        .next();
    let mut body = (&stream).take(length.unwrap_or(0));
    let echo = json!({ "head": head }).to_string();
    if std::io::copy(&mut body, &mut std::io::sink()).is_err() {
        return;
    }
    heads.lock().expect("no panic while it is held").push(head);
    let _hung_up = match path.as_str() {
        "/v1/items.json" => whole(&mut stream, "200 OK", "application/json", ITEMS),
        "/v1/echo" => whole(&mut stream, "200 OK", "application/json", &echo),
        "/v1/large" => whole(&mut stream, "200 OK", "text/plain", &"a".repeat(LARGE)),
        "/v1/text" => whole(&mut stream, "200 OK", "text/plain", "not { JSON"),
        "/v1/redirect" => {
            let location = format!("location: http://{own}/secret\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(format!("HTTP/1.1 302 Found\r\n{location}").as_bytes())
        }
        "/v1/silence" => stream.read(&mut byte).map(drop),
        "/v1/bomb" => bomb(&mut stream),
        _ => whole(&mut stream, "404 Not Found", "text/plain", "nothing here"),
    };
}

fn whole(stream: &mut TcpStream, status: &str, kind: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}");
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n{body}").as_bytes())
}

/// A body without an end.
fn bomb(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")?;
    loop {
        stream.write_all(&[b'['; 64 << 10])?;
    }
}
