//! Everything that is measured, set up once.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use thoth_host::toolbox::Toolbox;
use thoth_host::{Identity, Jail, Outcome, Runtime, Session, Tool, mcp};
use tokio::net::TcpListener;

pub(crate) const NAME: &str = "read_doc";
pub(crate) const ARGUMENTS: &str = r#"{"path":"travel.md"}"#;
pub(crate) const TOKEN: &str = "0123456789abcdef";

pub(crate) struct Bed {
    pub(crate) runtime: Runtime,
    pub(crate) server: mcp::Server,
    pub(crate) address: SocketAddr,
    session: Session,
    tool: Tool,
    _folder: tempfile::TempDir,
}

impl Bed {
    pub(crate) async fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let policy = thoth_tests::tools::workspace().join("host/examples/policy.cedar");
        let runtime = Runtime::builder()
            .policy_file(policy)
            .state_dir(folder.path().join("state"))
            .cache_dir(folder.path().join("cache"))
            .compiler(Jail::InProcess)
            .build()
            .await?;
        let component = thoth_tests::tool("docs-search");
        let toolbox = Toolbox::new(Default::default()).place(&component);
        let identity = Identity::new("acme", "bot").user("sam");
        let server = mcp::Server::new(&runtime, identity.clone(), mcp::Options::default())?;
        server.offer(&toolbox.load(&runtime).await?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let http = mcp::Http::new(mcp::Token::new(TOKEN));
        let serving = server.clone();
        tokio::spawn(async move {
            serving
                .serve_http(listener, http, std::future::pending())
                .await
        });
        Ok(Self {
            session: runtime.session(identity),
            tool: runtime.load(component).await?,
            runtime,
            server,
            address,
            _folder: folder,
        })
    }

    /// The governed call, by the library.
    pub(crate) async fn call(&self) -> Result<()> {
        let call = self.session.call(&self.tool, NAME, ARGUMENTS).await?;
        ensure!(
            matches!(call.outcome, Outcome::Completed(_)),
            "{:?}",
            call.outcome
        );
        Ok(())
    }
}
