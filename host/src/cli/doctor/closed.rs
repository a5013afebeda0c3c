//! Whether this very program fails closed: it is asked for decisions while a policy service of its own
//! breaks in each way in which one can.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use thoth_host::{Identity, Runtime, Verdict};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::settings::jail;
use super::finding::Finding;

/// What one policy call may take here.
const DEADLINE: Duration = Duration::from_millis(500);

/// The most of a request that is read, in bytes.
const REQUEST_MAX: usize = 64 << 10;

/// What the service does with a request.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Closes the connection without a word.
    Silent,
    /// Never says anything.
    Hangs,
    /// Says this, and closes.
    Says(&'static str),
    /// Answers with this status, content type and body.
    Answers(&'static str, &'static str, &'static str),
}

const JSON: &str = "application/json";

/// Every fault by its name. None of them is a decision to let a tool run.
const FAULTS: [(&str, Fault); 17] = [
    ("closes without an answer", Fault::Silent),
    ("never answers", Fault::Hangs),
    ("does not speak HTTP", Fault::Says("hello\r\n")),
    (
        "stops in its headers",
        Fault::Says("HTTP/1.1 200 OK\r\nContent-Type: app"),
    ),
    (
        "stops in its body",
        Fault::Says(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{\"decision\"",
        ),
    ),
    (
        "has an error of its own",
        Fault::Answers("500 Internal Server Error", JSON, ALLOW),
    ),
    (
        "is overloaded",
        Fault::Answers("429 Too Many Requests", JSON, ALLOW),
    ),
    (
        "wants another key",
        Fault::Answers("401 Unauthorized", JSON, ALLOW),
    ),
    ("has no content", Fault::Answers("204 No Content", JSON, "")),
    (
        "sends elsewhere",
        Fault::Answers("307 Temporary Redirect\r\nLocation: /v1/allow", JSON, ALLOW),
    ),
    (
        "answers a page",
        Fault::Answers("200 OK", "text/html", "<h1>ALLOW</h1>"),
    ),
    ("answers nothing", Fault::Answers("200 OK", JSON, "")),
    (
        "answers no object",
        Fault::Answers("200 OK", JSON, "\"ALLOW\""),
    ),
    ("decides nothing", Fault::Answers("200 OK", JSON, "{}")),
    (
        "decides something unknown",
        Fault::Answers("200 OK", JSON, "{\"decision\":\"ALLOWED\"}"),
    ),
    (
        "decides twice",
        Fault::Answers(
            "200 OK",
            JSON,
            "{\"decision\":\"BLOCK\",\"decision\":\"ALLOW\"}",
        ),
    ),
    (
        "is cut off",
        Fault::Answers("200 OK", JSON, "{\"decision\":\"ALLOW\""),
    ),
];

/// What would let a tool run, were it an answer.
const ALLOW: &str = "{\"decision\":\"ALLOW\"}";

/// Tries every fault.
pub(super) async fn check() -> Finding {
    let name = "fails closed";
    match open_faults().await {
        Err(error) => Finding::fail(
            name,
            format!("it could not be tried: {error:#}"),
            "see above",
        ),
        Ok(open) if open.is_empty() => {
            let count = FAULTS.len() + 1;
            Finding::ok(
                name,
                format!("{count} of {count} faults of a policy service block"),
            )
        }
        Ok(open) => Finding::fail(
            name,
            format!(
                "a policy service that {} does not block",
                open.join(", or ")
            ),
            "do not use this build, and report it",
        ),
    }
}

/// The faults that do not block.
async fn open_faults() -> Result<Vec<&'static str>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let fault = Arc::new(Mutex::new(Fault::Silent));
    let current = Arc::clone(&fault);
    let service = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let fault = *current.lock().unwrap_or_else(PoisonError::into_inner);
            tokio::spawn(serve(connection, fault));
        }
    });
    let state = tempfile::tempdir()?;
    let mut builder = Runtime::builder()
        .compiler(jail()?)
        .timeout(DEADLINE)
        .state_dir(state.path())
        .enforcer_url(url);
    if let Some(cache) = thoth_host::default_cache_dir() {
        builder = builder.cache_dir(cache);
    }
    let runtime = builder.build().await?;
    let set = |next| *fault.lock().unwrap_or_else(PoisonError::into_inner) = next;
    // A service that is heard at all: else every fault would seem to block.
    set(Fault::Answers("200 OK", JSON, ALLOW));
    if blocks(&runtime).await {
        anyhow::bail!("a sound answer on loopback does not arrive");
    }
    let mut open = Vec::new();
    for (name, next) in FAULTS {
        set(next);
        if !blocks(&runtime).await {
            open.push(name);
        }
    }
    service.abort();
    let _stopped = service.await;
    if !blocks(&runtime).await {
        open.push("is not there");
    }
    runtime.close(Duration::ZERO).await;
    Ok(open)
}

async fn blocks(runtime: &Runtime) -> bool {
    let decision = runtime.probe(Identity::new("thoth", "doctor")).await;
    matches!(decision.verdict, Verdict::Block(_))
}

/// Answers one request on a connection of its own.
async fn serve(mut connection: TcpStream, fault: Fault) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !is_whole(&request) && request.len() < REQUEST_MAX {
        if connection.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    match fault {
        Fault::Silent => Ok(()),
        Fault::Hangs => {
            tokio::time::sleep(DEADLINE * 4).await;
            Ok(())
        }
        Fault::Says(text) => connection.write_all(text.as_bytes()).await,
        Fault::Answers(status, kind, body) => {
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            connection.write_all(answer.as_bytes()).await
        }
    }
}

/// Whether a request has come to its end: head, and as much of a body as the head says.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
