//! `tools.lock`: which components may run, as they were when somebody took them.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::pin::Pin;
use crate::error::Error;
use crate::tool::inert;

/// The name that a lock has beside its `thoth.toml`.
pub const LOCK_NAME: &str = "tools.lock";

/// The largest lock, in bytes.
const LOCK_MAX: u64 = 16 << 20;

/// The most components of one lock.
const PINS_MAX: usize = 1_024;

/// The format that is written and read.
const VERSION: u32 = 1;

/// What a `tools.lock` says. Where there is one, nothing runs but what it pins.
///
/// It is JSON, sorted by path and written the same way each time, so that a change is readable in a
/// review: the words and schemas that a model is told are in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    path: PathBuf,
    pins: Vec<Pin>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    components: Vec<Pin>,
}

/// Only to be told of another format before it is read.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Lock {
    /// A lock that pins nothing yet, to be kept at this path.
    ///
    /// # Errors
    /// The folder is not there.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let fail = |source: io::Error| unusable(path, &source);
        // Paths in it are relative to its folder: by its true name, for so are the components'.
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let name = path.file_name().unwrap_or(LOCK_NAME.as_ref());
        Ok(Self {
            path: folder.canonicalize().map_err(fail)?.join(name),
            pins: Vec::new(),
        })
    }

    /// Reads a lock. `None` where there is no file; everything else that is not a lock is an error.
    ///
    /// # Errors
    /// It cannot be read, everyone can write it, or it is not what [`Lock::save`] writes.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        let fail = |why: &dyn std::fmt::Display| unusable(path, why);
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(&error)),
        };
        // Before it is opened, for to open a pipe is to wait.
        check(&metadata).map_err(|why| fail(&why))?;
        let file = File::open(path).map_err(|error| fail(&error))?;
        check(&file.metadata().map_err(|error| fail(&error))?).map_err(|why| fail(&why))?;
        let mut text = String::new();
        file.take(LOCK_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| fail(&error))?;
        if text.len() as u64 > LOCK_MAX {
            return Err(fail(&format!("it is larger than {} MiB", LOCK_MAX >> 20)));
        }
        let broken = |error: serde_json::Error| {
            fail(&format!(
                "{}; remove it and run `thoth lock`",
                inert(&error.to_string(), 200)
            ))
        };
        let Version { version } = serde_json::from_str(&text).map_err(broken)?;
        if version != VERSION {
            let why = format!(
                "it is of version {version}, and {VERSION} is known here; remove it and run `thoth lock`"
            );
            return Err(fail(&why));
        }
        let document: Document = serde_json::from_str(&text).map_err(broken)?;
        let mut lock = Self::new(path)?;
        if document.components.len() > PINS_MAX {
            return Err(fail(&format!("it pins more than {PINS_MAX} components")));
        }
        for pin in document.components {
            let file = lock.resolve(&pin);
            if lock.pin(&file).is_some() {
                let path = inert(&pin.path, 160);
                return Err(fail(&format!(
                    "it pins `{path}` twice; remove it and run `thoth lock`"
                )));
            }
            lock.pins.push(pin);
        }
        Ok(Some(lock))
    }

    /// Where it is kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it pins, by path.
    #[must_use]
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// What it says of a component. The path must be canonical: two names of a file are one component.
    #[must_use]
    pub fn pin(&self, component: &Path) -> Option<&Pin> {
        self.pins.iter().find(|pin| self.resolve(pin) == component)
    }

    /// What it says of a component that is to run.
    ///
    /// # Errors
    /// [`Error::NotLocked`].
    pub fn expect(&self, component: &Path) -> Result<&Pin, Error> {
        self.pin(component).ok_or_else(|| Error::NotLocked {
            path: component.into(),
            lock: self.path.clone(),
        })
    }

    /// The file that a pin is about.
    #[must_use]
    pub fn resolve(&self, pin: &Pin) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        folder.join(&pin.path)
    }

    /// How a component's canonical path is written in this lock. `None` where it is not UTF-8.
    #[must_use]
    pub fn relative<'a>(&self, component: &'a Path) -> Option<&'a str> {
        let folder = self.path.parent()?;
        component.strip_prefix(folder).unwrap_or(component).to_str()
    }

    /// Pins a component, in the place of what was pinned of that file.
    ///
    /// # Errors
    /// There are too many.
    pub fn set(&mut self, pin: Pin) -> Result<(), Error> {
        self.pins.retain(|other| other.path != pin.path);
        if self.pins.len() >= PINS_MAX {
            return Err(unusable(
                &self.path,
                &format!("more than {PINS_MAX} components"),
            ));
        }
        self.pins.push(pin);
        self.pins.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(())
    }

    /// Pins a file no longer.
    pub fn remove(&mut self, path: &str) {
        self.pins.retain(|pin| pin.path != path);
    }

    /// The text of the file.
    ///
    /// # Errors
    /// It is larger than what is read again.
    pub fn to_text(&self) -> Result<String, Error> {
        let document = Document {
            version: VERSION,
            components: self.pins.clone(),
        };
        let mut text = serde_json::to_string_pretty(&document)
            .map_err(|error| unusable(&self.path, &error))?;
        text.push('\n');
        if text.len() as u64 > LOCK_MAX {
            let why = format!("it would be larger than {} MiB", LOCK_MAX >> 20);
            return Err(unusable(&self.path, &why));
        }
        Ok(text)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self) -> Result<(), Error> {
        use std::os::unix::fs::PermissionsExt as _;
        let text = self.to_text()?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let write = || {
            let mut file = tempfile::Builder::new()
                .permissions(fs::Permissions::from_mode(0o644))
                .tempfile_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&self.path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|error: io::Error| unusable(&self.path, &error))
    }
}

fn check(metadata: &fs::Metadata) -> Result<(), &'static str> {
    use std::os::unix::fs::PermissionsExt as _;
    if !metadata.is_file() {
        return Err("it is not a regular file");
    }
    if metadata.permissions().mode() & 0o002 != 0 {
        return Err("everyone can write it: run `chmod o-w` on it, and see what it pins");
    }
    Ok(())
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Lock {
        path: path.into(),
        why: why.to_string(),
    }
}
