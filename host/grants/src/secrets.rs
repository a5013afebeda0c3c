//! Secrets by name. Their values are read by whoever sends them.

use std::path::PathBuf;

/// A secret's name: `[a-z0-9_-]`, 1 to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(pub(crate) String);

impl SecretName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a secret's value comes from: never the command line, an environment variable or a
/// configuration file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The content of a file, without its last line ending.
    File(PathBuf),
    /// What a program prints, without its last line ending; the program and its arguments.
    Command(Vec<String>),
}
