//! Folders that a tool sees.

use std::path::PathBuf;

/// What may be done in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Read files and list folders; nothing changes, not even a time stamp that a guest sets.
    ReadOnly,
    /// Read, write, create, rename and delete.
    ReadWrite,
}

/// A folder of the host's, under a path of the guest's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGrant {
    /// The folder, absolute.
    pub host: PathBuf,
    /// Where the guest sees it: absolute, normalised, `/docs`.
    pub guest: String,
    /// What may be done there.
    pub access: Access,
    /// Whether the enforcer decides about each file that is opened.
    pub govern: bool,
}
