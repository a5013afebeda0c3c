//! What lives as long as the process: engine, governors, connections, the durable log.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thoth_core::{Decision, Hold, ToolCall};
use thoth_enforcer::Enforcer;
use thoth_outbox::{Outbox, Status};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::builder::Builder;
use crate::error::Error;
use crate::governor::Governors;
use crate::identity::Identity;
use crate::past::Past;
use crate::session::Session;
use crate::telemetry::Telemetry;
use crate::tool::{self, Grant, Limits, Loader, Tool};

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
pub struct Runtime(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) loader: Loader,
    pub(crate) governors: Arc<Governors>,
    pub(crate) outbox: Outbox,
    pub(crate) enforcer: Option<Arc<Enforcer>>,
    pub(crate) limits: Limits,
    /// Events that the enforcer had refused for good before this process began.
    pub(crate) refused_before: u64,
    pub(crate) on_hold: Option<OnHold>,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) delivery: JoinHandle<()>,
}

/// Told when a running call waits for a human: the effect's name and arguments (JSON), and its hold.
#[derive(Clone)]
pub(crate) struct OnHold(pub(crate) Arc<Told>);

type Told = dyn Fn(&str, &str, &Hold) + Send + Sync;

impl fmt::Debug for OnHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnHold")
    }
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

impl Runtime {
    /// Begins a [`Runtime`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Loads a component from a file: reads, compiles and links it. It is granted nothing.
    ///
    /// # Errors
    /// The file cannot be read, is not a component, or does not compile or link here.
    pub async fn load(&self, path: impl AsRef<Path>) -> Result<Tool, Error> {
        self.load_granted(path, self.nothing()).await
    }

    /// As [`Self::load`], with powers and limits of its own.
    ///
    /// # Errors
    /// As [`Self::load`], and a grant that cannot be made ready: it names the state folder, for
    /// instance.
    pub async fn load_granted(&self, path: impl AsRef<Path>, grant: Grant) -> Result<Tool, Error> {
        let path = path.as_ref().to_owned();
        let name = path.display().to_string();
        let loader = self.0.loader.clone();
        tool::blocking(move || loader.load(&name, &tool::read(&path)?, grant))
            .await?
            .discover()
            .await
    }

    /// Loads a component from its bytes, under a name for messages.
    ///
    /// # Errors
    /// As [`Self::load_granted`].
    pub async fn load_bytes(
        &self,
        name: &str,
        bytes: Vec<u8>,
        grant: Grant,
    ) -> Result<Tool, Error> {
        let name = name.to_owned();
        let loader = self.0.loader.clone();
        tool::blocking(move || loader.load(&name, &bytes, grant))
            .await?
            .discover()
            .await
    }

    /// A grant of nothing, with this runtime's limits.
    pub fn nothing(&self) -> Grant {
        Grant {
            limits: self.0.limits.clone(),
            ..Grant::default()
        }
    }

    /// What an operator should know about how it started: why compiled code is not kept, for
    /// instance. Usually empty.
    pub fn notices(&self) -> &[String] {
        self.0.loader.compiler.notices()
    }

    /// Begins a session: one identity, one history of calls.
    pub fn session(&self, identity: Identity) -> Session {
        Session::new(self.clone(), identity, Past::default(), false)
    }

    /// Goes on with a session of the log, by the identity's session id: with its history, and with what
    /// it has used of its budget. [`Self::session`] with the same id begins anew.
    ///
    /// # Errors
    /// The log cannot be read, has no such session, or it was begun by another tenant, agent or user.
    pub async fn resume_session(&self, identity: Identity) -> Result<Session, Error> {
        let setting = |why: String| Error::Setting {
            what: "the session".into(),
            why,
        };
        let outbox = self.0.outbox.clone();
        let scope = identity.clone().into_scope();
        let past = tool::blocking(move || {
            let archive = outbox.archive()?;
            Past::read(&archive, &scope).map_err(setting)
        })
        .await?;
        Ok(Session::new(self.clone(), identity, past, true))
    }

    /// The embedded enforcer, where a policy file decides.
    pub fn enforcer(&self) -> Option<&Arc<Enforcer>> {
        self.0.enforcer.as_ref()
    }

    /// Serves the page on which people approve, on a loopback address until `stop` completes. Where
    /// [`Builder::approvals`] said nothing, nobody can approve there. Agents have no part in it.
    ///
    /// # Errors
    /// The listener is not on a loopback address, or no policy file decides.
    ///
    /// # Cancel safety
    /// Dropping the future closes every connection; a decision under way is still recorded.
    pub async fn serve_approvals(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let Some(enforcer) = self.enforcer() else {
            let why = "an enforcer has approvers of its own";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        };
        thoth_enforcer::serve_approvals(listener, Arc::clone(enforcer), stop).await
    }

    /// Asks the policy service about a call of a tool that does not exist, `thoth_doctor`: whether it
    /// answers, and what it says of what it does not know. Nothing can run, and no event is recorded;
    /// a policy service may keep a record of its own.
    pub async fn probe(&self, identity: Identity) -> Decision {
        let call = ToolCall {
            call_id: Uuid::new_v4().to_string(),
            tool: "thoth_doctor".into(),
            arguments: "{}".into(),
        };
        let scope = Arc::new(identity.into_scope());
        self.governors().enforce(&scope, &call).await
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
        let delivered = async {
            // What was just given up has an event to come.
            self.governors().recorder().all_ended().await;
            self.0.outbox.drained().await;
        };
        let _elapsed = tokio::time::timeout(wait, delivered).await;
        let _nobody_listens = self.0.stop.send(true);
        self.0.delivery.abort();
        // What cannot be signed now is covered by the next checkpoint.
        let _ = self.0.outbox.checkpoint().await;
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

    /// Tells whoever wants to know that an effect waits for a human.
    pub(crate) fn parked(&self, effect: &ToolCall, hold: &Hold) {
        if let Some(told) = &self.0.on_hold {
            told.0(&effect.tool, &effect.arguments, hold);
        }
    }

    pub(crate) fn governors(&self) -> &Governors {
        &self.0.governors
    }
}
