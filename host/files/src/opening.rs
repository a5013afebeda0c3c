//! Opening: what the flags ask for, whether that is let through, and what is remembered of it.

use std::fs::File;
use std::io;
use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};

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
        // The kernel would empty it before anybody knows whose it is.
        let allowed = allowed.and_then(|()| match truncate && !writable {
            true => Err(ErrorCode::Invalid.into()),
            false => Ok(()),
        });
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

        // Nothing is emptied before it is known to be the tool's.
        open_flags &= !OpenFlags::TRUNCATE;
        let place = self.place(fd, path).await?;
        let (folder, name) = (place.folder(), place.path());
        let opened = self
            .wasi()
            .open_at(folder, path_flags, name, open_flags, flags)
            .await;
        let opened = self.leave(place, opened)?;
        let kept = self.keep(&opened, &from, path, (intent, writable), hold);
        match kept.await {
            Ok(()) => Ok(opened),
            Err(error) => {
                self.table.delete(opened)?;
                Err(error)
            }
        }
    }

    /// Whether what was opened is not something private under another name, and nothing that the kernel
    /// shows of processes and of itself, wherever that is mounted.
    async fn is_the_tool_s(
        &mut self,
        opened: &Resource<Descriptor>,
        changes: bool,
    ) -> FsResult<bool> {
        let file = match self.table.get(opened)? {
            Descriptor::File(file) => Arc::clone(&file.file),
            Descriptor::Dir(folder) => Arc::clone(&folder.dir),
        };
        let private = self.ctx.folders.private();
        let checked = tokio::task::spawn_blocking(move || {
            let metadata = file.metadata()?;
            let given_away = private.is_given_away_by(&metadata, changes);
            io::Result::Ok(!given_away && !is_of_the_kernel(&file)?)
        });
        Ok(checked.await.map_err(FsError::trap)??)
    }

    /// Remembers what was opened, if it is a file or a folder and the tool's. Only then is it emptied.
    async fn keep(
        &mut self,
        opened: &Resource<Descriptor>,
        from: &FolderHandle,
        path: &str,
        (intent, writable): (Intent, bool),
        hold: Hold,
    ) -> FsResult<()> {
        let changes = matches!(intent.mode, Mode::Write);
        if !self.is_the_tool_s(opened, changes).await? {
            let refused = Err(ErrorCode::Access.into());
            return self.unless_refused(from, path, intent, refused).await;
        }
        if intent.truncate {
            let emptied = Resource::new_borrow(opened.rep());
            self.wasi().set_size(emptied, 0).await?;
        }
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

/// Whether a file is of `/proc` or `/sys`: those show this process, with its keys and its memory.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_of_the_kernel(file: &File) -> io::Result<bool> {
    /// `SYSFS_MAGIC` of `linux/magic.h`.
    const SYSFS: rustix::fs::FsWord = 0x6265_6572;
    let kind = rustix::fs::fstatfs(file)?.f_type;
    Ok(kind == rustix::fs::PROC_SUPER_MAGIC || kind == SYSFS)
}

/// Elsewhere neither is needed, and neither can be told by its handle.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_of_the_kernel(_: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_shows_is_known_wherever_it_is_mounted() {
        assert!(is_of_the_kernel(&File::open("/proc/self/environ").unwrap()).unwrap());
        assert!(is_of_the_kernel(&File::open("/sys").unwrap()).unwrap());
        assert!(!is_of_the_kernel(&tempfile::tempfile().unwrap()).unwrap());
    }
}
