//! A tool's way out, a server that follows a script, and a canary.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::request::Parts;
use thoth_egress::{Answer, Budgets, Egress, Policy, Refused, Secrets};
use thoth_grants::{Grants, SecretName, SecretSource};
use thoth_transport::{Lookup, OneShot};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// Far longer than any exchange that is not meant to stall.
pub(crate) const AMPLE: Duration = Duration::from_secs(20);
/// For exchanges that stall: they take exactly this long.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// A name that resolves to this machine in every test.
pub(crate) const NAME: &str = "api.example";

/// What a call is made with.
pub(crate) struct Bed {
    pub(crate) grants: Grants,
    pub(crate) sources: Vec<(SecretName, SecretSource)>,
    pub(crate) budgets: Budgets,
    pub(crate) addresses: Vec<&'static str>,
    /// PEM of an authority to trust.
    pub(crate) authority: Option<String>,
    folder: tempfile::TempDir,
}

impl Bed {
    /// A tool with these network rules, written as flags.
    pub(crate) fn new(rules: &[&str]) -> Self {
        Self {
            grants: Grants {
                network: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
                ..Grants::default()
            },
            sources: Vec::new(),
            budgets: Budgets::default(),
            addresses: vec!["127.0.0.1"],
            authority: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A tool that may do everything at a server of this machine.
    pub(crate) fn open_to(port: u16) -> Self {
        Self::new(&[&format!(
            "http://{NAME}:{port}/* GET,HEAD,POST allow-private header=authorization header=x-token"
        )])
    }

    /// With a secret that the configuration has; granted to the tool, too.
    pub(crate) fn secret(mut self, name: &str, value: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("{value}\n")).unwrap();
        let name: SecretName = name.parse().unwrap();
        self.sources.push((name.clone(), SecretSource::File(path)));
        self.grants.secrets.push(name);
        self
    }

    pub(crate) fn egress(self) -> Egress {
        let ca_file = self.authority.map(|pem| {
            let path = self.folder.path().join("authority.pem");
            std::fs::write(&path, pem).unwrap();
            path
        });
        let (addresses, folder) = (self.addresses, self.folder);
        let lookup: Lookup = Arc::new(move |_, port| {
            // The files of the secrets stay for as long as the way out.
            let _ = &folder;
            let parse = |text: &&str| SocketAddr::new(text.parse().unwrap(), port);
            Ok(addresses.iter().map(parse).collect())
        });
        Egress::new(Arc::new(Policy {
            grants: self.grants,
            secrets: Arc::new(Secrets::new(self.sources)),
            budgets: self.budgets,
            transport: Arc::new(OneShot::with_lookup(ca_file.as_deref(), lookup).unwrap()),
        }))
    }
}

pub(crate) fn get(url: &str) -> Parts {
    Request::get(url).body(()).unwrap().into_parts().0
}

pub(crate) fn with(mut parts: Parts, headers: &[(&str, &str)]) -> Parts {
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        parts.headers.append(name, value.parse().unwrap());
    }
    parts
}

/// Checks and sends.
pub(crate) async fn ask(egress: &Egress, parts: &Parts) -> Result<Answer, Refused> {
    ask_with(egress, parts, Bytes::new()).await
}

pub(crate) async fn ask_with(
    egress: &Egress,
    parts: &Parts,
    body: Bytes,
) -> Result<Answer, Refused> {
    let permitted = egress.check(parts)?;
    egress.send(permitted, body, Instant::now() + AMPLE).await
}

/// A server on loopback; it keeps the requests that it has read.
pub(crate) struct Server {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Hands each connection to `script`, with the request that came on it.
    pub(crate) async fn start<S, F>(script: S) -> Self
    where
        S: Fn(TcpStream, String) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (script, seen) = (script.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    if let Some(request) = read_request(&mut stream).await {
                        seen.lock().unwrap().push(request.clone());
                        script(stream, request).await;
                    }
                });
            }
        });
        Self { port, requests }
    }

    /// Gives the same answer to everybody, and ends the connection.
    pub(crate) async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Bytes::from(answer.into());
        Self::start(move |mut stream, _| {
            let answer = answer.clone();
            async move {
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
                hold(stream).await;
            }
        })
        .await
    }

    /// Gives the request back as the body of the answer.
    pub(crate) async fn echoing(head: &'static str) -> Self {
        Self::start(move |mut stream, request| async move {
            let answer = format!(
                "HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n{request}",
                request.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            hold(stream).await;
        })
        .await
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{NAME}:{}{path}", self.port)
    }
}

/// Says nothing more, until the client goes.
pub(crate) async fn hold(mut stream: TcpStream) {
    while stream.read(&mut [0; 1024]).await.is_ok_and(|n| n > 0) {}
}

pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
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

/// A listener that must hear nothing.
pub(crate) struct Canary(TcpListener);

impl Canary {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// A connection that was made stands in the backlog already.
    pub(crate) async fn assert_silent(&self) {
        let accepted = timeout(Duration::ZERO, self.0.accept()).await;
        assert!(accepted.is_err(), "the canary was reached");
    }
}
