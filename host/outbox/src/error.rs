//! What can go wrong, in one line each, and what SQLite's answers mean to a person.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::schema::VERSION;

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder is missing and could not be made, or is not a folder.
    #[error("cannot use the folder `{}` for the log; choose one that you can write to", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Anyone on the machine could replace the log.
    #[error("every user can write to the folder `{}`; choose another for the log, or run `chmod o-w` on it", path.display())]
    OpenFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The log's path is a symbolic link or something else that is not a file.
    #[error("the log `{}` is not a plain file; a link is not followed, so name the file itself", path.display())]
    NotAFile {
        /// The log.
        path: PathBuf,
    },
    /// The file could not be opened for reading and writing.
    #[error("cannot open the log `{}` for writing; check its permissions", path.display())]
    File {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is damaged or was never a log.
    #[error("`{}` is not a log of this program or is damaged; move it away to start a new one", path.display())]
    NotALog {
        /// The log.
        path: PathBuf,
    },
    /// A newer version of this program wrote the log.
    #[error("the log `{}` has format {found} and this program knows up to {known}; use a newer program or another folder", path.display())]
    Newer {
        /// The log.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// An older version of this program wrote the log, before records were chained.
    #[error("the log `{}` has format {found}, whose records are not chained; move it away to start a new one", path.display())]
    Older {
        /// The log.
        path: PathBuf,
        /// The format found.
        found: i64,
    },
    /// There is no log to read.
    #[error("there is no log at `{}`; name the state folder with `--state-dir`", path.display())]
    Missing {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// The key that signs checkpoints cannot be used.
    #[error("cannot use the log's key `{}`: {why}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// SQLite refused for another reason.
    #[error("cannot open the log `{}`", path.display())]
    Database {
        /// The log.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The writer's thread could not be started.
    #[error("cannot start a thread for the log")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    /// For a log whose format is not the one that is known here.
    pub(crate) fn format(path: &Path, found: i64) -> Self {
        let path = path.into();
        if found < VERSION {
            return Self::Older { path, found };
        }
        Self::Newer {
            path,
            found,
            known: VERSION,
        }
    }
}

/// Why an event was not kept. Whoever gets this must not let the event take effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// As much waits for this destination as is allowed.
    #[error("the log is full of events that wait for delivery; bring the enforcer back")]
    Full,
    /// Another event has this id already. Nothing was changed.
    #[error("the id `{0}` is taken by another event; every event needs an id of its own")]
    Conflict(String),
    /// The log could not be written, and why. The event may or may not be in it: append it again
    /// under the same id, or treat it as lost.
    #[error("the log cannot be written: {0}")]
    Unavailable(String),
}

/// Why the state of the log could not be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be read: {0}")]
pub struct StatusError(pub(crate) String);

/// What SQLite's answer means, in one line.
pub(crate) fn plain(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full; free some space".into(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process keeps it locked".into()
        }
        Some(ErrorCode::ReadOnly) => "it is read-only; check its permissions".into(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "it is damaged; move it away to start a new one".into()
        }
        Some(ErrorCode::SystemIoFailure) => {
            format!("the disk failed ({})", one_line(&error.to_string()))
        }
        _ => one_line(&error.to_string()),
    }
}

/// The longest reason kept, in characters.
const REASON: usize = 500;

/// A reason given by someone else, as one line of bounded length.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .take(REASON)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_bounded_line() {
        let reason = one_line(&format!("no\r\n\u{1b}[31m{}", "x".repeat(10_000)));
        assert_eq!(reason.chars().count(), REASON);
        assert!(!reason.chars().any(char::is_control));
    }
}
