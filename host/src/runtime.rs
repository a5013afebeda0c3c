//! What lives as long as the process: engine, governors, connections, the durable log.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thoth_enforcer::{Enforcer, Policy};
use thoth_engine::{Compiler, Jail, SLOTS};
use thoth_outbox::{Outbox, Status};
use thoth_transport::{Client, Origin, Secret};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use wasmtime::Engine;

use crate::error::Error;
use crate::governor::{self, Governors, Service};
use crate::outbox::{Courier, Recorder};
use crate::session::{Identity, Session};
use crate::tool::{self, Limits, Loader, Tool};

/// The policy call's total deadline where none is set.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Loads tools and opens sessions. Everything that can be done once is done here, once.
///
/// Cheap to clone; the last clone's drop stops the delivery of events, which the next process goes
/// on with. Use [`Runtime::close`] to wait for it.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use thoth_host::{Identity, Jail, Outcome, Runtime};
///
/// let runtime = Runtime::builder()
///     .policy_file("policy.cedar")
///     .compiler(Jail::InProcess)
///     .build()
///     .await?;
/// let tool = runtime.load("docs_search.wasm").await?;
/// let session = runtime.session(Identity::new("acme", "bot"));
/// let call = session.call(&tool, "search_docs", r#"{"query": "leave"}"#).await?;
/// match call.outcome {
///     Outcome::Completed(result) => println!("{result}"),
///     other => println!("did not run to the end: {other:?}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Runtime(Arc<Shared>);

struct Shared {
    loader: Loader,
    governors: Arc<Governors>,
    outbox: Outbox,
    enforcer: Option<Arc<Enforcer>>,
    limits: Limits,
    /// Events that the enforcer had refused for good before this process began.
    refused_before: u64,
    stop: watch::Sender<bool>,
    delivery: JoinHandle<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _nobody_listens = self.stop.send(true);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

/// The events that the enforcer has not got.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Undelivered {
    /// Events that wait in the log, for the next process.
    pub waiting: u64,
    /// Events that the enforcer refused for good while this process delivered. They stay in the log.
    pub refused: u64,
    /// What the enforcer said last, unless it took events since.
    pub last_error: Option<String>,
}

/// Makes a [`Runtime`].
#[derive(Debug, Default)]
pub struct Builder {
    policy_file: Option<PathBuf>,
    enforcer_url: Option<String>,
    api_key: Option<Secret>,
    ingest_token: Option<Secret>,
    ca_file: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    cache_dir: Option<PathBuf>,
    compiler: Option<Jail>,
    timeout: Option<Duration>,
    limits: Limits,
}

