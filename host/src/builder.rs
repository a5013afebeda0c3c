//! Making a runtime: what was asked for is checked first, and then started.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thoth_core::Hold;
use thoth_enforcer::{Enforcer, Policy};
use thoth_engine::{Compiler, Jail, SLOTS};
use thoth_grants::Private;
use thoth_outbox::Outbox;
use thoth_transport::{Client, Origin, Secret};
use tokio::sync::{Semaphore, watch};
use wasmtime::Engine;

use crate::error::Error;
use crate::folders::{default_state_dir, prepare_state_dir};
use crate::governor::{self, Governors, Service};
use crate::outbox::{Courier, Recorder};
use crate::runtime::{OnHold, Runtime, Shared};
use crate::telemetry::Telemetry;
use crate::tool::{self, Limits, Loader};

/// The policy call's total deadline where none is set.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the embedded enforcer's approvers decide, over HTTP: at what [`Runtime::serve_approvals`] serves.
#[derive(Debug, Clone)]
pub struct Approvals {
    /// Where it is reached, such as `http://127.0.0.1:8930`. A held call's `approval_url` leads there.
    pub url: String,
    /// What approvers authenticate with. It must not get into an agent's hands.
    pub token: thoth_enforcer::Secret,
    /// What an approver on the page is called who gives no other name.
    pub approver: Option<String>,
}

/// Makes a [`Runtime`].
#[derive(Debug, Default)]
pub struct Builder {
    policy_file: Option<PathBuf>,
    approvals: Option<Approvals>,
    enforcer_url: Option<String>,
    api_key: Option<Secret>,
    ingest_token: Option<Secret>,
    ca_file: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    cache_dir: Option<PathBuf>,
    compiler: Option<Jail>,
    timeout: Option<Duration>,
    limits: Limits,
    on_hold: Option<OnHold>,
}

impl Builder {
    /// Decides by a policy file, in this process. Not together with [`Self::enforcer_url`].
    #[must_use]
    pub fn policy_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.policy_file = Some(path.into());
        self
    }

    /// Lets people approve over HTTP. Only with [`Self::policy_file`]: an enforcer has approvers of its
    /// own.
    #[must_use]
    pub fn approvals(mut self, approvals: Approvals) -> Self {
        self.approvals = Some(approvals);
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

    /// Is told when a running call waits until a human decides about an effect of it: the effect's name
    /// (`effect:http`), its arguments as JSON, and the hold. It is called on the way, so it must not
    /// block.
    #[must_use]
    pub fn on_hold(mut self, told: impl Fn(&str, &str, &Hold) + Send + Sync + 'static) -> Self {
        self.on_hold = Some(OnHold(Arc::new(told)));
        self
    }

    /// Starts the engine, opens the log and begins to deliver what is in it. Spans and figures go to the
    /// providers that are OpenTelemetry's global ones at this time.
    ///
    /// # Errors
    /// No policy or two, a policy with an error, approvals without a policy file, an unusable URL, state
    /// folder or engine.
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
                    ca_file: self.ca_file.clone(),
                    ..Default::default()
                };
                Decider::Remote(Client::new(origin, options)?)
            }
        };
        if self.approvals.is_some() && self.policy_file.is_none() {
            return Err(Error::Setting {
                what: "where to approve".into(),
                why: "the enforcer has approvers of its own".into(),
            });
        }
        prepare_state_dir(&state)?;
        let mut private = Private::default();
        let unseen = [
            Some(&state),
            self.cache_dir.as_ref(),
            self.policy_file.as_ref(),
        ];
        for path in unseen.into_iter().flatten() {
            private.unseen(path);
        }
        if let Some(path) = &self.ca_file {
            private.unchanged(path);
        }
        let origin = match &decider {
            Decider::Policy(_) => None,
            Decider::Remote(client) => Some(client.origin().clone()),
        };
        let (service, enforcer, destination) = match decider {
            Decider::Policy(policy) => {
                let enforcer = Arc::new(embedded(*policy, &state, self.approvals)?);
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
            &state.join(crate::log::FILE),
            &destination,
            thoth_outbox::Options::default(),
        )?;
        let engine = thoth_engine::engine()?;
        let compiler = compiler(&engine, jail, self.cache_dir.as_deref());
        let governor_engine = thoth_engine::governor_engine()?;
        // Our own component needs no jail.
        let compiling =
            self::compiler(&governor_engine, Jail::InProcess, self.cache_dir.as_deref());
        let governor = tool::blocking(move || {
            let compiled = compiling.component(governor::COMPONENT);
            compiled.map_err(|error| Error::Governor(error.to_string()))
        })
        .await?;
        let governors = Arc::new(Governors::new(
            &governor_engine,
            &governor.component,
            service,
            Recorder::new(outbox.clone()),
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
        let telemetry = Arc::new(Telemetry::new());
        let shared = Arc::new(Shared {
            loader: Loader {
                linker: Arc::new(tool::linker(&engine).map_err(Error::Linker)?),
                compiler,
                engine,
                slots: Arc::new(Semaphore::new(SLOTS as usize)),
                ca_file: self.ca_file,
                enforcer: origin,
                private,
            },
            governors,
            outbox,
            enforcer,
            limits: self.limits,
            refused_before,
            on_hold: self.on_hold,
            telemetry: Arc::clone(&telemetry),
            stop,
            delivery,
        });
        telemetry.figures.watch_queue(Arc::downgrade(&shared));
        Ok(Runtime(shared))
    }
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
fn embedded(policy: Policy, state: &Path, approvals: Option<Approvals>) -> Result<Enforcer, Error> {
    let store = thoth_enforcer::Store::open(&state.join("enforcer.db"))?;
    let mut options = thoth_enforcer::Options::default();
    if let Some(approvals) = approvals {
        options.base_url = Some(approvals.url);
        options.approver_token = Some(approvals.token);
        options.approver = approvals.approver;
    }
    Ok(Enforcer::new(policy, store, options)?)
}
