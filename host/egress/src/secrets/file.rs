//! A secret from a file.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use super::SecretError;
use super::value::MAX_VALUE;

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

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_link_to_a_file_that_others_may_read_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "12345678\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read_now(&link).unwrap().as_slice(), b"12345678\n");
    }

    #[test]
    fn what_is_no_file_of_ours_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let fifo = rustix::fs::mknodat(
            rustix::fs::CWD,
            path("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        );
        fifo.unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        fs::write(path("open"), "12345678").unwrap();
        fs::set_permissions(path("open"), Permissions::from_mode(0o646)).unwrap();
        assert!(matches!(
            read_now(&path("pipe")),
            Err(SecretError::NotAFile)
        ));
        assert!(matches!(
            read_now(folder.path()),
            Err(SecretError::NotAFile)
        ));
        assert!(matches!(
            read_now(Path::new("/dev/zero")),
            Err(SecretError::NotAFile)
        ));
        assert!(matches!(
            read_now(&path("open")),
            Err(SecretError::Writable)
        ));
        assert!(matches!(
            read_now(&path("socket")),
            Err(SecretError::Unreadable(_))
        ));
        assert!(matches!(
            read_now(&path("none")),
            Err(SecretError::Unreadable(_))
        ));
    }

    #[test]
    fn no_more_is_read_than_shows_that_it_is_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![b'k'; 100_000]).unwrap();
        assert_eq!(read_now(&path).unwrap().len(), MAX_VALUE + 3);
    }
}
