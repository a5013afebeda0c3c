//! Copying the write-ahead log into the database beside the writes: it ends in a sync of the disk, for
//! which a call that waits for its decision would have to wait too.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags};

/// Pages (of 4 KiB) in the write-ahead log at which they are copied; what SQLite does by default.
const SOON: c_int = 1000;
/// Pages at which the writer copies them itself. SQLite starts the write-ahead log over only when all
/// of it is copied, which may never happen beside a stream of writes without a gap.
const NOW: c_int = 16 * SOON;

/// Takes over from SQLite's own checkpoints on a connection to a file.
pub(super) fn copy_beside(writer: &mut Connection) -> rusqlite::Result<()> {
    let Some(path) = writer.path().filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    let mut copying: Option<JoinHandle<()>> = None;
    // The pages there were when a copy began last; the log may have begun anew since.
    let mut asked = 0;
    writer.wal_hook(Some(move |wal: &mut Wal, pages| {
        // Whatever cannot be copied stays safe in the write-ahead log, and a later commit asks again. So
        // an error here is none of the commit's.
        if pages < asked {
            asked = 0;
        }
        if pages >= NOW {
            // SQLite lets one connection copy at a time and turns away the others. The thread may be
            // at it: wait, so that the log cannot grow faster than the disk takes it.
            if let Some(thread) = copying.take() {
                let _ = thread.join();
            }
            let _ = wal.checkpoint();
        } else if pages - asked >= SOON && copying.as_ref().is_none_or(JoinHandle::is_finished) {
            asked = pages;
            let path = path.clone();
            let thread = thread::Builder::new().name("thoth-enforcer-checkpoint".into());
            copying = thread.spawn(move || drop(copy(&path))).ok();
        }
        Ok(())
    }))
}

/// Copies what can be copied without waiting for anybody.
fn copy(path: &Path) -> rusqlite::Result<()> {
    // Never makes a file: one that is gone has nothing to be copied.
    let own = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    own.pragma_update_and_check(None, "wal_checkpoint", "PASSIVE", |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::store::{Store, StoredEvent};

    /// A batch of 2 MiB, some 500 pages.
    fn batch(number: usize) -> Vec<StoredEvent> {
        (0..64)
            .map(|event| StoredEvent {
                tenant_id: "acme".to_owned(),
                event_id: format!("{number}-{event}"),
                session_id: "s".to_owned(),
                event_type: "TOOL_CALL_PRE".to_owned(),
                body: "x".repeat(32 * 1024),
            })
            .collect()
    }

    #[test]
    fn the_log_is_copied_without_the_writer_and_stays_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("enforcer.db");
        let store = Store::open(&path).unwrap();
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        store.keep_events(&batch(0)).unwrap();
        assert!(size(&path) < 1 << 20, "only in the log as yet");
        for number in 1..4 {
            store.keep_events(&batch(number)).unwrap();
        }
        // Nobody writes any more, so it is the thread that copies.
        let deadline = Instant::now() + Duration::from_secs(30);
        while size(&path) < 4 << 20 {
            assert!(Instant::now() < deadline, "nothing was copied");
            thread::yield_now();
        }
        for number in 4..80 {
            store.keep_events(&batch(number)).unwrap();
        }
        let log = folder.path().join("enforcer.db-wal");
        let bound = u64::try_from(NOW + 2 * SOON).unwrap() * 4096;
        assert!(size(&log) < bound, "{} bytes", size(&log));
        assert_eq!(store.event_count().unwrap(), 80 * 64);
    }
}
