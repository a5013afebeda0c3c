//! A toolbox that cannot change behind its operator's back: the components of a configuration or of
//! some folders, each with its grant, held to what `tools.lock` pins.
//!
//! [`Toolbox::load`] makes [`Tools`] of them, in the same order each time. A component that is not what
//! was locked is compiled in its jail to say what changed, and never instantiated. [`Toolbox::watch`]
//! does it again whenever a file comes, goes or is locked.

mod changes;
mod lock;
mod pin;
mod place;
mod tools;
mod watch;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use thoth_egress::Secrets;
use thoth_grants::Config;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use self::changes::Change;
pub use self::lock::{LOCK_NAME, Lock};
pub use self::pin::{Pin, PinnedTool, World};
use self::place::Stamp;
use self::tools::Entry;
pub use self::tools::{Component, Refused, Tools};
pub use self::watch::LOOK_EVERY;
use crate::error::Error;
use crate::inspector::Inspector;
use crate::runtime::Runtime;
use crate::tool::{self, Grant, Limits, Loader, Tool};

/// Where components are found, what each is granted, and the lock that they are held to.
///
/// ```no_run
/// # async fn example(runtime: thoth_host::Runtime) -> Result<(), Box<dyn std::error::Error>> {
/// use thoth_host::{grants::Config, toolbox::Toolbox};
///
/// let config = Config::read("/etc/thoth/thoth.toml".as_ref())?;
/// let toolbox = Toolbox::new(config).lock("/etc/thoth/tools.lock");
/// let tools = toolbox.load(&runtime).await?;
/// for refused in tools.refused() {
///     eprintln!("{}: {}", refused.name, refused.why);
/// }
/// for (definition, _) in tools.iter() {
///     println!("{}", definition.usage());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Toolbox {
    config: Arc<Config>,
    places: Vec<PathBuf>,
    lock: Option<PathBuf>,
    granting: Arc<Granting>,
}

/// Says what the component at a canonical path is granted.
type Granting = dyn Fn(&Path) -> Result<Grant, Error> + Send + Sync;

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Toolbox")
            .field("places", &self.places)
            .field("lock", &self.lock)
            .finish_non_exhaustive()
    }
}

