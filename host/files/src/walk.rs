//! From an open folder to one below it, by names and never by a symbolic link.

use std::fs::File;
use std::io;

use rustix::fs::{CWD, Mode, OFlags, openat};

/// A handle to stand on, not to list. Where the system has no such thing, one to list.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const STAND: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const STAND: OFlags = OFlags::RDONLY;

/// The folder at the end of the names. Each is one component, neither empty nor a dot.
///
/// # Errors
///
/// The kernel's, for the first name that is not a folder; a symbolic link is none.
pub(crate) fn down<'n>(
    root: &File,
    names: impl Iterator<Item = &'n std::ffi::OsStr>,
) -> io::Result<File> {
    let mut at = root.try_clone()?;
    for name in names {
        at = openat(
            &at,
            name,
            STAND | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )?
        .into();
    }
    Ok(at)
}

/// The folder at the end of the names from `/`, to list and to stand on.
///
/// # Errors
///
/// As [`down`].
pub(crate) fn from_root<'n>(names: impl Iterator<Item = &'n std::ffi::OsStr>) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, "/", STAND | flags, Mode::empty())?;
    let folder = down(&root.into(), names)?;
    Ok(openat(&folder, ".", OFlags::RDONLY | flags, Mode::empty())?.into())
}
