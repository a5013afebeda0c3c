//! `thoth serve`: components as an MCP server, every call of which is governed.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use thoth_host::toolbox::{LOOK_EVERY, Tools};
use thoth_host::{Hold, Mode, inert, mcp};

use tokio::net::TcpListener;

use super::approver;
use super::call::how_to_approve;
use super::grants::{GrantArgs, LimitArgs, private, secrets};
use super::session::BudgetArgs;
use super::settings::{IdentityArgs, PolicyArgs, StateArgs, duration};
use super::stopped::stopped;
use super::{Exit, Usage, report, said};

/// How long the command waits for its events to be delivered.
const DELIVERY: Duration = Duration::from_secs(2);

/// Serve components to an agent host over MCP; every call is decided by the enforcer before it runs.
///
/// Each function that a component exports is a tool. What it is called with is decided, run and recorded
/// as by `thoth call`. stdout carries the protocol only.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    thoth serve docs.wasm --policy policy.cedar\n  \
    thoth serve ./tools --enforcer-url https://enforce.acme.example --agent-id bot --user-id sam\n  \
    thoth serve --config thoth.toml\n\n\
    In a client's configuration:\n  \
    {\"mcpServers\": {\"tools\": {\"command\": \"thoth\", \"args\": [\"serve\", \"/path/to/docs.wasm\", \
    \"--policy\", \"/path/to/policy.cedar\"]}}}")]
