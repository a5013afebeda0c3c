//! What is not a tool's: files and folders that no grant may show it, and others that none may let it
//! change.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::files::FileGrant;
use crate::secrets::SecretSource;

/// What the kernel shows of processes and of itself: the environment of this one, with its keys, and its
/// memory.
const KERNEL: [&str; 2] = ["/proc", "/sys"];

/// Files and folders that are not a tool's. What the kernel shows under `/proc` and `/sys` is always among
/// them.
#[derive(Debug, Clone, Default)]
pub struct Private {
    unseen: Vec<PathBuf>,
    unchanged: Vec<PathBuf>,
}

/// What a granted folder would give away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// The folder.
    pub folder: PathBuf,
    /// The file or folder that is not the tool's.
    pub path: PathBuf,
    /// Whether it may be seen, and only not be changed: granted read-only, the folder would do.
    pub may_be_seen: bool,
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (folder, path) = (self.folder.display(), self.path.display());
        if self.may_be_seen {
            write!(
                f,
                "the folder `{folder}` can be granted read-only at most: the tool could change `{path}`"
            )
        } else {
            write!(
                f,
                "the folder `{folder}` cannot be granted: it would show `{path}` to the tool"
            )
        }
    }
}

impl Private {
    /// Adds what no tool may see: state, keys.
    pub fn unseen(&mut self, path: impl Into<PathBuf>) {
        self.unseen.push(path.into());
    }

    /// Adds what no tool may change: what decides, what grants, what runs.
    pub fn unchanged(&mut self, path: impl Into<PathBuf>) {
        self.unchanged.push(path.into());
    }

    /// Adds where a secret comes from: a file is not to be seen, a program not to be changed.
    pub fn source(&mut self, source: &SecretSource) {
        match source {
            SecretSource::File(path) => self.unseen(path),
            SecretSource::Command(words) => {
                if let Some(program) = words.first().filter(|program| program.contains('/')) {
                    self.unchanged(program);
                }
            }
        }
    }

    /// The first thing that this folder would give away.
    pub fn exposed_by(&self, folder: &FileGrant) -> Option<Exposed> {
        let exposed = |path: &&Path| folder.exposes(path);
        let kernel = KERNEL
            .map(Path::new)
            .into_iter()
            .filter(|path| path.exists());
        let unseen = self.unseen.iter().map(PathBuf::as_path).chain(kernel);
        let unchanged = self.unchanged.iter().map(PathBuf::as_path);
        let found = |path: &Path, may_be_seen| Exposed {
            folder: folder.host.clone(),
            path: path.into(),
            may_be_seen,
        };
        let seen = unseen.clone().find(exposed).map(|path| found(path, false));
        seen.or_else(|| {
            let mut changed = unchanged.filter(|_| folder.is_writable());
            changed.find(exposed).map(|path| found(path, true))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::Access;

    #[test]
    fn a_folder_shows_no_key_and_lets_nothing_be_changed_that_decides() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for folder in ["keys", "rules", "docs"] {
            fs::create_dir(at(folder)).unwrap();
        }
        let mut private = Private::default();
        private.unseen(at("keys/api"));
        private.unchanged(at("rules/policy.cedar"));
        private.source(&SecretSource::File(at("keys/github")));
        private.source(&SecretSource::Command(vec!["pass".into(), "show".into()]));
        let exposed = |name: &str, access| {
            let folder = FileGrant::new(&at(name), "/g", access, false).unwrap();
            private.exposed_by(&folder).map(|found| found.may_be_seen)
        };
        assert_eq!(exposed("keys", Access::ReadOnly), Some(false));
        assert_eq!(exposed("rules", Access::ReadOnly), None);
        assert_eq!(exposed("rules", Access::ReadWrite), Some(true));
        assert_eq!(exposed("docs", Access::ReadWrite), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_kernel_shows_of_processes_is_never_a_tool_s() {
        for folder in ["/proc", "/proc/self", "/proc/1", "/sys/kernel"] {
            let Ok(folder) = FileGrant::new(Path::new(folder), "/g", Access::ReadOnly, false)
            else {
                continue;
            };
            assert!(Private::default().exposed_by(&folder).is_some());
        }
    }
}
