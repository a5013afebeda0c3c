//! Where components are found: files by name, and folders with whatever `.wasm` files are in them.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The most components that are taken from one folder.
const FOLDER_MAX: usize = 256;

/// The most entries of a folder, whatever they are.
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
    let too_many = |what: &str| fail(io::Error::other(format!("it holds more than {what}")));
    for (nth, entry) in fs::read_dir(&path).map_err(fail)?.enumerate() {
        if nth >= ENTRIES_MAX {
            // Which of them would be left out is nobody's choice.
            return Err(too_many(&format!("{ENTRIES_MAX} entries")));
        }
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
        return Err(too_many(&format!("{FOLDER_MAX} components")));
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_too_much_is_an_error_and_not_a_part_of_itself() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("0.txt");
        fs::write(&first, "").unwrap();
        let link = |name: String| fs::hard_link(&first, folder.path().join(name)).unwrap();
        (1..ENTRIES_MAX).for_each(|number| link(format!("{number}.txt")));
        assert_eq!(components(folder.path()).unwrap(), Vec::<PathBuf>::new());
        link("a.wasm".into());
        let why = components(folder.path()).unwrap_err().to_string();
        assert!(why.contains("more than 16384 entries"), "{why}");
    }
}
