//! What MCP adds to a governed call: `cargo bench -p thoth-host --bench mcp`.
//!
//! The same call, by a policy in this process, three ways: by the library, as a line on a pair of pipes in
//! memory, and as a request on a kept-alive connection. The client is bytes, so that it costs next to
//! nothing. Only the differences within one run mean anything.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use thoth_host::toolbox::Toolbox;
use thoth_host::{Identity, Jail, Outcome, Runtime, Session, Tool, mcp};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

const NAME: &str = "read_doc";
const ARGUMENTS: &str = r#"{"path":"travel.md"}"#;
const TOKEN: &str = "0123456789abcdef";

/// One request as MCP 2026-07-28 has it.
fn request() -> Value {
    json!({
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
    })
}

/// Everything that is measured, set up once.
struct Bed {
    session: Session,
    tool: Tool,
    lines: (BufReader<ReadHalf<DuplexStream>>, WriteHalf<DuplexStream>),
    line: String,
    connection: BufReader<TcpStream>,
    post: String,
    _state: tempfile::TempDir,
}

impl Bed {
    async fn new() -> Result<Self> {
        let state = tempfile::tempdir()?;
        let policy = thoth_tests::tools::workspace().join("host/examples/policy.cedar");
        let builder = Runtime::builder()
            .policy_file(policy)
            .state_dir(state.path());
        let runtime = builder.compiler(Jail::InProcess).build().await?;
        let component = thoth_tests::tool("docs-search");
        let toolbox = Toolbox::new(Default::default()).place(&component);
        let identity = Identity::new("acme", "bot").user("sam");
        let server = mcp::Server::new(&runtime, identity.clone(), mcp::Options::default())?;
        server.offer(&toolbox.load(&runtime).await?);
        let (near, far) = tokio::io::duplex(1 << 20);
        let (reader, writer) = tokio::io::split(far);
        let by_lines = server.clone();
        tokio::spawn(async move { by_lines.serve(reader, writer, std::future::pending()).await });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let http = mcp::Http::new(mcp::Token::new(TOKEN));
        tokio::spawn(async move {
            server
                .serve_http(listener, http, std::future::pending())
                .await
        });
        let body = request().to_string();
        let connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        let (reader, writer) = tokio::io::split(near);
        Ok(Self {
            session: runtime.session(identity),
            tool: runtime.load(component).await?,
            lines: (BufReader::new(reader), writer),
            line: format!("{body}\n"),
            connection: BufReader::new(connection),
            post: format!(
                "POST {} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
                 content-type: application/json\r\naccept: application/json, text/event-stream\r\n\
                 mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {NAME}\r\n\
                 content-length: {}\r\n\r\n{body}",
                mcp::PATH,
                body.len()
            ),
            _state: state,
        })
    }

    async fn by_library(&mut self) -> Result<()> {
        let call = self.session.call(&self.tool, NAME, ARGUMENTS).await?;
        ensure!(
            matches!(call.outcome, Outcome::Completed(_)),
            "{:?}",
            call.outcome
        );
        Ok(())
    }

    async fn by_line(&mut self) -> Result<()> {
        let (reader, writer) = &mut self.lines;
        writer.write_all(self.line.as_bytes()).await?;
        let mut answer = String::new();
        reader.read_line(&mut answer).await?;
        ensure!(answer.contains(r#""isError":false"#), "{answer}");
        Ok(())
    }

    async fn by_http(&mut self) -> Result<()> {
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
        let answer = String::from_utf8(answer)?;
        ensure!(answer.contains(r#""isError":false"#), "{answer}");
        Ok(())
    }
}

/// A way to make the call.
type Way = fn(&mut Bed) -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + '_>>;

fn tools_call(criterion: &mut Criterion) {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return eprintln!("no runtime: {error}"),
    };
    let mut bed = match runtime.block_on(Bed::new()) {
        Ok(bed) => bed,
        Err(error) => return eprintln!("the bench does not start: {error:#}"),
    };
    let mut group = criterion.benchmark_group("tools_call");
    group.measurement_time(Duration::from_secs(10));
    let ways: [(&str, Way); 3] = [
        ("library", |bed| Box::pin(bed.by_library())),
        ("stdio", |bed| Box::pin(bed.by_line())),
        ("http", |bed| Box::pin(bed.by_http())),
    ];
    for (name, way) in ways {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                if let Err(error) = runtime.block_on(way(&mut bed)) {
                    eprintln!("{name}: {error:#}");
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, tools_call);
criterion_main!(benches);
