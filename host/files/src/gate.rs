//! Who decides about a file before it is opened.

use std::pin::Pin;

/// What a guest is about to do in a governed folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The file or folder as the guest sees it: absolute, normalised, `/docs/a.md`. At most 4 KiB below
    /// the folder's own path.
    pub guest_path: String,
    /// What it is opened for.
    pub mode: Mode,
    /// Whether it may come into being: a new file, folder or link, or the new name of a rename.
    pub create: bool,
    /// Whether its content is thrown away.
    pub truncate: bool,
}

/// What something is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Read a file, or list a folder.
    Read,
    /// Change it, and perhaps read it too: write, delete, link, set times. A rename is two of these,
    /// for the old name and for the new one.
    Write,
}

/// Decides about what a call opens in a governed folder.
pub trait Gate: Send + Sync {
    /// Answers before the opening takes place, after every local rule has let it through. `Err` is why
    /// not, for the operator: the guest is told `access` and nothing else.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the call ends; nothing has been opened then.
    fn open(&self, opening: Opening) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
}
