//! What is not a tool's: files and folders that no grant may show it, and others that none may let it
//! change.

use std::fmt;
#[cfg(unix)]
use std::fs::{self, Metadata};
#[cfg(unix)]
use std::io::ErrorKind;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use crate::exposure::{identity, identity_of};
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

    /// Adds where a secret comes from: a file is not to be seen; a program, and whatever file it is told of,
    /// as a script, is not to be changed.
    pub fn source(&mut self, source: &SecretSource) {
        match source {
            SecretSource::File(path) => self.unseen(path),
            SecretSource::Command(words) => {
                // `--config=/etc/vault` names a file as well.
                let values = words.iter().filter_map(|word| word.split_once('='));
                let named = values.map(|(_, value)| value);
                let named = words.iter().map(String::as_str).chain(named);
                for path in named.filter(|word| word.contains('/')) {
                    self.unchanged(path);
                }
            }
        }
    }

    /// Adds all of another one's.
    pub fn merge(&mut self, other: &Self) {
        self.unseen.extend_from_slice(&other.unseen);
        self.unchanged.extend_from_slice(&other.unchanged);
    }

    /// Whether an open file or folder is one of these under another name, as a hard link or mounted in a
    /// granted folder, or a hard link of a file in one of them. Blocks: a system call for each, and for a
    /// file with more names than one, a look at all files of the private folders.
    #[cfg(unix)]
    pub fn is_given_away_by(&self, opened: &Metadata, writable: bool) -> bool {
        let is = |path: &PathBuf| identity(path) == Some(identity_of(opened));
        if self.unseen.iter().any(is) || (writable && self.unchanged.iter().any(is)) {
            return true;
        }
        // What is in a private folder has no path here. Only a file with a second name can be of there.
        let has_names = opened.is_file() && opened.nlink() > 1;
        let mut looked_at = 0;
        has_names && (self.unseen.iter()).any(|folder| holds(folder, opened, &mut looked_at))
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

/// The most files of private folders that are looked at for one that is opened.
#[cfg(unix)]
const LOOKED_AT_MAX: usize = 10_000;

/// Whether a file is in this folder, or in one below it, as far as that can be said.
#[cfg(unix)]
fn holds(folder: &Path, file: &Metadata, looked_at: &mut usize) -> bool {
    let mut entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // What is no folder was compared already. Of any other it cannot be said, so it may be there.
        Err(error) => {
            return !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
        }
    };
    entries.any(|entry| {
        *looked_at += 1;
        // So many that it cannot be said: then it may be there.
        *looked_at > LOOKED_AT_MAX
            || match entry.and_then(|entry| Ok((entry.metadata()?, entry.path()))) {
                Ok((found, path)) if found.is_dir() => holds(&path, file, looked_at),
                Ok((found, _)) => identity_of(&found) == identity_of(file),
                // What is gone by now is not the one that is open.
                Err(error) => error.kind() != ErrorKind::NotFound,
            }
    })
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
        for folder in ["keys", "rules", "docs", "scripts", "vault"] {
            fs::create_dir(at(folder)).unwrap();
        }
        let mut private = Private::default();
        private.unseen(at("keys/api"));
        private.unchanged(at("rules/policy.cedar"));
        private.source(&SecretSource::File(at("keys/github")));
        private.source(&SecretSource::Command(vec!["pass".into(), "show".into()]));
        let path = |name: &str| at(name).display().to_string();
        private.source(&SecretSource::Command(vec![
            "/bin/sh".into(),
            path("scripts/get.sh"),
            format!("--config={}", path("vault/config")),
        ]));
        let exposed = |name: &str, access| {
            let folder = FileGrant::new(&at(name), "/g", access, false).unwrap();
            private.exposed_by(&folder).map(|found| found.may_be_seen)
        };
        assert_eq!(exposed("keys", Access::ReadOnly), Some(false));
        assert_eq!(exposed("rules", Access::ReadOnly), None);
        for folder in ["rules", "scripts", "vault"] {
            assert_eq!(exposed(folder, Access::ReadWrite), Some(true), "{folder}");
            assert_eq!(exposed(folder, Access::ReadOnly), None, "{folder}");
        }
        assert_eq!(exposed("docs", Access::ReadWrite), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_known_by_any_name() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("state/deep")).unwrap();
        fs::create_dir(at("docs")).unwrap();
        for file in [
            "key",
            "policy",
            "state/events.db",
            "state/deep/hold",
            "docs/a",
        ] {
            fs::write(at(file), file).unwrap();
        }
        for (file, name) in [
            ("key", "docs/key"),
            ("policy", "docs/policy"),
            ("state/events.db", "docs/events"),
            ("state/deep/hold", "docs/hold"),
            ("docs/a", "docs/b"),
        ] {
            fs::hard_link(at(file), at(name)).unwrap();
        }
        let mut private = Private::default();
        private.unseen(at("key"));
        private.unseen(at("not-there-yet"));
        private.unchanged(at("policy"));
        let mut all = Private::default();
        all.unseen(at("state"));
        all.merge(&private);
        let given = |name: &str, writable| {
            let opened = fs::metadata(at(name)).unwrap();
            all.is_given_away_by(&opened, writable)
        };
        for name in [
            "docs/key",
            "docs/events",
            "docs/hold",
            "state",
            "state/events.db",
        ] {
            assert!(given(name, false), "{name}");
        }
        assert!(given("docs/policy", true));
        for name in ["docs/policy", "docs/a", "docs/b", "docs"] {
            assert!(!given(name, false), "{name}");
        }
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
