//! Whose turn it is to deliver: one process for each destination, by a lock that dies with it.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::file::open_private;

/// The right to deliver for one destination; given back when dropped, or by the kernel when the
/// process dies.
#[derive(Debug)]
pub(crate) struct Turn {
    _lock: File,
}

impl Turn {
    /// Waits for the turn, asking again every `poll`.
    pub(crate) async fn take(path: &Path, poll: Duration) -> Self {
        loop {
            // A lock that cannot be taken and a lock file that cannot be opened come to the same:
            // without the lock nothing is delivered from here, and it may get better.
            if let Ok(turn) = Self::try_take(path) {
                return turn;
            }
            tokio::time::sleep(poll).await;
        }
    }

    fn try_take(path: &Path) -> Result<Self, TryLockError> {
        let file = open_private(path).map_err(TryLockError::Error)?;
        file.try_lock()?;
        Ok(Self { _lock: file })
    }
}

/// The lock file for a destination, beside the log. It is never deleted: a process that waits for the
/// old file and one that locks a new one would both deliver.
pub(crate) fn path(log: &Path, destination: &str) -> PathBuf {
    // A destination holds characters that a file name cannot; eight bytes of its hash tell the few
    // destinations of one log apart.
    let mut suffix = String::from(".");
    for byte in Sha256::digest(destination.as_bytes()).iter().take(8) {
        // Writing to a string does not fail.
        let _ = write!(suffix, "{byte:02x}");
    }
    suffix.push_str(".lock");
    let mut name = OsString::from(log);
    name.push(suffix);
    name.into()
}
