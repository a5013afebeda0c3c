//! The folders that a tool is granted, opened.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use thoth_grants::{Access, FileGrant, Private};
use wasmtime_wasi::filesystem::Dir;
use wasmtime_wasi::{FsPerms, OpenMode};

use crate::walk;

/// The folders of one tool, each open since the tool was loaded. Clones share them.
#[derive(Clone, Default)]
pub struct Folders {
    all: Arc<[Folder]>,
    private: Arc<Private>,
}

pub(crate) struct Folder {
    pub(crate) dir: Dir,
    pub(crate) guest: String,
    pub(crate) access: Access,
    pub(crate) govern: bool,
}

/// A folder that is granted and cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open the granted folder `{}` as it was named (each part of the path must be a folder and \
     no symbolic link): load the tool again",
    path.display()
)]
pub struct Unopened {
    path: PathBuf,
    source: io::Error,
}

impl Folders {
    /// Opens each folder at the path of its grant. `private` is what no file in them may turn out to be
    /// when it is opened; the folders themselves are checked where they are granted. A part of a path that
    /// has become a symbolic link since the grant was read is not followed. Blocks for some system calls a
    /// folder.
    ///
    /// # Errors
    ///
    /// [`Unopened`] names the folder.
    pub fn open(grants: &[FileGrant], private: Arc<Private>) -> Result<Self, Unopened> {
        let open = |grant: &FileGrant| {
            let dir = open(&grant.host).map_err(|source| Unopened {
                path: grant.host.clone(),
                source,
            })?;
            Ok(Folder {
                dir: confined(dir, grant.access),
                guest: grant.guest.clone(),
                access: grant.access,
                govern: grant.govern,
            })
        };
        let all = grants.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { all, private })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Folder> {
        self.all.iter()
    }

    /// What is not the tool's, though a folder may have it under some name.
    pub(crate) fn private(&self) -> Arc<Private> {
        Arc::clone(&self.private)
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Folder> {
        self.all.get(at)
    }
}

/// A folder in which wasmtime-wasi holds to the access as well.
pub(crate) fn confined(dir: File, access: Access) -> Dir {
    let (permissions, mode) = match access {
        Access::ReadOnly => (FsPerms::ReadOnly, OpenMode::READ),
        Access::ReadWrite => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
    };
    // Never on this thread: a slow disk would hold up every other call.
    Dir::new(dir, permissions, mode, false)
}

fn open(path: &Path) -> io::Result<File> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir => {}
            Component::Normal(name) => names.push(name),
            Component::Prefix(_) | Component::CurDir | Component::ParentDir => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
    }
    if !path.is_absolute() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    walk::from_root(names.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn grant(host: &Path) -> FileGrant {
        FileGrant {
            host: host.to_owned(),
            guest: "/docs".into(),
            access: Access::ReadOnly,
            govern: false,
        }
    }

    #[test]
    fn a_folder_that_became_a_link_is_not_opened() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        Folders::open(&[grant(&root.join("a/b"))], Arc::default()).unwrap();
        fs::rename(root.join("a"), root.join("c")).unwrap();
        symlink("c", root.join("a")).unwrap();
        for path in ["a", "a/b", "c/none"] {
            let error = Folders::open(&[grant(&root.join(path))], Arc::default())
                .err()
                .unwrap();
            assert!(error.to_string().contains(path), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_path_from_the_current_folder_is_not_opened() {
        for path in [".", "src", "/../etc", ""] {
            assert!(
                Folders::open(&[grant(Path::new(path))], Arc::default()).is_err(),
                "{path}"
            );
        }
    }
}
