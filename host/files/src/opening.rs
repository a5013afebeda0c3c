//! Opening: what the flags ask for, whether that is let through, and what is remembered of it.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};

use crate::budgets::{Held, Hold};
use crate::ctx::{FileHandle, Files, FolderHandle, Handle};
use crate::gate::Mode;
use crate::path::{names_a_folder, names_below, well_formed};
use crate::place::{Intent, openable};

impl Files<'_> {
    /// `open-at`: local rules, then the gate, then the kernel.
    pub(crate) async fn open(
        &mut self,
        fd: &Resource<Descriptor>,
        path_flags: PathFlags,
        path: &str,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let create = open_flags.contains(OpenFlags::CREATE);
        let truncate = open_flags.contains(OpenFlags::TRUNCATE);
        let writable = flags.contains(DescriptorFlags::WRITE);
        let changes = writable || create || truncate || open_flags.contains(OpenFlags::EXCLUSIVE);
        let from = self.folder(fd)?;
        let mode = if changes { Mode::Write } else { Mode::Read };
        let intent = Intent {
            mode,
            create,
            truncate,
        };
        let allowed = match changes {
            true => self.changeable(fd).map(|_| ()),
            false => Ok(()),
        };
        let allowed = allowed.and_then(|()| Ok(well_formed(path)?));
        self.unless_refused(&from, path, intent, allowed).await?;
        let hold = self.ctx.meter.hold(Held::Descriptor, 1)?;

        let govern = self.granted(from.at)?.govern;
        let (path_flags, mut open_flags) = match govern {
            true => (PathFlags::empty(), open_flags),
            false => (path_flags, open_flags),
        };
        if govern && names_a_folder(path) {
            // The walk leaves the slash out.
            open_flags |= OpenFlags::DIRECTORY;
        }
        let found = match self.look(fd, path_flags, path).await {
            // The way leads out of the folder.
            Err(error) if error.downcast_ref() == Some(&ErrorCode::NotPermitted) => {
                let refused = Err(error);
                self.unless_refused(&from, path, intent, refused).await?
            }
            found => found?,
        };
        if found.is_none() && !create {
            return Err(ErrorCode::NoEntry.into());
        }
        self.ask(&from, path, intent).await?;
        if found.is_none() {
            self.reserve_name()?;
        }

        let place = self.place(fd, path).await?;
        let (folder, name) = (place.folder(), place.path());
        let opened = self
            .wasi()
            .open_at(folder, path_flags, name, open_flags, flags)
            .await;
        let opened = self.leave(place, opened)?;
        match self.keep(&opened, &from, path, writable, hold).await {
            Ok(()) => Ok(opened),
            Err(error) => {
                self.table.delete(opened)?;
                Err(error)
            }
        }
    }

    /// Remembers what was opened, if it is a file or a folder.
    async fn keep(
        &mut self,
        opened: &Resource<Descriptor>,
        from: &FolderHandle,
        path: &str,
        writable: bool,
        hold: Hold,
    ) -> FsResult<()> {
        let stat = self.wasi().stat(Resource::new_borrow(opened.rep())).await?;
        let hold = Arc::new(hold);
        let at = from.at;
        let handle = match openable(stat.type_)? {
            DescriptorType::Directory => {
                let names = if self.granted(at)?.govern {
                    names_below(&from.names, path)?
                } else {
                    Vec::new()
                };
                Handle::Folder(FolderHandle {
                    at,
                    names,
                    asked: true,
                    _hold: Some(hold),
                })
            }
            _ => {
                self.ctx.meter.opened();
                Handle::File(FileHandle {
                    at,
                    writable,
                    end: stat.size,
                    hold,
                })
            }
        };
        self.ctx.handles.insert(opened.rep(), handle);
        Ok(())
    }
}
