//! Where components are found: files by name, and folders with whatever `.wasm` files are in them.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The most components that are taken from one folder.
const FOLDER_MAX: usize = 256;

/// The most entries of a folder that are looked at.
const ENTRIES_MAX: usize = 16_384;

/// What tells that a file was not written since, without reading it. Two files may share one only if
/// somebody means them to; what runs is held to a digest, not to this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(path: &Path) -> Option<Self> {
        Some(Self::new(&fs::metadata(path).ok()?))
    }

    fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The components of a place, by their canonical paths: the file itself, or what a folder holds,
/// sorted by name. Hidden files and folders within are left out.
pub(super) fn components(place: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |source: io::Error| Error::Read {
        path: place.into(),
        source,
    };
    let path = place.canonicalize().map_err(fail)?;
    if !fs::metadata(&path).map_err(fail)?.is_dir() {
        return Ok(vec![path]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).map_err(fail)?.take(ENTRIES_MAX) {
        let path = entry.map_err(fail)?.path();
        let is_hidden = path
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden || path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        // A link to nowhere, and a file that went away meanwhile, are not there.
        if let Ok(path) = path.canonicalize()
            && path.is_file()
        {
            found.push(path);
        }
    }
    found.sort();
    found.dedup();
    if found.len() > FOLDER_MAX {
        return Err(fail(io::Error::other(format!(
            "it holds more than {FOLDER_MAX} components"
        ))));
    }
    Ok(found)
}
