//! A secret from a file.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::value::MAX_VALUE;
use crate::SecretError;

/// Reads a file. It may be a link, as orchestrators make them, and others may read it, as in the
/// mounts of Docker and Kubernetes (`0444`); that is for whoever made the file. A file that anybody may
/// write to is refused.
pub(super) async fn read(path: PathBuf) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    tokio::task::spawn_blocking(move || read_now(&path))
        .await
        .unwrap_or_else(|error| Err(SecretError::Unreadable(error.to_string())))
}

fn read_now(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let unreadable = |error: std::io::Error| SecretError::Unreadable(error.kind().to_string());
    // NONBLOCK: a pipe in the file's place must not hold the thread.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file: File = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| unreadable(error.into()))?
        .into();
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(SecretError::NotAFile);
    }
    if metadata.mode() & 0o002 != 0 {
        return Err(SecretError::Writable);
    }
    // Room for a line ending and for one byte too many; nothing is moved, so nothing is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_VALUE + 4));
    let most = u64::try_from(MAX_VALUE + 3).unwrap_or(u64::MAX);
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}
