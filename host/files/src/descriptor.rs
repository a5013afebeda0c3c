//! The host functions of `wasi:filesystem`: a decision each, then wasmtime-wasi's own.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DirectoryEntryStream, ErrorCode, Filesize, Host,
    HostDescriptor, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use crate::budgets::{Held, Spent};
use crate::ctx::{FileHandle, Files, FolderHandle, Handle};
use crate::path::{link_target, well_formed};
use crate::place::Intent;
use crate::streams::{Holds, Input, Output};

impl preopens::Host for Files<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let granted: Vec<_> = self
            .ctx
            .folders
            .iter()
            .map(|folder| (folder.dir.clone(), folder.guest.clone()))
            .collect();
        let mut preopens = Vec::with_capacity(granted.len());
        for (at, (dir, guest)) in granted.into_iter().enumerate() {
            let fd = self.table.push(Descriptor::Dir(dir))?;
            let handle = FolderHandle {
                at,
                names: Vec::new(),
                asked: false,
                _hold: None,
            };
            self.ctx.handles.insert(fd.rep(), Handle::Folder(handle));
            preopens.push((fd, guest));
        }
        Ok(preopens)
    }
}

impl Host for Files<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.wasi().convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        if let Some(spent) = self.table.get(&error)?.downcast_ref::<Spent>() {
            return Ok(Some((*spent).into()));
        }
        self.wasi().filesystem_error_code(error)
    }
}

impl Files<'_> {
    fn stream(&self, file: &FileHandle) -> FsResult<Holds> {
        Ok(Holds {
            _descriptor: Arc::clone(&file.hold),
            _stream: self.ctx.meter.hold(Held::Stream, 1)?,
        })
    }

    /// Puts a stream of ours around the one that is in the table.
    fn wrap_output(
        &mut self,
        inner: Resource<DynOutputStream>,
        holds: Holds,
    ) -> FsResult<Resource<DynOutputStream>> {
        let output: DynOutputStream = Box::new(Output {
            inner: self.table.delete(inner)?,
            meter: Arc::clone(&self.ctx.meter),
            spent: false,
            _holds: holds,
        });
        Ok(self.table.push(output)?)
    }
}

