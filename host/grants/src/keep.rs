//! How much of a tool's arguments and results the log keeps.

use std::str::FromStr;

/// How much of a tool's arguments and results the log keeps. Their SHA-256 it keeps always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keep {
    /// Their SHA-256 only.
    #[default]
    Digest,
    /// Their names, numbers and truth values as well; of each text its length.
    Masked,
    /// All of them, but for the secrets of the installation.
    Full,
}

/// A word that says none of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `digest`, `masked` or `full`")]
pub struct BadKeep;

impl FromStr for Keep {
    type Err = BadKeep;

    fn from_str(word: &str) -> Result<Self, BadKeep> {
        match word {
            "digest" => Ok(Self::Digest),
            "masked" => Ok(Self::Masked),
            "full" => Ok(Self::Full),
            _ => Err(BadKeep),
        }
    }
}
