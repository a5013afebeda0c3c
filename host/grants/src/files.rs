//! Folders that a tool sees.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::grants::Conflict;
use crate::words::shown;

/// The longest guest path, in bytes.
const GUEST_PATH_MAX: usize = 1024;

/// What may be done in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read files and list folders; nothing changes, not even a time stamp that a guest sets.
    ReadOnly,
    /// Read, write, create, rename and delete.
    ReadWrite,
}

impl FromStr for Access {
    type Err = BadFolder;

    /// `read-only` or `read-write`.
    fn from_str(text: &str) -> Result<Self, BadFolder> {
        match text {
            "read-only" => Ok(Self::ReadOnly),
            "read-write" => Ok(Self::ReadWrite),
            _ => Err(BadFolder::AccessWord(shown(text))),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "read-only",
            Self::ReadWrite => "read-write",
        })
    }
}

/// A folder of the host's, under a path of the guest's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGrant {
    /// The folder, absolute and without symbolic links.
    pub host: PathBuf,
    /// Where the guest sees it: absolute, normalised, `/docs`.
    pub guest: String,
    /// What may be done there.
    pub access: Access,
    /// Whether the enforcer decides about each file that is opened.
    pub govern: bool,
}

/// Why a folder cannot be granted.
#[derive(Debug, thiserror::Error)]
pub enum BadFolder {
    /// Not of the form of the flag.
    #[error(
        "`{0}` is not HOST:GUEST:ACCESS: write it as `./docs:/docs:ro` or `./out:/out:rw,govern`"
    )]
    Form(String),
    /// Neither `ro` nor `rw`, or another option than `govern`.
    #[error("`{0}` is not an access: write `ro` or `rw`, and `,govern` after it")]
    Access(String),
    /// Neither `read-only` nor `read-write`.
    #[error("`{0}` is not an access: write `read-only` or `read-write`")]
    AccessWord(String),
    /// Not an absolute path in its shortest form.
    #[error(
        "`{0}` cannot be a path of the guest's: write it as `/docs`, without `.`, `..` or `//`"
    )]
    Guest(String),
    /// The folder does not exist or cannot be reached.
    #[error("cannot find the folder `{path}`: create it, or correct the path")]
    Missing {
        /// The folder as it was looked for.
        path: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Something else than a folder.
    #[error("`{0}` is not a folder: grant the folder that it is in")]
    NotAFolder(String),
}

impl FileGrant {
    /// The folder of a flag, `HOST:GUEST:ACCESS`: `./docs:/docs:ro`, `./out:/out:rw,govern`. The
    /// host's path may be relative to the current folder, and must exist.
    ///
    /// # Errors
    ///
    /// [`BadFolder`] says which part is wrong, and shows a right one.
    pub fn from_flag(text: &str) -> Result<Self, BadFolder> {
        let form = || BadFolder::Form(shown(text));
        // From the right: a colon may be part of a host's path.
        let (rest, access) = text.rsplit_once(':').ok_or_else(form)?;
        let (host, guest) = rest.rsplit_once(':').ok_or_else(form)?;
        if host.is_empty() {
            return Err(form());
        }
        let bad_access = || BadFolder::Access(shown(access));
        let (word, govern) = match access.split_once(',') {
            None => (access, false),
            Some((word, "govern")) => (word, true),
            Some(_) => return Err(bad_access()),
        };
        let access = match word {
            "ro" => Access::ReadOnly,
            "rw" => Access::ReadWrite,
            _ => return Err(bad_access()),
        };
        Self::new(Path::new(host), guest, access, govern)
    }

    pub(crate) fn new(
        host: &Path,
        guest: &str,
        access: Access,
        govern: bool,
    ) -> Result<Self, BadFolder> {
        let guest = guest_path(guest)?;
        let name = || shown(&host.display().to_string());
        let host = host.canonicalize().map_err(|source| BadFolder::Missing {
            path: name(),
            source,
        })?;
        match fs::metadata(&host) {
            Ok(metadata) if metadata.is_dir() => Ok(Self {
                host,
                guest,
                access,
                govern,
            }),
            Ok(_) => Err(BadFolder::NotAFolder(name())),
            Err(source) => Err(BadFolder::Missing {
                path: name(),
                source,
            }),
        }
    }

    /// Whether the guest sees the other folder in this one already, at the same path and with the same
    /// rights.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        let below_guest = Path::new(&other.guest).strip_prefix(&self.guest);
        let below_host = other.host.strip_prefix(&self.host);
        matches!((below_guest, below_host), (Ok(guest), Ok(host)) if guest == host)
            && self.access == other.access
            && self.govern == other.govern
    }

    /// Why the two cannot be granted together: one would be a way around what the other one says.
    pub(crate) fn conflict(&self, other: &Self) -> Option<Conflict> {
        if is_within(&self.guest, &other.guest) || is_within(&other.guest, &self.guest) {
            return Some(Conflict::GuestPaths(
                shown(&other.guest),
                shown(&self.guest),
            ));
        }
        let nested = self.host.starts_with(&other.host) || other.host.starts_with(&self.host);
        let alike = self.access == other.access && self.govern == other.govern;
        (nested && !alike).then(|| Conflict::Folders(shown(&other.host.display().to_string())))
    }
}

