//! What is wrong with a configuration file, and where; and files that are not even read.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::document::Place;
use crate::words::shown;

/// The largest configuration file, in bytes.
pub const CONFIG_MAX: u64 = 1 << 20;

/// Why a configuration file was not taken. One that is wrong in part is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The system does not let it be read.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A folder, a pipe, a device.
    #[error("`{0}` is not a regular file")]
    NotAFile(String),
    /// Larger than [`CONFIG_MAX`].
    #[error("`{0}` is larger than {CONFIG_MAX} bytes")]
    TooLarge(String),
    /// Whoever can write it could grant themselves anything.
    #[error("`{0}` can be written by everyone: run `chmod o-w` on it, and see what it grants")]
    Writable(String),
    /// Not text.
    #[error("`{0}` is not UTF-8")]
    NotUtf8(String),
    /// Something in it is wrong.
    #[error("{}{line}:{column}: {message}", .file.as_ref().map(|file| format!("{file}:")).unwrap_or_default())]
    At {
        /// The file, if it was read from one.
        file: Option<String>,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// What is wrong, and what would be right.
        message: String,
    },
}

impl ConfigError {
    /// The error, with the file in which it is.
    pub(crate) fn in_file(mut self, path: &Path) -> Self {
        if let Self::At { file, .. } = &mut self {
            *file = Some(name(path));
        }
        self
    }
}

/// What is wrong at a place of a text.
#[derive(Debug)]
pub(crate) struct Problem {
    at: Place,
    message: String,
}

/// The longest message, in characters. Whatever it repeats of the file, it stays one line.
const MESSAGE_MAX: usize = 512;

impl Problem {
    pub(crate) fn new(at: Place, message: impl fmt::Display) -> Self {
        let message = message
            .to_string()
            .chars()
            .take(MESSAGE_MAX)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        Self { at, message }
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self::At {
            file: None,
            line: problem.at.line,
            column: problem.at.column,
            message: problem.message,
        }
    }
}

/// Something that is not wrong, and yet not as its author may believe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line, from 1.
    pub line: usize,
    /// What is to be known.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// The text of a configuration file: regular, of at most [`CONFIG_MAX`] bytes, not writable by
/// everyone.
pub(crate) fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: name(path),
        source,
    };
    // Before it is opened, for to open a pipe is to wait.
    check(path, &fs::metadata(path).map_err(unreadable)?)?;
    let file = File::open(path).map_err(unreadable)?;
    check(path, &file.metadata().map_err(unreadable)?)?;
    let mut bytes = Vec::new();
    file.take(CONFIG_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > CONFIG_MAX {
        return Err(ConfigError::TooLarge(name(path)));
    }
    String::from_utf8(bytes).map_err(|_| ConfigError::NotUtf8(name(path)))
}

fn check(path: &Path, metadata: &fs::Metadata) -> Result<(), ConfigError> {
    if !metadata.is_file() {
        return Err(ConfigError::NotAFile(name(path)));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o002 != 0 {
        return Err(ConfigError::Writable(name(path)));
    }
    Ok(())
}

fn name(path: &Path) -> String {
    shown(&path.display().to_string())
}

/// The folder that a configuration file's paths are relative to: that of the file itself, also where
/// it was named by a symbolic link.
pub(crate) fn folder_of(path: &Path) -> Result<PathBuf, ConfigError> {
    let absolute = path
        .canonicalize()
        .map_err(|source| ConfigError::Unreadable {
            path: name(path),
            source,
        })?;
    Ok(absolute.parent().map(Path::to_path_buf).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_some_size_and_of_ones_own_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thoth.toml");
        assert!(matches!(read(&path), Err(ConfigError::Unreadable { .. })));
        assert!(matches!(read(folder.path()), Err(ConfigError::NotAFile(_))));
        fs::write(&path, "a = 1").unwrap();
        assert_eq!(read(&path).unwrap(), "a = 1");
        fs::write(&path, b"\xff").unwrap();
        assert!(matches!(read(&path), Err(ConfigError::NotUtf8(_))));
        fs::write(&path, vec![b' '; 1 << 20]).unwrap();
        assert!(read(&path).is_ok());
        fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
        assert!(matches!(read(&path), Err(ConfigError::TooLarge(_))));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_everyone_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thoth.toml");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o646)).unwrap();
        assert!(matches!(read(&path), Err(ConfigError::Writable(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert!(read(&path).is_ok());
    }
}
