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
/// once. `Debug` shows names only.
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
pub enum SecretError {
    /// The configuration has none of this name.
    #[error("the configuration has no secret `{0}`")]
    Unknown(SecretName),
    /// The source was not done within ten seconds.
    #[error("the source of the secret was not done within 10 s")]
    Slow,
    /// The file or the command could not be read.
    #[error("cannot read the source of the secret: {0}")]
    Unreadable(String),
    /// Not a regular file: a folder, a device, a pipe.
    #[error("the file of the secret is not a regular file")]
    NotAFile,
    /// Anybody may write to the file.
    #[error("anybody may write to the file of the secret; take the permission away (`chmod o-w`)")]
    Writable,
    /// The command has no program.
    #[error("the command of the secret names no program")]
    NoProgram,
    /// The command ended otherwise than with 0.
    #[error("the command of the secret failed ({0})")]
    Failed(std::process::ExitStatus),
    /// Over 8 KiB.
    #[error("the secret is longer than {MAX_VALUE} bytes; it must fit in a header")]
    TooLong,
    /// Under 8 bytes: too short to be told from other text when it is masked.
    #[error("the secret is shorter than 8 bytes; use a longer one")]
    TooShort,
    /// Spaces, line breaks, control or non-ASCII characters.
    #[error("the secret has spaces, line breaks or non-ASCII characters; remove them")]
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
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| SecretError::Unknown(name.clone()))?;
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
