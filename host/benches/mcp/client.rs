//! Clients that are bytes, so that they cost next to nothing.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use thoth_host::mcp;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use crate::bed::{ARGUMENTS, NAME, TOKEN};

/// One request as MCP 2026-07-28 has it.
fn request() -> String {
    let request = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": NAME,
            "arguments": serde_json::from_str::<Value>(ARGUMENTS).unwrap_or_default(),
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    });
    request.to_string()
}

fn completed(answer: &str) -> Result<()> {
    ensure!(answer.contains(r#""isError":false"#), "{answer}");
    Ok(())
}

/// Somebody who makes the call.
pub(crate) trait Client: Send + 'static {
    /// Makes it, and checks that it ran.
    fn call(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// A client on a pair of pipes in memory.
pub(crate) struct Lines {
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    line: String,
}

impl Lines {
    /// A client of a server on pipes of its own.
    pub(crate) fn new(server: &mcp::Server) -> Self {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (reader, writer) = tokio::io::split(far);
        let server = server.clone();
        tokio::spawn(async move { server.serve(reader, writer, std::future::pending()).await });
        let (reader, writer) = tokio::io::split(near);
        Self {
            reader: BufReader::new(reader),
            writer,
            line: format!("{}\n", request()),
        }
    }
}

impl Client for Lines {
    async fn call(&mut self) -> Result<()> {
        self.writer.write_all(self.line.as_bytes()).await?;
        let mut answer = String::new();
        self.reader.read_line(&mut answer).await?;
        completed(&answer)
    }
}

/// A client on a kept-alive connection.
pub(crate) struct Http {
    connection: BufReader<TcpStream>,
    post: String,
}

impl Http {
    /// A client of the server at an address.
    pub(crate) async fn new(address: std::net::SocketAddr) -> Result<Self> {
        let connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        let body = request();
        let post = format!(
            "POST {} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
             mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {NAME}\r\n\
             content-length: {}\r\n\r\n{body}",
            mcp::PATH,
            body.len()
        );
        Ok(Self {
            connection: BufReader::new(connection),
            post,
        })
    }
}

impl Client for Http {
    async fn call(&mut self) -> Result<()> {
        let connection = &mut self.connection;
        connection.get_mut().write_all(self.post.as_bytes()).await?;
        let mut length = None;
        let mut line = String::new();
        while connection.read_line(&mut line).await? > 2 {
            let name_and_value = line.trim().split_once(": ");
            if let Some(("content-length", value)) = name_and_value {
                length = Some(value.parse()?);
            }
            line.clear();
        }
        let mut answer = vec![0; length.context("an answer of a known length")?];
        connection.read_exact(&mut answer).await?;
        completed(&String::from_utf8(answer)?)
    }
}

/// Shakes hands as 2025-11-25 does, and keeps the connection of the session.
pub(crate) async fn session(address: std::net::SocketAddr) -> Result<TcpStream> {
    let hello = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1"},
        },
    });
    let hello = hello.to_string();
    let mut connection = TcpStream::connect(address).await?;
    let post = format!(
        "POST {} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         content-length: {}\r\n\r\n{hello}",
        mcp::PATH,
        hello.len()
    );
    connection.write_all(post.as_bytes()).await?;
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("protocolVersion") {
        ensure!(connection.read_buf(&mut answer).await? > 0, "no session");
    }
    Ok(connection)
}
