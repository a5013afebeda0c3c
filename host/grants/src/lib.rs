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

mod annotations;
mod bytes;
mod config;
mod document;
mod error;
mod exposure;
mod files;
mod grants;
mod keep;
mod limits;
mod matching;
mod network;
mod path;
mod private;
mod rule;
mod secrets;
mod target;
mod toml_tree;
mod tool;
pub mod wassette;
mod words;
mod yaml_tree;

pub use annotations::{Annotations, ToolAnnotations};
pub use bytes::{BadSize, Bytes};
pub use config::{Config, SessionSettings, Settings};
pub use error::{CONFIG_MAX, ConfigError, Warning};
pub use files::{Access, BadFolder, FileGrant};
pub use grants::{Conflict, Grants, Unused};
pub use keep::{BadKeep, Keep};
pub use limits::LimitSettings;
pub use matching::Denied;
pub use network::{HostPattern, NetworkRule, PathPattern, Scheme};
pub use path::BadPath;
pub use private::{Exposed, Private};
pub use rule::BadRule;
pub use secrets::{BadSecret, BadVariable, SecretFlag, SecretName, SecretSource, environment_name};
pub use target::{BadTarget, Host, TARGET_MAX, Target};
pub use tool::{Lines, ToolConfig};