impl Builder {
    /// Decides by a policy file, in this process. Not together with [`Self::enforcer_url`].
    #[must_use]
    pub fn policy_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.policy_file = Some(path.into());
        self
    }

    /// Decides at an enforcer: `https`, or `http` to a loopback address.
    #[must_use]
    pub fn enforcer_url(mut self, url: impl Into<String>) -> Self {
        self.enforcer_url = Some(url.into());
        self
    }

    /// The API key for the enforcer. It never enters a component.
    #[must_use]
    pub fn api_key(mut self, key: Secret) -> Self {
        self.api_key = Some(key);
        self
    }

    /// The token for event ingestion, sent with events only.
    #[must_use]
    pub fn ingest_token(mut self, token: Secret) -> Self {
        self.ingest_token = Some(token);
        self
    }

    /// A PEM file of certificate authorities to trust besides the public ones.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// The folder of the durable log. Default: [`default_state_dir`].
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Keeps compiled code in this folder, authenticated with a key that is made there and that only
    /// this user can read. Default: nothing is kept.
    #[must_use]
    pub fn cache_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(path.into());
        self
    }

    /// How components are compiled. There is no default: compiling third-party bytes is where a
    /// runtime makes no promise about time and memory, so [`Jail::Command`] names a program that
    /// does it under limits (its `main` calls [`compile_stdin_to_stdout`]), and
    /// [`Jail::InProcess`] is for components that are trusted that far.
    ///
    /// [`compile_stdin_to_stdout`]: crate::compile_stdin_to_stdout
    #[must_use]
    pub fn compiler(mut self, jail: Jail) -> Self {
        self.compiler = Some(jail);
        self
    }

    /// The total deadline of one policy call. Default: [`TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What each tool call may use.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Starts the engine, opens the log and begins to deliver what is in it.
    ///
    /// # Errors
    /// No policy or two, a policy with an error, an unusable URL, state folder or engine.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn build(self) -> Result<Runtime, Error> {
        let state = match self.state_dir {
            Some(path) => path,
            None => default_state_dir()?,
        };
        let jail = self.compiler.ok_or(Error::NoCompiler)?;
        // What the user wrote is checked before anything is made.
        enum Decider {
            Policy(Box<Policy>),
            Remote(Client),
        }
        let decider = match (&self.policy_file, &self.enforcer_url) {
            (None, None) => return Err(Error::NoEnforcer),
            (Some(_), Some(_)) => return Err(Error::TwoEnforcers),
            (Some(file), None) => Decider::Policy(Box::new(Policy::load(file)?)),
            (None, Some(url)) => {
                let origin = Origin::parse(url)?;
                let options = thoth_transport::Options {
                    ca_file: self.ca_file,
                    ..Default::default()
                };
                Decider::Remote(Client::new(origin, options)?)
            }
        };
        prepare_state_dir(&state)?;
        let (service, enforcer, destination) = match decider {
            Decider::Policy(policy) => {
                let enforcer = Arc::new(embedded(*policy, &state)?);
                let service = Service::Embedded(Arc::clone(&enforcer));
                (service, Some(enforcer), "embedded".to_owned())
            }
            Decider::Remote(client) => {
                let destination = client.origin().to_string();
                let service = Service::Remote {
                    client,
                    key: self.api_key,
                    ingest: self.ingest_token,
                };
                (service, None, destination)
            }
        };
        let outbox = Outbox::open(
            &state.join("events.db"),
            &destination,
            thoth_outbox::Options::default(),
        )?;
        let engine = thoth_engine::engine()?;
        let compiler = compiler(&engine, jail, self.cache_dir.as_deref());
        let compiling = compiler.clone();
        let governor = tool::blocking(move || {
            let compiled = compiling.component(governor::COMPONENT);
            compiled.map_err(|error| Error::Governor(error.to_string()))
        })
        .await?;
        let governors = Arc::new(Governors::new(
            &engine,
            &governor.component,
            service,
            Recorder(outbox.clone()),
            self.timeout.unwrap_or(TIMEOUT),
        )?);
        let refused_before = outbox.status().await.map_or(0, |status| status.rejected);
        let (stop, mut stopped) = watch::channel(false);
        let delivery = tokio::spawn(thoth_outbox::deliver(
            outbox.clone(),
            Courier(Arc::clone(&governors)),
            thoth_outbox::Retry::default(),
            async move {
                let _sender_gone = stopped.wait_for(|stop| *stop).await;
            },
        ));
        Ok(Runtime(Arc::new(Shared {
            loader: Loader {
                linker: Arc::new(tool::linker(&engine).map_err(Error::Linker)?),
                compiler,
                engine,
                slots: Arc::new(Semaphore::new(SLOTS as usize)),
            },
            governors,
            outbox,
            enforcer,
            limits: self.limits,
            refused_before,
            stop,
            delivery,
        })))
    }
}

impl Runtime {
    /// Begins a [`Runtime`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Loads a component from a file: reads, compiles and links it.
    ///
    /// # Errors
    /// The file cannot be read, is not a component, or does not compile or link here.
    pub async fn load(&self, path: impl AsRef<Path>) -> Result<Tool, Error> {
        let path = path.as_ref().to_owned();
        let name = path.display().to_string();
        let loader = self.0.loader.clone();
        let limits = self.0.limits.clone();
        tool::blocking(move || loader.load(&name, &tool::read(&path)?, limits))
            .await?
            .discover()
            .await
    }

