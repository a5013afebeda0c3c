//! The errors of the host that its admission makes, as it words them.

use std::path::PathBuf;

/// As in `host/src/error.rs`.
#[derive(Debug)]
pub enum Error {
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    NotAComponent {
        name: String,
        why: String,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read { path, source } => {
                write!(out, "cannot read component `{}`: {source}", path.display())
            }
            Self::NotAComponent { name, why } => {
                write!(out, "`{name}` is not a WebAssembly component: {why}")
            }
        }
    }
}
