//! Listings: each is in memory as a whole, so all of them together are bounded.

use std::fs::File;
use std::io;
use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DirectoryEntry, DirectoryEntryStream, HostDescriptor as _, HostDirectoryEntryStream,
};
use wasmtime_wasi::p2::{FsError, FsResult};

use crate::budgets::{Held, LISTED_MAX};
use crate::ctx::Files;
use crate::place::Intent;

impl Files<'_> {
    pub(crate) async fn list(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let folder = self.folder(&fd)?;
        if !folder.asked {
            self.ask(&folder, ".", Intent::LIST).await?;
        }
        let Descriptor::Dir(dir) = self.table.get(&fd)? else {
            return Err(FsError::trap(wasmtime::format_err!(
                "a folder's handle is a file's"
            )));
        };
        let dir = Arc::clone(&dir.dir);
        let counted = tokio::task::spawn_blocking(move || count(&dir));
        let names = counted.await.map_err(FsError::trap)??;
        // One more, or listings of empty folders would be free.
        let hold = self.ctx.meter.hold(Held::Listed, names + 1)?;
        let listing = self.wasi().read_directory(fd).await?;
        self.ctx.listings.insert(listing.rep(), hold);
        Ok(listing)
    }
}

impl HostDirectoryEntryStream for Files<'_> {
    async fn read_directory_entry(
        &mut self,
        listing: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.wasi().read_directory_entry(listing).await
    }

    fn drop(&mut self, listing: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.ctx.listings.remove(&listing.rep());
        HostDirectoryEntryStream::drop(&mut self.wasi(), listing)
    }
}

/// How many names are in a folder; no further than a listing may go.
fn count(dir: &File) -> io::Result<u64> {
    let mut names = 0;
    for entry in rustix::fs::Dir::read_from(dir)? {
        entry?;
        names += 1;
        if names >= LISTED_MAX {
            break;
        }
    }
    Ok(names)
}
