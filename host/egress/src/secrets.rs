//! Secrets by name: where they come from, and the one place that holds them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;
use thoth_grants::{SecretName, SecretSource};
use tokio::sync::OnceCell;

use crate::mask::Mask;

mod command;
mod file;
mod value;

use value::MAX_VALUE;
pub(crate) use value::Value;

/// How long reading a secret may take.
const READ_TIME: Duration = Duration::from_secs(10);

/// The secrets of a configuration, for the life of a process. Each is read when it is first used, and
/// once; reading ends after ten seconds.
///
/// A value is 8 bytes to 8 KiB of visible ASCII, without its last line ending. A file must be a regular
/// one that not everybody may write to. A command runs without a shell, in a process group of its own,
/// with little more of the environment than `HOME` and `PATH`. `Debug` shows names only.
pub struct Secrets {
    entries: BTreeMap<SecretName, Entry>,
    mask: RwLock<Arc<Mask>>,
}

struct Entry {
    source: SecretSource,
    value: OnceCell<Arc<Value>>,
}

/// Why there is no value for a secret. Never shows one.
#[derive(Debug, Error)]
pub(crate) enum SecretError {
    #[error("the configuration has none of this name")]
    Unknown,
    #[error("its source was not done within 10 s")]
    Slow,
    #[error("its source cannot be read ({0})")]
    Unreadable(String),
    #[error("its file is not a regular file")]
    NotAFile,
    #[error("anybody may write to its file; take the permission away (`chmod o-w`)")]
    Writable,
    #[error("its command names no program")]
    NoProgram,
    #[error("its command failed ({0})")]
    Failed(std::process::ExitStatus),
    #[error("it is longer than {MAX_VALUE} bytes; it must fit in a header")]
    TooLong,
    // Too short to be told from other text when it is masked.
    #[error("it is shorter than 8 bytes; use a longer one")]
    TooShort,
    #[error("it has spaces, line breaks or non-ASCII characters; remove them")]
    NotVisible,
}

impl Secrets {
    /// The secrets of these sources; none is read yet.
    pub fn new(sources: impl IntoIterator<Item = (SecretName, SecretSource)>) -> Self {
        let entry = |source| Entry {
            source,
            value: OnceCell::new(),
        };
        Self {
            entries: sources
                .into_iter()
                .map(|(name, source)| (name, entry(source)))
                .collect(),
            mask: RwLock::default(),
        }
    }

    /// The bytes with `[secret:NAME]` in place of every secret that was used so far, and whether there
    /// was one. It finds a secret as it is, in base64 or hexadecimal, percent-encoded or escaped as in
    /// JSON.
    ///
    /// Give it whole texts: a secret that is cut in two is not found. It is there for accidents, an
    /// echo or a quote; who holds a secret and wants to pass it on can write it in other ways.
    pub fn mask<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, [u8]>, bool) {
        let masked = self.current().apply(bytes);
        let hit = matches!(masked, Cow::Owned(_));
        (masked, hit)
    }

    pub(crate) fn current(&self) -> Arc<Mask> {
        Arc::clone(&self.mask.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The value of a secret; read now if this is its first use.
    pub(crate) async fn value(&self, name: &SecretName) -> Result<Arc<Value>, SecretError> {
        let entry = self.entries.get(name).ok_or(SecretError::Unknown)?;
        let value = entry
            .value
            .get_or_try_init(|| async {
                let read = async {
                    match &entry.source {
                        SecretSource::File(path) => file::read(path.clone()).await,
                        SecretSource::Command(command) => command::run(command).await,
                    }
                };
                let bytes = tokio::time::timeout(READ_TIME, read)
                    .await
                    .unwrap_or(Err(SecretError::Slow))?;
                let value = Arc::new(Value::new(bytes)?);
                // INVARIANT: a value is masked before anybody can use it.
                self.add_to_mask(name, &value)?;
                Ok::<_, SecretError>(value)
            })
            .await?;
        Ok(Arc::clone(value))
    }

    fn add_to_mask(&self, name: &SecretName, value: &Arc<Value>) -> Result<(), SecretError> {
        let mut mask = self.mask.write().unwrap_or_else(PoisonError::into_inner);
        *mask = Arc::new(mask.with(name, value).map_err(|_| SecretError::TooLong)?);
        Ok(())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}
