//! Who decides about a file before it is opened.

use std::pin::Pin;

/// What a guest is about to do in a granted folder.
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
    /// Whether the folder's grant says that each file is decided about. Where it does not, the path is
    /// as the guest wrote it and may lead through a link.
    pub governed: bool,
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

/// Decides about what a call opens in a governed folder, and hears of what it opens in another one.
pub trait Gate: Send + Sync {
    /// Answers before the opening takes place, after every local rule has let it through. `Err` is why
    /// not, for the operator: the guest is told `access` and nothing else.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the call ends; nothing has been opened then.
    fn open(&self, opening: Opening) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

    /// Hears of what the grant itself does not let through: a change in a read-only folder, a path out
    /// of it.
    fn refused(&self, opening: Opening) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}