impl HostDescriptor for Files<'_> {
    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        self.open(&fd, path_flags, &path, open_flags, flags).await
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.ctx.handles.remove(&fd.rep());
        HostDescriptor::drop(&mut self.wasi(), fd)
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        let (bytes, end) = self.wasi().read(fd, length, offset).await?;
        self.ctx.meter.read(bytes.len());
        Ok((bytes, end))
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let holds = self.stream(&self.file(&fd)?)?;
        let inner = self.wasi().read_via_stream(fd, offset)?;
        let input: DynInputStream = Box::new(Input {
            inner: self.table.delete(inner)?,
            meter: Arc::clone(&self.ctx.meter),
            _holds: holds,
        });
        Ok(self.table.push(input)?)
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        let file = self.writable(&fd)?;
        let meter = Arc::clone(&self.ctx.meter);
        meter.may_start_at(offset, file.end)?;
        let length = bytes.len() as u64;
        meter.write(length).map_err(ErrorCode::from)?;
        let written = self.wasi().write(fd, bytes, offset).await;
        meter.unwritten(length.saturating_sub(*written.as_ref().unwrap_or(&0)));
        written
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        let file = self.writable(&fd)?;
        self.ctx.meter.may_start_at(offset, file.end)?;
        let holds = self.stream(&file)?;
        let inner = self.wasi().write_via_stream(fd, offset)?;
        self.wrap_output(inner, holds)
    }

    fn append_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let file = self.writable(&fd)?;
        let holds = self.stream(&file)?;
        let inner = self.wasi().append_via_stream(fd)?;
        self.wrap_output(inner, holds)
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        self.writable(&fd)?;
        let stat = self.wasi().stat(Resource::new_borrow(fd.rep())).await?;
        let growth = size.saturating_sub(stat.size);
        self.ctx.meter.reserve(growth).map_err(ErrorCode::from)?;
        self.wasi().set_size(fd, size).await
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let govern = self.changeable(&fd)?.govern;
        let opened_to_write = matches!(self.handle(&fd)?, Handle::File(file) if file.writable);
        // The kernel sets the times of what is open for reading only, which nobody was asked about.
        if govern && !opened_to_write {
            return Err(ErrorCode::NotPermitted.into());
        }
        self.wasi().set_times(fd, accessed, modified).await
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        mut path_flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        if self.changeable(&fd)?.govern && path_flags.contains(PathFlags::SYMLINK_FOLLOW) {
            path_flags = PathFlags::empty();
            // A link that would be followed is refused, rather than changed in the place of its target.
            self.look(&fd, path_flags, &path).await?;
        }
        self.may_change(&fd, &path, Intent::CHANGE).await?;
        let place = self.place(&fd, &path).await?;
        let (folder, name) = (place.folder(), place.path());
        let set = self
            .wasi()
            .set_times_at(folder, path_flags, name, accessed, modified)
            .await;
        self.leave(place, set)
    }

    async fn create_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.may_change(&fd, &path, Intent::CREATE).await?;
        self.reserve_name()?;
        let place = self.place(&fd, &path).await?;
        let (folder, name) = (place.folder(), place.path());
        let created = self.wasi().create_directory_at(folder, name).await;
        self.leave(place, created)
    }

    async fn symlink_at(
        &mut self,
        fd: Resource<Descriptor>,
        target: String,
        path: String,
    ) -> FsResult<()> {
        self.changeable(&fd)?;
        link_target(&target)?;
        self.may_change(&fd, &path, Intent::CREATE).await?;
        self.reserve_name()?;
        let place = self.place(&fd, &path).await?;
        let (folder, name) = (place.folder(), place.path());
        let linked = self.wasi().symlink_at(folder, target, name).await;
        self.leave(place, linked)
    }

    async fn link_at(
        &mut self,
        old_fd: Resource<Descriptor>,
        old_path_flags: PathFlags,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.may_change_both((&old_fd, &old_path), (&new_fd, &new_path))
            .await?;
        self.reserve_name()?;
        let (old, new) = self
            .places((&old_fd, &old_path), (&new_fd, &new_path))
            .await?;
        let (from, name) = (old.folder(), old.path());
        let linked = self
            .wasi()
            .link_at(from, old_path_flags, name, new.folder(), new.path())
            .await;
        let linked = self.leave(new, linked);
        self.leave(old, linked)
    }

    async fn rename_at(
        &mut self,
        old_fd: Resource<Descriptor>,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.may_change_both((&old_fd, &old_path), (&new_fd, &new_path))
            .await?;
        let (old, new) = self
            .places((&old_fd, &old_path), (&new_fd, &new_path))
            .await?;
        let (from, name) = (old.folder(), old.path());
        let renamed = self
            .wasi()
            .rename_at(from, name, new.folder(), new.path())
            .await;
        let renamed = self.leave(new, renamed);
        self.leave(old, renamed)
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.may_change(&fd, &path, Intent::CHANGE).await?;
        let place = self.place(&fd, &path).await?;
        let (folder, name) = (place.folder(), place.path());
        let removed = self.wasi().unlink_file_at(folder, name).await;
        self.leave(place, removed)
    }

    async fn remove_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.may_change(&fd, &path, Intent::CHANGE).await?;
        let place = self.place(&fd, &path).await?;
        let (folder, name) = (place.folder(), place.path());
        let removed = self.wasi().remove_directory_at(folder, name).await;
        self.leave(place, removed)
    }

    async fn read_directory(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        self.list(fd).await
    }

    // What follows changes nothing and opens nothing. A path's form is checked all the same.

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        well_formed(&path)?;
        self.wasi().stat_at(fd, path_flags, path).await
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        well_formed(&path)?;
        self.wasi().readlink_at(fd, path).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        well_formed(&path)?;
        self.wasi().metadata_hash_at(fd, path_flags, path).await
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        self.wasi().stat(fd).await
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        self.wasi().metadata_hash(fd).await
    }

    async fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        self.wasi().is_same_object(one, other).await
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        self.wasi().get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<types::DescriptorType> {
        self.wasi().get_type(fd).await
    }

    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        self.wasi().advise(fd, offset, length, advice).await
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.wasi().sync(fd).await
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.wasi().sync_data(fd).await
    }
}
