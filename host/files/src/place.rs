//! Where an operation takes place: what local rules and the gate say of a path, and the way to it.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorType, ErrorCode, HostDescriptor as _, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};

use crate::budgets::NAME_BYTES;
use crate::ctx::{Files, FolderHandle};
use crate::folders::confined;
use crate::gate::{Mode, Opening};
use crate::path::{guest_path, names_below, well_formed};
use crate::walk;

/// An open folder, and a path from there that wasmtime-wasi resolves.
pub(crate) struct Place {
    folder: Resource<Descriptor>,
    path: String,
    /// Whether the folder was opened for this one operation. The path is one name then.
    walked: bool,
}

impl Place {
    pub(crate) fn folder(&self) -> Resource<Descriptor> {
        Resource::new_borrow(self.folder.rep())
    }

    pub(crate) fn path(&self) -> String {
        self.path.clone()
    }
}

/// What an operation is for, as a gate is told.
#[derive(Clone, Copy)]
pub(crate) struct Intent {
    pub(crate) mode: Mode,
    pub(crate) create: bool,
    pub(crate) truncate: bool,
}

impl Intent {
    /// Takes a name away, or changes what it names.
    pub(crate) const CHANGE: Self = Self {
        mode: Mode::Write,
        create: false,
        truncate: false,
    };
    /// Makes a name.
    pub(crate) const CREATE: Self = Self {
        mode: Mode::Write,
        create: true,
        truncate: false,
    };
    /// Looks into a folder.
    pub(crate) const LIST: Self = Self {
        mode: Mode::Read,
        create: false,
        truncate: false,
    };
}

