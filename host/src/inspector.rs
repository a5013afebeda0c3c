//! Loading a component to look at it, without a policy, a log or a call.

use std::path::Path;
use std::sync::Arc;

use thoth_engine::Jail;
use thoth_grants::Private;
use tokio::sync::Semaphore;

use crate::builder;
use crate::error::Error;
use crate::tool::{self, Grant, Loader, Tool};

/// Reads what a component offers and imports. It cannot call anything.
pub struct Inspector(pub(crate) Loader);

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector").finish_non_exhaustive()
    }
}

impl Inspector {
    /// Starts an engine. Compiled code is kept in `cache`, if one is named: see
    /// [`Builder::cache_dir`](crate::Builder::cache_dir).
    ///
    /// # Errors
    /// WebAssembly cannot run here.
    pub fn new(jail: Jail, cache: Option<&Path>) -> Result<Self, Error> {
        let engine = thoth_engine::engine()?;
        Ok(Self(Loader {
            linker: Arc::new(tool::linker(&engine).map_err(Error::Linker)?),
            compiler: builder::compiler(&engine, jail, cache),
            engine,
            ca_file: None,
            enforcer: None,
            private: Private::default(),
            slots: Arc::new(Semaphore::new(0)),
        }))
    }

    /// Loads a component from a file. Nothing of it is instantiated.
    ///
    /// # Errors
    /// As [`Runtime::load`](crate::Runtime::load).
    pub async fn load(&self, path: impl AsRef<Path>) -> Result<Tool, Error> {
        let path = path.as_ref().to_owned();
        let loader = self.0.clone();
        tool::blocking(move || {
            loader.load(
                &path.display().to_string(),
                &tool::read(&path)?,
                Grant::default(),
            )
        })
        .await
    }
}