    /// Loads a component from its bytes, under a name for messages.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn load_bytes(&self, name: &str, bytes: Vec<u8>) -> Result<Tool, Error> {
        let name = name.to_owned();
        let loader = self.0.loader.clone();
        let limits = self.0.limits.clone();
        tool::blocking(move || loader.load(&name, &bytes, limits))
            .await?
            .discover()
            .await
    }

    /// What an operator should know about how it started: why compiled code is not kept, for
    /// instance. Usually empty.
    pub fn notices(&self) -> &[String] {
        self.0.loader.compiler.notices()
    }

    /// Begins a session: one identity, one history of calls.
    pub fn session(&self, identity: Identity) -> Session {
        Session::new(self.clone(), identity)
    }

    /// The embedded enforcer, where a policy file decides.
    pub fn enforcer(&self) -> Option<&Arc<Enforcer>> {
        self.0.enforcer.as_ref()
    }

    /// How the durable log stands.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn log_status(&self) -> Result<Status, thoth_outbox::StatusError> {
        self.0.outbox.status().await
    }

    /// Waits until every event was delivered, at most so long, and stops delivering. What is left
    /// is delivered by the next process with the same state folder.
    pub async fn close(self, wait: Duration) -> Undelivered {
        let _elapsed = tokio::time::timeout(wait, self.0.outbox.drained()).await;
        let _nobody_listens = self.0.stop.send(true);
        self.0.delivery.abort();
        match self.0.outbox.status().await {
            Ok(status) => Undelivered {
                waiting: status.waiting,
                refused: status.rejected.saturating_sub(self.0.refused_before),
                last_error: status.last_error,
            },
            Err(error) => Undelivered {
                waiting: 0,
                refused: 0,
                last_error: Some(error.to_string()),
            },
        }
    }

    pub(crate) fn governors(&self) -> &Governors {
        &self.0.governors
    }

    pub(crate) fn tool_time(&self) -> Duration {
        self.0.limits.time
    }
}

/// Where the durable log lives unless told otherwise: `$XDG_STATE_HOME/thoth`, or
/// `~/.local/state/thoth` (XDG Base Directory Specification).
///
/// # Errors
/// Neither `XDG_STATE_HOME` nor `HOME` is an absolute path.
pub fn default_state_dir() -> Result<PathBuf, Error> {
    xdg("XDG_STATE_HOME", ".local/state").ok_or_else(|| Error::Setting {
        what: "the state folder".into(),
        why: "neither XDG_STATE_HOME nor HOME is set; name it with `--state-dir DIR`".into(),
    })
}

/// Where compiled code is kept by the command: `$XDG_CACHE_HOME/thoth`, or `~/.cache/thoth`.
/// `None` where neither variable is an absolute path.
pub fn default_cache_dir() -> Option<PathBuf> {
    xdg("XDG_CACHE_HOME", ".cache")
}

fn xdg(name: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    absolute(name)
        .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
        .map(|base| base.join("thoth"))
}

/// A compiler that keeps its work in this folder, if one is named, with the key that authenticates
/// it. The key is this installation's and not a state folder's: code is worth as much in each.
pub(crate) fn compiler(engine: &Engine, jail: Jail, cache: Option<&Path>) -> Compiler {
    let mut options = thoth_engine::Options::new(jail);
    options.cache = cache.map(|folder| folder.join("components"));
    options.key = cache.map(|folder| folder.join("cache.key"));
    Compiler::new(engine, options)
}

/// Opens the embedded enforcer on its store in the state folder.
pub(crate) fn embedded(policy: Policy, state: &Path) -> Result<Enforcer, Error> {
    let store = thoth_enforcer::Store::open(&state.join("enforcer.db"))?;
    Ok(Enforcer::new(
        policy,
        store,
        thoth_enforcer::Options::default(),
    )?)
}

/// Makes the state folder, for this user only.
///
/// # Errors
/// It cannot be made.
pub fn prepare_state_dir(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| Error::State {
            path: path.into(),
            source,
        })
}
