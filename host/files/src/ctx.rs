//! One call's files: what the guest has open, and the view that the host functions work on.

use std::collections::HashMap;
use std::sync::Arc;

use thoth_grants::Access;
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use crate::budgets::{Budgets, Hold, Meter, Usage};
use crate::folders::{Folder, Folders};
use crate::gate::Gate;

/// The files of one call of a tool. Without a folder the guest has nothing to open anything from.
pub struct FilesCtx {
    pub(crate) folders: Folders,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) meter: Arc<Meter>,
    // INVARIANT: each descriptor that the guest holds is here under its place in the resource table,
    // and nothing else is.
    pub(crate) handles: HashMap<u32, Handle>,
    pub(crate) listings: HashMap<u32, Hold>,
    wasi: WasiFilesystemCtx,
}

impl FilesCtx {
    /// Nothing open, nothing used. The gate is told of every folder and file that is opened.
    #[must_use]
    pub fn new(folders: Folders, budgets: Budgets, gate: Arc<dyn Gate>) -> Self {
        Self {
            folders,
            gate,
            meter: Meter::new(budgets),
            handles: HashMap::new(),
            listings: HashMap::new(),
            wasi: WasiFilesystemCtx::default(),
        }
    }

    /// What the call has used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.meter.usage()
    }
}

/// What a store gives the host functions to work on.
pub struct Files<'a> {
    /// The call's files.
    pub ctx: &'a mut FilesCtx,
    /// The store's resources: descriptors and streams live there.
    pub table: &'a mut ResourceTable,
}

/// A store's data with files in it.
pub trait FilesView: Send {
    /// The files and the table of resources.
    fn files(&mut self) -> Files<'_>;
}

/// What is known of a descriptor besides what wasmtime-wasi knows.
#[derive(Clone)]
pub(crate) enum Handle {
    Folder(FolderHandle),
    File(FileHandle),
}

#[derive(Clone)]
pub(crate) struct FolderHandle {
    /// Which granted folder it is in.
    pub(crate) at: usize,
    /// The way there from the granted folder's root, if that is governed.
    pub(crate) names: Vec<String>,
    /// Whether the gate has let it be listed.
    pub(crate) asked: bool,
    /// None for the granted folder itself, which is open in any case.
    pub(crate) _hold: Option<Arc<Hold>>,
}

#[derive(Clone)]
pub(crate) struct FileHandle {
    pub(crate) at: usize,
    pub(crate) writable: bool,
    /// Its size when it was opened.
    pub(crate) end: u64,
    pub(crate) hold: Arc<Hold>,
}

impl Files<'_> {
    /// wasmtime-wasi's implementation, over the same resources.
    pub(crate) fn wasi(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView {
            ctx: &mut self.ctx.wasi,
            table: self.table,
        }
    }

    pub(crate) fn handle(&self, fd: &Resource<Descriptor>) -> FsResult<&Handle> {
        let handle = self.ctx.handles.get(&fd.rep());
        Ok(handle.ok_or(ResourceTableError::NotPresent)?)
    }

    pub(crate) fn folder(&self, fd: &Resource<Descriptor>) -> FsResult<FolderHandle> {
        match self.handle(fd)? {
            Handle::Folder(folder) => Ok(folder.clone()),
            Handle::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    pub(crate) fn file(&self, fd: &Resource<Descriptor>) -> FsResult<FileHandle> {
        match self.handle(fd)? {
            Handle::File(file) => Ok(file.clone()),
            Handle::Folder(_) => Err(ErrorCode::IsDirectory.into()),
        }
    }

    /// The file, if it may be written to through this descriptor.
    pub(crate) fn writable(&self, fd: &Resource<Descriptor>) -> FsResult<FileHandle> {
        self.changeable(fd)?;
        let file = self.file(fd)?;
        if !file.writable {
            return Err(ErrorCode::BadDescriptor.into());
        }
        Ok(file)
    }

    /// The granted folder that a descriptor is in, if things may change there.
    pub(crate) fn changeable(&self, fd: &Resource<Descriptor>) -> FsResult<&Folder> {
        let at = match self.handle(fd)? {
            Handle::Folder(folder) => folder.at,
            Handle::File(file) => file.at,
        };
        let granted = self.granted(at)?;
        match granted.access {
            Access::ReadOnly => Err(ErrorCode::ReadOnly.into()),
            Access::ReadWrite => Ok(granted),
        }
    }

    pub(crate) fn granted(&self, at: usize) -> FsResult<&Folder> {
        let granted = self.ctx.folders.get(at);
        Ok(granted.ok_or(ResourceTableError::NotPresent)?)
    }
}