impl Toolbox {
    /// Every component that a configuration names, with what it grants each of them.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let config = Arc::new(config);
        let sources = config.secrets.clone();
        let secrets = (!sources.is_empty()).then(|| Arc::new(Secrets::new(sources)));
        let granted = Arc::clone(&config);
        Self {
            config,
            places: Vec::new(),
            lock: None,
            granting: Arc::new(move |component| {
                let tool = granted.tool(component);
                Ok(tool.map_or_else(Grant::default, |tool| Grant {
                    grants: tool.grants.clone(),
                    limits: Limits::default().with(&tool.limits),
                    keep: tool.keep,
                    secrets: secrets.clone(),
                    prefix: tool.prefix.clone(),
                    annotations: tool.annotations.clone(),
                    private: granted.private(),
                }))
            }),
        }
    }

    /// A component's file, or a folder of them. With at least one place, the configuration says only
    /// what is granted, and no longer which components there are.
    #[must_use]
    pub fn place(mut self, path: impl Into<PathBuf>) -> Self {
        self.places.push(path.into());
        self
    }

    /// Where the lock is. As long as there is no file, nothing is pinned; where there is one, nothing
    /// runs but what it pins.
    #[must_use]
    pub fn lock(mut self, path: impl Into<PathBuf>) -> Self {
        self.lock = Some(path.into());
        self
    }

    /// What each component is granted, by its canonical path, in place of what the configuration says.
    /// It is asked again whenever a component is loaded.
    #[must_use]
    pub fn granting(
        mut self,
        granting: impl Fn(&Path) -> Result<Grant, Error> + Send + Sync + 'static,
    ) -> Self {
        self.granting = Arc::new(granting);
        self
    }

    /// Loads every component. What does not load or is not what was locked is in
    /// [`Tools::refused`] and takes nothing from the others.
    ///
    /// # Errors
    /// The lock is there and cannot be used. A place that is not there is refused like a component.
    pub async fn load(&self, runtime: &Runtime) -> Result<Tools, Error> {
        self.reload(runtime, &Tools::default()).await
    }

    /// As [`Self::load`], to look at them. A component that says itself what it offers is run for that,
    /// once, with the limits of a call.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn inspect(&self, inspector: &Inspector) -> Result<Tools, Error> {
        self.gather(&inspector.0, &Tools::default()).await
    }

    /// Loads what is not as it was `before`, and keeps the rest. Where a component's file is not what
    /// was locked, or was not locked and changed, what was loaded of it goes on being offered for as
    /// long as the lock allows that; a component whose file is gone is not.
    ///
    /// # Errors
    /// As [`Self::load`], and a lock that was there before is not any more.
    pub async fn reload(&self, runtime: &Runtime, before: &Tools) -> Result<Tools, Error> {
        self.gather(&runtime.0.loader, before).await
    }

    async fn gather(&self, loader: &Loader, before: &Tools) -> Result<Tools, Error> {
        let lock = self.read_lock()?.map(Arc::new);
        if let (None, Some(gone)) = (&lock, &before.lock) {
            let why = "it was there and is gone; write it again with `thoth lock`".to_owned();
            let path = gone.path().to_owned();
            return Err(Error::Lock { path, why });
        }
        let same_lock = before.lock == lock;
        let room = Arc::new(Semaphore::new(
            std::thread::available_parallelism().map_or(1, usize::from),
        ));
        let mut entries: Vec<(usize, Entry)> = Vec::new();
        let mut loading = JoinSet::new();
        for (at, found) in self.members().into_iter().enumerate() {
            let (path, name) = match found {
                Ok(member) => member,
                Err((path, why)) => {
                    entries.push((at, Entry::missing(path, why)));
                    continue;
                }
            };
            let was = before.entries.iter().find(|entry| entry.path == path);
            let was = was.cloned();
            let (toolbox, loader, lock) = (self.clone(), loader.clone(), lock.clone());
            let room = Arc::clone(&room);
            loading.spawn(async move {
                let _turn = room.acquire_owned().await;
                let lock = lock.as_deref();
                let entry = toolbox.member(&loader, lock, same_lock, was, path, name);
                (at, entry.await)
            });
        }
        while let Some(loaded) = loading.join_next().await {
            entries.push(loaded.map_err(|stopped| Error::Setting {
                what: "loading".into(),
                why: format!("it was stopped: {stopped}"),
            })?);
        }
        entries.sort_by_key(|(at, _)| *at);
        let entries = entries.into_iter().map(|(_, entry)| entry).collect();
        Ok(Tools::new(entries, lock))
    }

    /// Loads one component, under the lock.
    ///
    /// # Errors
    /// It is not what was locked, or does not load.
    pub async fn component(&self, runtime: &Runtime, path: &Path) -> Result<Tool, Error> {
        let lock = self.read_lock()?;
        let read = |source| Error::Read {
            path: path.into(),
            source,
        };
        let component = path.canonicalize().map_err(read)?;
        let expected = self.expected(lock.as_ref(), None, &component)?;
        let name = path.display().to_string();
        self.checked(&runtime.0.loader, &component, &name, expected)
            .await
    }

    /// The canonical path of each component, with the name that people call it by.
    fn members(&self) -> Vec<Result<(PathBuf, String), (PathBuf, Error)>> {
        let mut found: Vec<Result<PathBuf, (PathBuf, Error)>> = Vec::new();
        if self.places.is_empty() {
            let tools = self.config.tools.iter();
            found.extend(tools.map(|tool| Ok(tool.component.clone())));
        }
        for place in &self.places {
            match place::components(place) {
                Ok(paths) => found.extend(paths.into_iter().map(Ok)),
                Err(why) => found.push(Err((place.clone(), why))),
            }
        }
        let mut members: Vec<Result<(PathBuf, String), _>> = Vec::new();
        for found in found {
            match found {
                Ok(path) if members.iter().flatten().any(|(other, _)| *other == path) => {}
                Ok(path) => {
                    let name = self.name(&path);
                    members.push(Ok((path, name)));
                }
                Err(why) => members.push(Err(why)),
            }
        }
        members
    }

    /// What people call a component: its label in the configuration, else its file's name.
    #[must_use]
    pub fn name(&self, component: &Path) -> String {
        match self.config.tool(component) {
            Some(tool) => tool.label.clone(),
            None => component
                .file_stem()
                .unwrap_or(component.as_os_str())
                .to_string_lossy()
                .into_owned(),
        }
    }

    fn read_lock(&self) -> Result<Option<Lock>, Error> {
        let lock = match &self.lock {
            Some(path) => Lock::read(path)?,
            None => None,
        };
        match (lock, &self.lock) {
            (None, path) if self.config.settings.locked => Err(Error::Lock {
                path: path.clone().unwrap_or_else(|| LOCK_NAME.into()),
                why: "there is none, and the configuration says `locked = true`: run `thoth lock`"
                    .into(),
            }),
            (lock, _) => Ok(lock),
        }
    }

    /// One component, as it was before where nothing changed about it.
    async fn member(
        &self,
        loader: &Loader,
        lock: Option<&Lock>,
        same_lock: bool,
        was: Option<Entry>,
        path: PathBuf,
        name: String,
    ) -> Entry {
        // Before it is read: what is written meanwhile is seen the next time.
        let stamp = Stamp::of(&path);
        let loaded = match was {
            Some(was) if same_lock && stamp.is_some() && was.stamp == stamp => return was,
            was => was.and_then(|was| was.tool),
        };
        let (tool, why) = match self.expected(lock, loaded.as_ref(), &path) {
            Err(why) => (None, Some(why)),
            Ok(expected) => match self.checked(loader, &path, &name, expected).await {
                Ok(tool) => (Some(tool), None),
                Err(why) => {
                    let allowed = loaded.filter(|tool| {
                        let now = Pin::of(tool, "", "");
                        lock.is_none_or(|lock| {
                            lock.pin(&path)
                                .is_some_and(|pin| pin.changes(&now).is_empty())
                        })
                    });
                    (allowed, Some(why))
                }
            },
        };
        Entry {
            name,
            path,
            stamp,
            tool,
            why: why.map(Arc::new),
        }
    }

    /// What a component has to be: what the configuration and the lock say, and where there is no
    /// lock, what was loaded of it before.
    fn expected(
        &self,
        lock: Option<&Lock>,
        loaded: Option<&Tool>,
        component: &Path,
    ) -> Result<Expected, Error> {
        let pin = match (lock, loaded) {
            (Some(lock), _) => Some(lock.expect(component)?.clone()),
            (None, Some(loaded)) => Some(Pin::of(loaded, "", "")),
            (None, None) => None,
        };
        let configured = self.config.tool(component);
        Ok(Expected {
            sha256: configured.and_then(|tool| tool.sha256),
            pin,
        })
    }

    /// Reads a component once, holds those bytes to what is expected, and loads them. What is not
    /// expected is never instantiated.
    async fn checked(
        &self,
        loader: &Loader,
        path: &Path,
        name: &str,
        expected: Expected,
    ) -> Result<Tool, Error> {
        let Expected { sha256, pin } = expected;
        let (loader, path, shown) = (loader.clone(), path.to_owned(), name.to_owned());
        let (granting, pinned) = (Arc::clone(&self.granting), pin.clone());
        let places = self.places.clone();
        let tool = tool::blocking(move || {
            let bytes = tool::read(&path)?;
            let digest: [u8; 32] = Sha256::digest(&bytes).into();
            let is = hex(&digest);
            let mut grant = granting(&path)?;
            // What one tool changed would run as another, and what it put into a folder would be offered.
            for place in places {
                // What a folder has below it is not offered, and may be a tool's.
                grant.private.unchanged(match place.is_dir() {
                    true => place.join("*.wasm"),
                    false => place,
                });
            }
            if let Some(pin) = pinned.filter(|pin| pin.sha256 != is) {
                // To be looked at only. What cannot even be listed changed all the same.
                let nothing = Grant {
                    prefix: grant.prefix,
                    ..Grant::default()
                };
                let now = loader.load(&shown, &bytes, nothing);
                return Err(changed(&shown, &pin, now.as_ref(), is));
            }
            if let Some(expected) = sha256.filter(|expected| *expected != digest) {
                return Err(Error::Digest {
                    name: shown,
                    is,
                    expected: hex(&expected),
                });
            }
            loader.load(&shown, &bytes, grant)
        })
        .await?
        .discover()
        .await?;
        // Its bytes are the same, and yet a provider says at run time what it offers.
        let changes = pin.map(|pin| pin.changes(&Pin::of(&tool, "", "")));
        match changes.filter(|changes| !changes.is_empty()) {
            Some(changes) => Err(Error::Changed {
                name: name.into(),
                changes,
            }),
            None => Ok(tool),
        }
    }
}

/// What a component has to be.
struct Expected {
    sha256: Option<[u8; 32]>,
    pin: Option<Pin>,
}

fn changed(name: &str, pin: &Pin, now: Result<&Tool, &Error>, is: String) -> Error {
    let changes = match now {
        Ok(now) => {
            let mut now_pin = Pin::of(now, "", "");
            if now.is_provider() {
                // Only running it would tell, and it does not run.
                now_pin.tools.clone_from(&pin.tools);
            }
            pin.changes(&now_pin)
        }
        Err(_) => vec![Change::Bytes {
            was: pin.sha256.clone(),
            is,
        }],
    };
    Error::Changed {
        name: name.into(),
        changes,
    }
}

fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