pub(super) struct Args {
    /// Components, or folders of them (their *.wasm files) [default: those of the configuration].
    #[arg(value_name = "COMPONENT|FOLDER")]
    components: Vec<PathBuf>,
    /// Serve Streamable HTTP on this loopback address instead of stdio; port 0 takes a free one. The URL
    /// and the token that clients need are told on stderr.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Read the token that clients authenticate with from this file [default: a fresh one].
    #[arg(long, value_name = "FILE", requires = "http")]
    token_file: Option<PathBuf>,
    /// Serve requests for this host name too, for a proxy in front of the server.
    #[arg(long, value_name = "NAME", requires = "http")]
    allow_host: Vec<String>,
    /// Serve requests from web pages of this origin, `https://app.example.com:443` for instance.
    #[arg(long, value_name = "ORIGIN", requires = "http")]
    allow_origin: Vec<String>,
    /// Serve the page on which a person approves held calls on this loopback address, and send the client's
    /// user there; port 0 takes a free one. The link that opens it is told on stderr, once. Only with a
    /// policy file.
    #[arg(long, value_name = "ADDRESS")]
    approvals: Option<SocketAddr>,
    /// How long a client that comes back to a held call is kept waiting for the approval [default: 30s].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Let the client's user approve held calls, by a yes in the client. Only with a policy file.
    #[arg(long)]
    client_approves: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    grants: GrantArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    identity: IdentityArgs,
    #[command(flatten)]
    budget: BudgetArgs,
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit> {
    said::apart();
    let config = args.state.config.read()?;
    let settings = &config.settings;
    let identity = args.identity.identity(settings)?;
    let observe = identity.mode == Mode::Observe;
    let state = args.state.dir(settings)?;
    let mut private = private(&config, &args.state, &args.policy)?;
    if let Some(token) = &args.token_file {
        private.unseen(token);
    }
    if args.components.is_empty() && config.tools.is_empty() {
        let why = "there is no component to serve: name components or folders, or list tools in thoth.toml";
        return Err(Usage(why.into()).into());
    }
    let is_one = match args.components.as_slice() {
        [] => config.tools.len() == 1,
        [only] => !only.is_dir(),
        _ => false,
    };
    if args.grants.is_given() && !is_one {
        let why =
            "grants by flags are for one component: grant several what each needs in thoth.toml";
        return Err(Usage(why.into()).into());
    }
    let secrets = secrets(&config);
    for component in args.components.iter().filter(|path| path.is_file()) {
        // What is wrong with a flag is said before anything starts.
        args.grants
            .granted(&config, &args.limits, component, &private, &secrets)?;
    }
    let is_embedded = args.policy.is_embedded(settings);
    if args.client_approves && !is_embedded {
        let why = "`--client-approves` needs a policy file: an enforcer has approvers of its own";
        return Err(Usage(why.into()).into());
    }
    if args.approvals.is_some() && !is_embedded {
        let why = "`--approvals` needs a policy file: an enforcer has approvers of its own";
        return Err(Usage(why.into()).into());
    }
    let listening = match args.http {
        Some(address) => Some(listen(address, &args).await?),
        None => None,
    };
    let folder = args.state.named(settings).map(Path::to_owned);
    let mut builder = args.policy.builder(settings)?.state_dir(&state);
    let page = match args.approvals {
        Some(address) => {
            let (listener, approvals) = approver::listen(address, &state).await?;
            builder = builder.approvals(approvals);
            Some(listener)
        }
        None => None,
    };
    let builder = builder.on_hold(move |effect, arguments, hold: &Hold| {
        let how = how_to_approve(hold, is_embedded, folder.as_deref());
        let line = format!(
            "{effect} {arguments} waits for approval: {}; {how}",
            hold.reason
        );
        say!("thoth: {}", inert(&line, 2_000));
    });
    let runtime = builder.build().await?;
    report::tell_warnings(runtime.enforcer().map(|enforcer| enforcer.policy()));
    for notice in runtime.notices() {
        say!("thoth: {}", inert(notice, 300));
    }
    if let Some(link) = runtime.enforcer().and_then(|enforcer| enforcer.page_link()) {
        say!("thoth: approve in a browser at {link}");
    }
    if observe {
        say!("thoth: observe mode: calls run whatever the enforcer says");
    }
    let mut options = mcp::Options::default();
    options.wait = args.wait.unwrap_or(options.wait);
    options.client_approves = args.client_approves;
    options.budget = args.budget.budget(settings);
    let server = mcp::Server::new(&runtime, identity, options)?;
    let serving = async {
        match listening {
            None => {
                let (stdin, stdout) = mcp::stdio_pipes();
                server.serve(stdin, stdout, stopped()).await
            }
            Some((listener, http)) => server.serve_http(listener, http, stopped()).await,
        }
    };
    let approving = async {
        if let Some(listener) = page {
            runtime.serve_approvals(listener, stopped()).await?;
        }
        // Whoever is served goes on without it.
        std::future::pending::<Result<()>>().await
    };
    let places = &args.components;
    let toolbox = args.state.config.toolbox(config.clone());
    let toolbox = places
        .iter()
        .fold(toolbox, |toolbox, place| toolbox.place(place));
    let (grants, limits) = (args.grants, args.limits);
    let granted =
        Arc::new(move |path: &Path| grants.granted(&config, &limits, path, &private, &secrets));
    let granting = Arc::clone(&granted);
    let toolbox = toolbox.granting(move |path| {
        let granted = granting(path).map_err(|error| thoth_host::Error::Setting {
            what: "a grant".into(),
            why: error.to_string(),
        })?;
        Ok(granted.grant)
    });
    let loading = async {
        let tools = toolbox.load(&runtime).await?;
        if tools.is_empty() {
            if let Some(refused) = tools.refused().first() {
                anyhow::bail!("{}", inert(&refused.why.to_string(), 1_000));
            }
            return Err(Usage("there is no tool in what is to be served".into()).into());
        }
        for component in tools.components() {
            granted(component.path)?.check(component.tool)?;
        }
        tell(&tools);
        server.offer(&tools);
        let failed =
            |error: &thoth_host::Error| say!("thoth: {}", inert(&error.to_string(), 1_000));
        let mut changes = toolbox.watch(runtime.clone(), tools, LOOK_EVERY, failed);
        while changes.changed().await.is_ok() {
            let tools = Arc::clone(&changes.borrow_and_update());
            tell(&tools);
            server.offer(&tools);
        }
        // Whoever is served goes on with what there is.
        std::future::pending::<Result<()>>().await
    };
    let served = tokio::select! {
        served = serving => served.context("cannot serve"),
        failed = loading => failed,
        failed = approving => failed.context("cannot serve the approvals page"),
    };
    server.end().await;
    report::tell_undelivered(&runtime.close(DELIVERY).await);
    served.map(|()| Exit::Completed)
}

/// The longest file that is read for a token, in bytes.
const TOKEN_FILE_MAX: u64 = 4 << 10;

/// Binds the address, and tells where to connect and with what.
async fn listen(address: SocketAddr, args: &Args) -> Result<(TcpListener, mcp::Http)> {
    if !address.ip().is_loopback() {
        let why = format!(
            "`{address}` is not a loopback address: serve on 127.0.0.1, and put a TLS proxy in front \
             (`--allow-host NAME`)"
        );
        return Err(Usage(why).into());
    }
    let (token, is_fresh) = match &args.token_file {
        Some(file) => {
            let mut text = String::new();
            File::open(file)
                .and_then(|opened| opened.take(TOKEN_FILE_MAX).read_to_string(&mut text))
                .with_context(|| format!("cannot read the token from `{}`", file.display()))?;
            (text.trim().to_owned(), false)
        }
        None => (uuid::Uuid::new_v4().simple().to_string(), true),
    };
    if token.len() < TOKEN_MIN {
        let why = format!("the token is shorter than {TOKEN_MIN} characters: take a random one");
        return Err(Usage(why).into());
    }
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; choose another with `--http`"))?;
    say!(
        "thoth: serving MCP at http://{}{}",
        listener.local_addr()?,
        mcp::PATH
    );
    if is_fresh {
        say!("thoth: clients send the header `Authorization: Bearer {token}`");
    }
    let mut http = mcp::Http::new(mcp::Token::new(&token));
    http.hosts.clone_from(&args.allow_host);
    http.origins.clone_from(&args.allow_origin);
    Ok((listener, http))
}

/// The shortest token that is taken, in characters.
const TOKEN_MIN: usize = 16;

/// Tells what an operator should know about what is offered, and what is not and why.
fn tell(tools: &Tools) {
    for refused in tools.refused() {
        say!("thoth: {}", inert(&refused.why.to_string(), 1_000));
    }
    for component in tools.components() {
        let tool = component.tool;
        for notice in tool.notices() {
            say!("thoth: {}", inert(notice, 300));
        }
        for refused in tool.refused() {
            let (name, export) = (component.name, &refused.export);
            let line = format!("{name}: `{export}` is not offered: {}", refused.why);
            say!("thoth: {}", inert(&line, 500));
        }
    }
}
