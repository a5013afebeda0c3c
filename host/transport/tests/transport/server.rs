//! A raw TCP server that runs a script for each connection, and what every test needs around it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use thoth_transport::{Client, Fault, Options, Origin};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// Far longer than any exchange that is not meant to stall.
pub(crate) const AMPLE: Duration = Duration::from_secs(20);
/// For exchanges that stall: they take exactly this long.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

pub(crate) const ALLOW: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"decision\":\"ALLOW\"}";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

/// A connection of the server, with its number, starting at 0.
pub(crate) struct Peer {
    pub(crate) tcp: TcpStream,
    pub(crate) number: usize,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Serves every connection with `script`, each in a task of its own, until the test ends.
    pub(crate) async fn start<S, F>(script: S) -> Self
    where
        S: Fn(Peer) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            for number in 0.. {
                let (tcp, _) = listener.accept().await.unwrap();
                tokio::spawn(script(Peer {
                    tcp,
                    number,
                    requests: Arc::clone(&count),
                }));
            }
        });
        Self { address, requests }
    }

    /// How many requests were read to their end.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with(Options::default())
    }

    pub(crate) fn client_with(&self, options: Options) -> Client {
        let origin = Origin::parse(&format!("http://{}", self.address)).unwrap();
        Client::new(origin, options).unwrap()
    }
}

impl Peer {
    /// Reads one request to its end; nothing if the client has gone.
    pub(crate) async fn request(&mut self) -> Option<String> {
        let request = read_request(&mut self.tcp).await?;
        self.requests.fetch_add(1, SeqCst);
        Some(request)
    }

    /// Sends text; the client may have gone.
    pub(crate) async fn say(&mut self, text: impl AsRef<[u8]>) -> bool {
        self.tcp.write_all(text.as_ref()).await.is_ok()
    }

    /// Answers every request in the same way, for as long as the client stays.
    pub(crate) async fn answer_all(&mut self, text: impl AsRef<[u8]>) {
        while self.request().await.is_some() && self.say(text.as_ref()).await {}
    }

    /// Says nothing more, until the client goes.
    pub(crate) async fn hold(&mut self) {
        while self
            .tcp
            .read(&mut [0; 1024])
            .await
            .is_ok_and(|count| count > 0)
        {}
    }

    /// Ends the connection with RST in place of FIN.
    pub(crate) fn reset(self) {
        self.tcp.set_zero_linger().unwrap();
    }
}

pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        text.extend_from_slice(&chunk[..count]);
        let request = String::from_utf8_lossy(&text);
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(request.into_owned());
            }
        }
    }
}

pub(crate) fn enforce() -> Request<Bytes> {
    Request::post("/v1/enforce")
        .body(Bytes::from_static(b"{\"tool_name\":\"search\"}"))
        .unwrap()
}

pub(crate) async fn send(client: &Client, limit: Duration) -> Result<Response<Bytes>, Fault> {
    client.send(enforce(), Instant::now() + limit).await
}
