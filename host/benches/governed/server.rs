//! The policy service of the benchmark: allows everything, evaluates nothing, counts connections.
//!
//! It is the same for every mode, and as little as an HTTP/1.1 server can be, so that what is measured
//! is the client's side.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// How many connections were accepted so far, as a decimal number.
pub(crate) const CONNECTIONS: &str = "/bench/connections";
/// The body of the last question.
pub(crate) const QUESTION: &str = "/bench/question";
/// The body of the last batch of events.
pub(crate) const EVENTS: &str = "/bench/events";

const ALLOW: &[u8] = br#"{"decision":"ALLOW","authorization_decision":"ALLOW"}"#;

/// A running server; one in a process of its own ends with this value.
pub(crate) struct Server {
    address: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// Starts the server on a thread of this process, or, if `SRV_CPU` names a processor, in a process
    /// of its own on that one.
    pub(crate) fn start() -> Result<Self> {
        match std::env::var("SRV_CPU") {
            Ok(processor) => Self::apart(&processor),
            Err(_) => Self::beside(),
        }
    }

    fn beside() -> Result<Self> {
        let (sender, address) = mpsc::channel();
        thread::Builder::new()
            .name("bench-server".into())
            .spawn(move || {
                run(|address| {
                    let _nobody_asks = sender.send(address);
                })
            })?;
        let address = address.recv().context("the server did not start")?;
        Ok(Self {
            address,
            child: None,
        })
    }

    fn apart(processor: &str) -> Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", processor])
            .arg(std::env::current_exe()?)
            .arg("--server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start `taskset` for SRV_CPU")?;
        let Some(output) = child.stdout.take() else {
            bail!("the server has no output");
        };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().context("the server did not start")?;
        Ok(Self {
            address,
            child: Some(child),
        })
    }

    /// The base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // The server ends with its input.
            drop(child.stdin.take());
            let _status = child.wait();
        }
    }
}

/// The process behind `--server`: says its address, and ends when its input does.
pub(crate) fn main() -> Result<()> {
    thread::spawn(|| {
        let _end = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    run(|address| {
        println!("{address}");
        let _nobody_reads = std::io::stdout().flush();
    })
}

#[derive(Default)]
struct Seen {
    connections: AtomicU64,
    question: Mutex<Bytes>,
    events: Mutex<Bytes>,
}

fn run(started: impl FnOnce(SocketAddr)) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        started(listener.local_addr()?);
        let seen = Arc::new(Seen::default());
        loop {
            let (stream, _) = listener.accept().await?;
            seen.connections.fetch_add(1, Relaxed);
            stream.set_nodelay(true)?;
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(Arc::clone(&seen), request));
                // A connection that the other side resets is over, and no more than that.
                let _ended = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    })
}

async fn answer(
    seen: Arc<Seen>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(reply(400, Bytes::new())),
    };
    Ok(match (head.method, head.uri.path()) {
        (Method::POST, "/v1/enforce") => {
            keep(&seen.question, body);
            reply(200, Bytes::from_static(ALLOW))
        }
        (Method::POST, "/v1/events/batch") => {
            keep(&seen.events, body);
            reply(202, Bytes::from_static(br#"{"accepted":true}"#))
        }
        (Method::GET, CONNECTIONS) => {
            let count = seen.connections.load(Relaxed).to_string();
            reply(200, Bytes::from(count))
        }
        (Method::GET, QUESTION) => reply(200, kept(&seen.question)),
        (Method::GET, EVENTS) => reply(200, kept(&seen.events)),
        _ => reply(404, Bytes::new()),
    })
}

fn keep(place: &Mutex<Bytes>, body: Bytes) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = body;
}

fn kept(place: &Mutex<Bytes>) -> Bytes {
    place.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn reply(status: u16, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    if let Ok(status) = http::StatusCode::from_u16(status) {
        *response.status_mut() = status;
    }
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}
