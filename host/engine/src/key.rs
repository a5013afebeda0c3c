//! The key of this installation: what tells our own cache entries from all others.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;
use sha2::Sha256;

const SIZE: usize = 32;

/// A secret of 32 bytes that only this user can read.
pub(crate) struct Key([u8; SIZE]);

/// A key, and what was done about its file that the user should know.
pub(crate) struct Opened {
    pub(crate) key: Key,
    pub(crate) notice: Option<String>,
}

impl Key {
    /// Reads the key, or makes it if there is none.
    ///
    /// A key that others could read or write is replaced, since an entry of theirs would pass for
    /// ours. A file that does not look like a key is left alone and refused.
    pub(crate) fn open(path: &Path) -> io::Result<Opened> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut notice = None;
        // Once to find none, once to find that another process was faster.
        for _ in 0..3 {
            match openat(CWD, path, READ | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(file) => {
                    let stat = fstat(&file)?;
                    owned(&stat, FileType::RegularFile)?;
                    let key = read(File::from(file))?;
                    if stat.st_mode & 0o077 == 0 {
                        return Ok(Opened { key, notice });
                    }
                    create(folder)?.persist(path)?;
                    notice = Some(format!(
                        "the key `{}` was open to other users: it was replaced, and cached code is compiled again",
                        path.display()
                    ));
                }
                Err(Errno::NOENT) => {
                    DirBuilder::new()
                        .recursive(true)
                        .mode(0o700)
                        .create(folder)?;
                    match create(folder)?.persist_noclobber(path) {
                        Ok(_) => {}
                        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
                        Err(error) => return Err(error.error),
                    }
                }
                Err(Errno::LOOP) => return Err(io::Error::other("it is a symbolic link")),
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::other("it changes while it is read"))
    }

    /// The authentication code over all parts in turn.
    pub(crate) fn authenticate(&self, parts: &[&[u8]]) -> io::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(io::Error::other)?;
        for part in parts {
            mac.update(part);
        }
        Ok(mac)
    }
}

pub(crate) const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    // A pipe by that name must not make us wait.
    .union(OFlags::NONBLOCK);

/// Refuses what is not of this type or belongs to another user.
pub(crate) fn owned(stat: &Stat, expected: FileType) -> io::Result<()> {
    if FileType::from_raw_mode(stat.st_mode) != expected {
        return Err(io::Error::other(match expected {
            FileType::Directory => "it is not a folder",
            _ => "it is not a regular file",
        }));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    Ok(())
}

fn read(file: File) -> io::Result<Key> {
    let mut bytes = Vec::with_capacity(SIZE + 1);
    file.take(SIZE as u64 + 1).read_to_end(&mut bytes)?;
    bytes.try_into().map(Key).map_err(|_| {
        io::Error::other("it is not a key, which has 32 bytes: remove it or name another file")
    })
}

/// A new key in a file of its own, whole and on disk before it gets its name.
fn create(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut key = [0; SIZE];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut file = tempfile::Builder::new()
        .prefix(".key-")
        .tempfile_in(folder)?;
    rustix::fs::fchmod(file.as_file().as_fd(), Mode::RUSR | Mode::WUSR)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    Ok(file)
}
