//! Whether a folder gives a tool what is not the tool's: our own state, keys, and what grants things.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files::{Access, FileGrant};

impl FileGrant {
    /// Whether a guest with this folder would reach the file or folder `private`, or see something
    /// from inside of it. What does not exist yet is judged by where it would come to stand.
    ///
    /// Paths are compared once links are resolved, and folders by device and inode as well: a bind
    /// mount is another name of a folder. Hard links of a file are not found here, but when one is opened.
    pub fn exposes(&self, private: &Path) -> bool {
        let Some(private) = resolved(private) else {
            // Where it is cannot be said, so it may be there.
            return true;
        };
        private.starts_with(&self.host)
            || self.host.starts_with(&private)
            || is_ancestor(&self.host, &private)
            || is_ancestor(&private, &self.host)
    }

    pub(crate) fn is_writable(&self) -> bool {
        match self.access {
            Access::ReadOnly => false,
            Access::ReadWrite => true,
        }
    }
}

/// The path without links, also if its last parts do not exist.
fn resolved(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    path.ancestors().find_map(|ancestor| {
        let real = ancestor.canonicalize().ok()?;
        Some(real.join(path.strip_prefix(ancestor).ok()?))
    })
}

/// Whether `folder` is one of the folders above `path`, or is it, under whatever name.
fn is_ancestor(folder: &Path, path: &Path) -> bool {
    identity(folder).is_some_and(|folder| {
        path.ancestors()
            .any(|ancestor| identity(ancestor) == Some(folder))
    })
}

#[cfg(unix)]
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| identity_of(&found))
}

/// Device and inode: one file or folder, whatever its name.
#[cfg(unix)]
pub(crate) fn identity_of(found: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    fs::canonicalize(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_exposes_what_is_in_it_and_what_it_is_in() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("state/deep")).unwrap();
        fs::create_dir_all(at("docs")).unwrap();
        fs::write(at("state/key"), "").unwrap();
        let grant = |name: &str| FileGrant::new(&at(name), "/g", Access::ReadOnly, false).unwrap();
        for (folder, private, exposed) in [
            ("state", "state", true),
            ("state", "state/key", true),
            ("state", "state/new/db", true),
            ("state/deep", "state", true),
            ("", "state", true),
            ("", "new/state", true),
            ("docs", "docs/../state", false),
            ("docs", "state/../docs", true),
            ("docs", "state", false),
            ("docs", "docs2", false),
            ("state/deep", "state/key", false),
        ] {
            let found = grant(folder).exposes(&at(private));
            assert_eq!(found, exposed, "{folder} {private}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_what_it_leads_to() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("state")).unwrap();
        std::os::unix::fs::symlink("state", at("link")).unwrap();
        let link = FileGrant::new(&at("link"), "/g", Access::ReadOnly, false).unwrap();
        assert!(link.exposes(&at("state/db")));
        let state = FileGrant::new(&at("state"), "/g", Access::ReadOnly, false).unwrap();
        assert!(state.exposes(&at("link/db")));
    }
}