impl FromStr for FileGrant {
    type Err = BadFolder;

    /// As [`FileGrant::from_flag`].
    fn from_str(text: &str) -> Result<Self, BadFolder> {
        Self::from_flag(text)
    }
}

impl fmt::Display for FileGrant {
    /// `/docs = /home/me/docs  read-only  governed`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.display().to_string();
        write!(f, "{} = {}  {}", self.guest, inert(&host), self.access)?;
        if self.govern {
            f.write_str("  governed")?;
        }
        Ok(())
    }
}

/// A whole path without control characters.
fn inert(text: &str) -> String {
    text.chars().flat_map(char::escape_debug).collect()
}

/// An absolute path without empty segments, dots and whatever hosts read differently; a slash at its
/// end is left out.
fn guest_path(text: &str) -> Result<String, BadFolder> {
    let bad = || BadFolder::Guest(shown(text));
    let rest = text.strip_prefix('/').ok_or_else(bad)?;
    if rest.is_empty() {
        return Ok("/".into());
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && !segment
                .chars()
                .any(|c| c.is_control() || matches!(c, '\\' | ':'))
    };
    if text.len() > GUEST_PATH_MAX || !rest.split('/').all(is_segment) {
        return Err(bad());
    }
    Ok(format!("/{rest}"))
}

fn is_within(path: &str, folder: &str) -> bool {
    folder == "/"
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("docs/sub")).unwrap();
        fs::create_dir(root.path().join("a:b")).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let path = root.path().canonicalize().unwrap();
        (root, path)
    }

    #[test]
    fn a_flag_becomes_a_folder() {
        let (_root, path) = folders();
        let at = |name: &str| path.join(name).display().to_string();
        for (flag, shown) in [
            (
                format!("{}:/docs:ro", at("docs")),
                format!("/docs = {}  read-only", at("docs")),
            ),
            (
                format!("{}:/d/:rw,govern", at("docs/sub/..")),
                format!("/d = {}  read-write  governed", at("docs")),
            ),
            (
                format!("{}:/:ro", at("a:b")),
                format!("/ = {}  read-only", at("a:b")),
            ),
        ] {
            let grant: FileGrant = flag.parse().expect(&flag);
            assert_eq!(grant.to_string(), shown);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_a_right_example() {
        let (_root, path) = folders();
        let docs = path.join("docs").display().to_string();
        let file = path.join("file").display().to_string();
        for (flag, words) in [
            (docs.clone(), "write it as `./docs:/docs:ro`"),
            (format!("{docs}:ro"), "write it as `./docs:/docs:ro`"),
            (":/docs:ro".into(), "write it as `./docs:/docs:ro`"),
            (format!("{docs}:/docs:r"), "write `ro` or `rw`"),
            (format!("{docs}:/docs:ro,governed"), "write `ro` or `rw`"),
            (
                format!("{docs}:/docs:ro,govern,govern"),
                "write `ro` or `rw`",
            ),
            (format!("{docs}:docs:ro"), "cannot be a path of the guest's"),
            (
                format!("{docs}:/a//b:ro"),
                "cannot be a path of the guest's",
            ),
            (
                format!("{docs}:/a/../b:ro"),
                "cannot be a path of the guest's",
            ),
            (format!("{docs}:/a/.:ro"), "cannot be a path of the guest's"),
            (
                format!("{docs}:/a\\b:ro"),
                "cannot be a path of the guest's",
            ),
            (
                format!("{docs}:/a\nb:ro"),
                "cannot be a path of the guest's",
            ),
            (format!("{docs}://:ro"), "cannot be a path of the guest's"),
            (format!("{docs}/none:/docs:ro"), "cannot find the folder"),
            (format!("{file}:/docs:ro"), "is not a folder"),
        ] {
            let error = FileGrant::from_flag(&flag).expect_err(&flag).to_string();
            assert!(error.contains(words), "{flag}: {error}");
            assert!(!error.contains('\n'), "{flag}: {error}");
        }
    }

    #[test]
    fn one_folder_is_no_way_around_another() {
        let (_root, path) = folders();
        let grant = |host: &str, rest: &str| {
            FileGrant::from_flag(&format!("{}:{rest}", path.join(host).display())).unwrap()
        };
        let first = grant("docs", "/docs:rw");
        for (second, allowed) in [
            (grant("docs/sub", "/sub:rw"), true),
            (grant("a:b", "/b:ro"), true),
            (grant("a:b", "/docsub:ro"), true),
            (grant("docs/sub", "/sub:ro"), false),
            (grant("docs/sub", "/sub:rw,govern"), false),
            (grant("", "/all:ro"), false),
            (grant("a:b", "/docs:rw"), false),
            (grant("a:b", "/docs/b:rw"), false),
            (grant("a:b", "/:rw"), false),
        ] {
            assert_eq!(first.conflict(&second).is_none(), allowed, "{second}");
            assert_eq!(second.conflict(&first).is_none(), allowed, "{second}");
        }
    }
}