impl Files<'_> {
    /// Whether the path may be changed in this way: by the folder's access, its form, and the gate.
    pub(crate) async fn may_change(
        &mut self,
        fd: &Resource<Descriptor>,
        path: &str,
        intent: Intent,
    ) -> FsResult<()> {
        let folder = self.folder(fd)?;
        let changeable = self.changeable(fd).map(|_| ());
        let allowed = changeable.and_then(|()| Ok(well_formed(path)?));
        self.unless_refused(&folder, path, intent, allowed).await?;
        self.ask(&folder, path, intent).await
    }

    /// Tells the gate of what the grant does not let through.
    pub(crate) async fn unless_refused<T>(
        &mut self,
        folder: &FolderHandle,
        path: &str,
        intent: Intent,
        allowed: FsResult<T>,
    ) -> FsResult<T> {
        if allowed.is_err() {
            let granted = self.granted(folder.at)?;
            let guest_path = names_below(&folder.names, path).map_or_else(
                |_| as_written(&granted.guest, path),
                |names| guest_path(&granted.guest, &names),
            );
            let refused = Opening {
                guest_path,
                mode: intent.mode,
                create: intent.create,
                truncate: intent.truncate,
                governed: granted.govern,
            };
            Arc::clone(&self.ctx.gate).refused(refused).await;
        }
        allowed
    }

    /// As [`may_change`](Self::may_change) for two paths of one granted folder. Two granted folders
    /// are as two disks: neither's rights are the other's.
    pub(crate) async fn may_change_both(
        &mut self,
        old: (&Resource<Descriptor>, &str),
        new: (&Resource<Descriptor>, &str),
    ) -> FsResult<()> {
        self.changeable(old.0)?;
        self.changeable(new.0)?;
        if self.folder(old.0)?.at != self.folder(new.0)?.at {
            return Err(ErrorCode::CrossDevice.into());
        }
        well_formed(new.1)?;
        self.may_change(old.0, old.1, Intent::CHANGE).await?;
        self.may_change(new.0, new.1, Intent::CREATE).await
    }

    /// Asks the gate if the folder is governed, and tells it otherwise.
    pub(crate) async fn ask(
        &mut self,
        folder: &FolderHandle,
        path: &str,
        intent: Intent,
    ) -> FsResult<()> {
        let granted = self.granted(folder.at)?;
        let governed = granted.govern;
        let guest_path = match names_below(&folder.names, path) {
            Ok(names) => guest_path(&granted.guest, &names),
            // Nothing hangs on its form then.
            Err(_) if !governed => as_written(&granted.guest, path),
            Err(error) => return Err(error.into()),
        };
        let opening = Opening {
            guest_path,
            mode: intent.mode,
            create: intent.create,
            truncate: intent.truncate,
            governed,
        };
        let shown = opening.guest_path.clone();
        let answer = Arc::clone(&self.ctx.gate).open(opening).await;
        answer.map_err(|why| {
            tracing::debug!(path = ?shown, %why, "a file was refused");
            ErrorCode::Access.into()
        })
    }

    /// The way to a path. In a governed folder it is walked from the root: neither a link on the way
    /// nor a handle whose folder was moved since leads to another file than the one decided on.
    pub(crate) async fn place(&mut self, fd: &Resource<Descriptor>, path: &str) -> FsResult<Place> {
        let folder = self.folder(fd)?;
        let granted = self.granted(folder.at)?;
        if !granted.govern {
            return Ok(Place {
                folder: Resource::new_borrow(fd.rep()),
                path: path.to_owned(),
                walked: false,
            });
        }
        let access = granted.access;
        let root = Arc::clone(&granted.dir.dir);
        let mut names = names_below(&folder.names, path)?;
        let last = names.pop().unwrap_or_else(|| ".".to_owned());
        let walked =
            tokio::task::spawn_blocking(move || walk::down(&root, names.iter().map(AsRef::as_ref)));
        let parent = walked.await.map_err(FsError::trap)??;
        Ok(Place {
            folder: self.table.push(Descriptor::Dir(confined(parent, access)))?,
            path: last,
            walked: true,
        })
    }

    /// The ways to two paths.
    pub(crate) async fn places(
        &mut self,
        old: (&Resource<Descriptor>, &str),
        new: (&Resource<Descriptor>, &str),
    ) -> FsResult<(Place, Place)> {
        let from = self.place(old.0, old.1).await?;
        match self.place(new.0, new.1).await {
            Ok(to) => Ok((from, to)),
            Err(error) => self.leave(from, Err(error)),
        }
    }

    /// Closes what was opened on the way.
    pub(crate) fn leave<T>(&mut self, place: Place, result: FsResult<T>) -> FsResult<T> {
        if place.walked {
            self.table.delete(place.folder)?;
        }
        result
    }

    /// Whether there is something at a path that can be opened. Opening a pipe would wait for its other
    /// end, and opening a device may do something, so only files and folders are let through.
    pub(crate) async fn look(
        &mut self,
        fd: &Resource<Descriptor>,
        flags: PathFlags,
        path: &str,
    ) -> FsResult<Option<DescriptorType>> {
        let place = self.place(fd, path).await?;
        let (folder, name) = (place.folder(), place.path());
        let stat = self.wasi().stat_at(folder, flags, name).await;
        match self.leave(place, stat) {
            Ok(stat) => openable(stat.type_).map(Some),
            Err(error) => match error.downcast_ref() {
                Some(ErrorCode::NoEntry) => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Takes the place of a new name from the budget.
    pub(crate) fn reserve_name(&self) -> FsResult<()> {
        Ok(self
            .ctx
            .meter
            .reserve(NAME_BYTES)
            .map_err(ErrorCode::from)?)
    }
}

/// A path for the record only, cut to what a path can be.
fn as_written(folder: &str, path: &str) -> String {
    let path: String = path.chars().take(4096).collect();
    format!("{folder}/{path}")
}

/// A file or a folder, and nothing that only looks like one.
pub(crate) fn openable(found: DescriptorType) -> FsResult<DescriptorType> {
    match found {
        DescriptorType::RegularFile | DescriptorType::Directory => Ok(found),
        DescriptorType::SymbolicLink => Err(ErrorCode::Loop.into()),
        DescriptorType::Unknown
        | DescriptorType::BlockDevice
        | DescriptorType::CharacterDevice
        | DescriptorType::Fifo
        | DescriptorType::Socket => Err(ErrorCode::Access.into()),
    }
}
