//! Signs the end of the chain now and then, with the key of this installation.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustix::fs::OFlags;

use crate::chain::Head;
use crate::checkpoint::{Checkpoint, hex};
use crate::error::{AppendError, OpenError};
use crate::ledger::millis;

/// Records after which a checkpoint is signed.
pub const CHECKPOINT_EVERY: u64 = 1024;

/// Bytes of the key's file: the seed of RFC 8032.
const SEED: usize = 32;

pub(crate) struct Signer {
    key: Ed25519KeyPair,
    log: [u8; 16],
    checkpoints: PathBuf,
    /// What this process appended last, unless it is signed.
    unsigned: Option<Head>,
    /// The index at which the next checkpoint is due.
    due: Option<u64>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// Takes the key beside the log, and makes one if there is none.
    pub(crate) fn open(path: &Path, log: [u8; 16]) -> Result<Self, OpenError> {
        let file = key_path(path);
        let failed = |why: String| OpenError::Key {
            path: file.clone(),
            why,
        };
        let seed = read_key(&file)
            .and_then(|seed| match seed {
                Some(seed) => Ok(seed),
                None => make_key(&file),
            })
            .map_err(|error| failed(error.to_string()))?;
        let key = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            key,
            log,
            checkpoints: checkpoints_path(path),
            unsigned: None,
            due: None,
        })
    }

    pub(crate) fn log(&self) -> &[u8; 16] {
        &self.log
    }

    /// To be called when something was committed.
    pub(crate) fn appended(&mut self, head: Head) {
        self.unsigned = Some(head);
        self.due.get_or_insert_with(|| next_due(head.index));
    }

    pub(crate) fn sign_if_due(&mut self) {
        if let (Some(head), Some(due)) = (self.unsigned, self.due)
            && head.index >= due
        {
            // If it fails the next one covers the same records.
            let _ = self.sign();
            self.due = Some(next_due(head.index));
        }
    }

    /// Signs what was appended last.
    pub(crate) fn sign(&mut self) -> Result<(), AppendError> {
        let Some(head) = self.unsigned else {
            return Ok(());
        };
        let at = u64::try_from(millis()).unwrap_or(0);
        let checkpoint = Checkpoint::sign(&self.key, &self.log, head, at);
        serde_json::to_string(&checkpoint)
            .map_err(io::Error::from)
            .and_then(|line| write(&self.checkpoints, &line))
            .map_err(|error| {
                let path = self.checkpoints.display();
                AppendError::Unavailable(format!("no checkpoint can be added to `{path}`: {error}"))
            })?;
        self.unsigned = None;
        Ok(())
    }
}

fn next_due(index: u64) -> u64 {
    (index / CHECKPOINT_EVERY)
        .saturating_add(1)
        .saturating_mul(CHECKPOINT_EVERY)
}

/// The file of the key that signs checkpoints of the log at `path`.
pub(crate) fn key_path(path: &Path) -> PathBuf {
    beside(path, ".key")
}

/// The file that the checkpoints of the log at `path` are added to, one line each.
#[must_use]
pub fn checkpoints_path(path: &Path) -> PathBuf {
    beside(path, ".checkpoints")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The public key that signs checkpoints of the log at `path`, in hex; none where there is no key.
///
/// # Errors
/// The key cannot be read, or others can.
pub fn public_key(path: &Path) -> io::Result<Option<String>> {
    let Some(seed) = read_key(&key_path(path))? else {
        return Ok(None);
    };
    let key = Ed25519KeyPair::from_seed_unchecked(&seed)
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Some(hex(key.public_key().as_ref())))
}

fn read_key(path: &Path) -> io::Result<Option<[u8; SEED]>> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(no_follow)
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() != SEED as u64 {
        return Err(io::Error::other(
            "it is not a key; move it away to make a new one",
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(io::Error::other(
            "other users can read it; move it away to make a new one",
        ));
    }
    let mut seed = [0; SEED];
    file.read_exact(&mut seed)?;
    Ok(Some(seed))
}

/// Makes a key, unless another process just did.
fn make_key(path: &Path) -> io::Result<[u8; SEED]> {
    let mut seed = [0; SEED];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|error| io::Error::other(error.to_string()))?;
    // Whole or not at all: the file gets its name when it is written.
    let unfinished = beside(path, &format!(".{:016x}", fastrand::u64(..)));
    let made = create(&unfinished)
        .and_then(|mut file| {
            file.write_all(&seed)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::hard_link(&unfinished, path));
    let _ = std::fs::remove_file(&unfinished);
    match made {
        Ok(()) => Ok(seed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read_key(path)?.ok_or_else(|| io::Error::other("it changes while it is read"))
        }
        Err(error) => Err(error),
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Adds a line. It begins with a line feed as well, so that what a full disk cut off does not spoil it.
fn write(path: &Path, line: &str) -> io::Result<()> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(no_follow)
        .open(path)?;
    let before = file.metadata()?.len();
    let line = format!("\n{line}\n");
    let written = file.write(line.as_bytes())?;
    if written == line.len() {
        return Ok(());
    }
    file.set_len(before)?;
    Err(io::ErrorKind::StorageFull.into())
}
