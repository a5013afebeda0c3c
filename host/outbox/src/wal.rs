//! Copying the write-ahead log into the database, away from the appends: it ends in a sync of the
//! disk, which takes as long as a thousand commits.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::ledger::Patience;

/// Pages (of 1 KiB) in the write-ahead log at which they are copied beside the appends.
const SOON: i32 = 4 * 1024;

/// Pages at which the writer stops to copy the rest. SQLite starts the write-ahead log over only when
/// all of it is copied, which never happens beside a stream of appends without a gap.
const NOW: i32 = 64 * 1024;

/// Watches the write-ahead log of the writer's connection and has it copied in time.
#[derive(Debug)]
pub(crate) struct WriteAhead {
    pages: Arc<AtomicI32>,
    wake: mpsc::SyncSender<()>,
    copying: Arc<Mutex<()>>,
    /// The pages there were when the thread was last asked; the log may have begun anew since.
    asked: Cell<i32>,
}

impl WriteAhead {
    /// Takes over from SQLite's own checkpoints on `writer`; `own` does the copying, on a thread that
    /// ends with this value.
    pub(crate) fn start(writer: &mut Connection, own: Connection) -> io::Result<Self> {
        let pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&pages);
        writer
            .wal_hook(Some(move |_: &mut Wal, pages| {
                seen.store(pages, Ordering::Relaxed);
                Ok(())
            }))
            .map_err(io::Error::other)?;
        let (wake, woken) = mpsc::sync_channel(1);
        let copying = Arc::new(Mutex::new(()));
        let beside = Arc::clone(&copying);
        thread::Builder::new()
            .name("thoth-outbox-checkpoint".into())
            .spawn(move || {
                while woken.recv().is_ok() {
                    let _copying = beside.lock().unwrap_or_else(PoisonError::into_inner);
                    // What it could not copy stays safe in the write-ahead log, and the next commit
                    // asks again.
                    let _ = checkpoint(&own);
                }
            })?;
        Ok(Self {
            pages,
            wake,
            copying,
            asked: Cell::new(0),
        })
    }

    /// To be called after a commit was answered. False means that the log has to be copied now, and
    /// that the caller has not the patience for it.
    pub(crate) fn committed(&self, writer: &Connection, patience: Patience) -> bool {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages >= NOW {
            if patience == Patience::None {
                return false;
            }
            // SQLite lets one connection copy at a time and turns away the others. The thread may be
            // at it: wait, so that the log cannot grow faster than the disk takes it.
            let _copying = self.copying.lock().unwrap_or_else(PoisonError::into_inner);
            // If another process reads or copies just now not all is copied; the next commit asks again.
            let _ = checkpoint(writer);
            return true;
        }
        if pages < self.asked.get() {
            self.asked.set(0);
        }
        // Every so many pages and not at every commit from there on: each time costs two syncs.
        if pages - self.asked.get() >= SOON {
            self.asked.set(pages);
            // Full means that the thread has been asked already.
            let _ = self.wake.try_send(());
        }
        true
    }
}

/// Copies what can be copied without waiting for anybody.
fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "wal_checkpoint", "PASSIVE", |_| Ok(()))
}
