//! What can go wrong before a call is governed. What happens to a governed call is an [`Outcome`],
//! never an error.
//!
//! [`Outcome`]: crate::Outcome

use std::path::PathBuf;

use crate::toolbox::Change;

/// The most changes that one line tells of.
const CHANGES_TOLD: usize = 12;

/// Why the host could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No enforcer was named.
    #[error(
        "no policy: name an enforcer (`--enforcer-url URL`, THOTH_API_URL) or a policy file (`--policy FILE`)"
    )]
    NoEnforcer,
    /// Nobody said how components are compiled.
    #[error("choose how components are compiled: `Builder::compiler`")]
    NoCompiler,
    /// Both a policy file and a remote enforcer were named.
    #[error("both a policy file and an enforcer's URL are given: choose one")]
    TwoEnforcers,
    /// A setting that cannot be used.
    #[error("{what}: {why}")]
    Setting {
        /// The setting.
        what: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The enforcer's URL.
    #[error(transparent)]
    Origin(#[from] thoth_transport::OriginError),
    /// The client for the enforcer.
    #[error(transparent)]
    Client(#[from] thoth_transport::ClientError),
    /// The policy file.
    #[error(transparent)]
    Policy(#[from] thoth_enforcer::PolicyError),
    /// The embedded enforcer's store.
    #[error(transparent)]
    Store(#[from] thoth_enforcer::StoreError),
    /// The embedded enforcer's options.
    #[error(transparent)]
    Enforcer(#[from] thoth_enforcer::OptionsError),
    /// The durable log.
    #[error(transparent)]
    Outbox(#[from] thoth_outbox::OpenError),
    /// A component that cannot be read.
    #[error("cannot read component `{}`: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is not a component.
    #[error("`{name}` is not a WebAssembly component: {why}")]
    NotAComponent {
        /// Which file.
        name: String,
        /// What it is instead, and what to do.
        why: String,
    },
    /// A component that cannot be loaded.
    #[error("cannot load component `{name}`: {why}")]
    Load {
        /// Which component.
        name: String,
        /// Why.
        why: String,
    },
    /// The lock of a toolbox.
    #[error("cannot use the lock `{}`: {why}", path.display())]
    Lock {
        /// Which file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// A component that nobody took.
    #[error(
        "`{}` is not in `{}`, and nothing else runs: look at it with `thoth inspect`, then take it with `thoth lock {}`",
        path.display(), lock.display(), path.display()
    )]
    NotLocked {
        /// The component's file.
        path: PathBuf,
        /// The lock.
        lock: PathBuf,
    },
    /// A component that is not as it was when it was taken.
    #[error(
        "`{name}` changed since it was locked: {}; if that is meant, take it with `thoth lock`",
        listed(changes)
    )]
    Changed {
        /// Which component.
        name: String,
        /// What is another. Not empty.
        changes: Vec<Change>,
    },
    /// A component that is not the one that the configuration grants something.
    #[error(
        "`{name}` is not the component that the configuration grants: its SHA-256 is {is}, not {expected}"
    )]
    Digest {
        /// Which component.
        name: String,
        /// Its digest.
        is: String,
        /// The configuration's.
        expected: String,
    },
    /// A name that two components offer. Neither is offered by it.
    #[error(
        "`{tool}` is offered by {}: a name must stand for one tool, so give one of them a `prefix` in thoth.toml",
        quoted(components)
    )]
    Ambiguous {
        /// The tool's name.
        tool: String,
        /// The components.
        components: Vec<String>,
    },
    /// The state folder.
    #[error("cannot use the state folder `{}`: {source}; name another with `--state-dir DIR`", path.display())]
    State {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// WebAssembly cannot run here.
    #[error(transparent)]
    Engine(#[from] thoth_engine::EngineError),
    /// What tools can import could not be set up.
    #[error("the WebAssembly linker does not start: {0}")]
    Linker(#[source] wasmtime::Error),
    /// The governor component.
    #[error("the governor does not load: {0}")]
    Governor(String),
}

fn listed(changes: &[Change]) -> String {
    let told = changes.iter().take(CHANGES_TOLD).map(ToString::to_string);
    let mut told: Vec<String> = told.collect();
    if changes.len() > CHANGES_TOLD {
        told.push(format!("and {} more", changes.len() - CHANGES_TOLD));
    }
    told.join("; ")
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" and ")
}
