//! What a tool is granted: the powers that an operator hands to one component, and nothing else.
//!
//! An empty list grants nothing. Grants come from `thoth.toml`, from flags or from a wassette
//! `policy.yaml`; nothing that an agent sends can become one.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod files;
mod network;
mod path;
mod secrets;
mod target;

pub use files::{Access, FileGrant};
pub use network::{Denied, HostPattern, NetworkRule, PathPattern, Scheme};
pub use path::BadPath;
pub use secrets::{SecretName, SecretSource};
pub use target::{BadTarget, Host, TARGET_MAX, Target};

/// Everything that one tool may reach for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Where its HTTP requests may go. The first rule that matches a request decides.
    pub network: Vec<NetworkRule>,
    /// Folders that it sees.
    pub files: Vec<FileGrant>,
    /// Names of environment variables of the host's that it sees.
    pub environment: Vec<String>,
    /// Secrets that it may name in a header, as `{{secret:NAME}}`. Their values stay in the host.
    pub secrets: Vec<SecretName>,
}

impl Grants {
    /// The first rule that lets a request go where it wants to.
    ///
    /// # Errors
    ///
    /// [`Denied`] says what the nearest rule lacks.
    pub fn rule_for(&self, target: &Target) -> Result<&NetworkRule, Denied> {
        network::rule_for(&self.network, target)
    }
}
