//! What one call may hold open and write, and what it has used.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// What a new name in a folder counts as, in bytes: without that, empty files would be free.
pub(crate) const NAME_BYTES: u64 = 4 << 10;

/// Names in all listings that a call has open. One listing is in memory as a whole.
pub(crate) const LISTED_MAX: u64 = 64 << 10;

/// Streams for each file that may be open: one to read and one to write. Each may hold 64 KiB.
const STREAMS_PER_FILE: u64 = 2;

/// The limits of one call, over all of its folders together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Most files and folders open at a time (128), those among them that only a stream holds open.
    pub open_files: u32,
    /// Most bytes written (64 MiB), new names and growth by `set-size` included. Also how far behind a
    /// file's end a write may start.
    pub write_bytes: u64,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            open_files: 128,
            write_bytes: 64 << 20,
        }
    }
}

/// What one call has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files opened. Folders are not counted.
    pub files_opened: u64,
    /// Bytes read from files.
    pub bytes_read: u64,
    /// Bytes written to files.
    pub bytes_written: u64,
}

/// What a call holds for as long as it has it open.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Held {
    Descriptor,
    Stream,
    Listed,
}

/// Counts for one call.
#[derive(Debug)]
pub(crate) struct Meter {
    budgets: Budgets,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    usage: Usage,
    /// Charged to the bytes that may be written, though no byte was.
    reserved: u64,
    descriptors: u64,
    streams: u64,
    listed: u64,
}

impl Counts {
    fn held(&mut self, what: Held) -> &mut u64 {
        match what {
            Held::Descriptor => &mut self.descriptors,
            Held::Stream => &mut self.streams,
            Held::Listed => &mut self.listed,
        }
    }
}

/// More than may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call has written as much as it may")]
pub(crate) struct Spent;

impl From<Spent> for ErrorCode {
    fn from(Spent: Spent) -> Self {
        Self::InsufficientSpace
    }
}

/// Given back when dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    meter: Arc<Meter>,
    what: Held,
    number: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut counts = self.meter.counts();
        let held = counts.held(self.what);
        *held = held.saturating_sub(self.number);
    }
}

impl Meter {
    pub(crate) fn new(budgets: Budgets) -> Arc<Self> {
        Arc::new(Self {
            budgets,
            counts: Mutex::default(),
        })
    }

    /// WASI has no word for too many open files; `insufficient-memory` is the nearest.
    pub(crate) fn hold(self: &Arc<Self>, what: Held, number: u64) -> Result<Hold, ErrorCode> {
        let open_files = u64::from(self.budgets.open_files);
        let most = match what {
            Held::Descriptor => open_files,
            Held::Stream => open_files * STREAMS_PER_FILE,
            Held::Listed => LISTED_MAX,
        };
        let mut counts = self.counts();
        let held = counts.held(what);
        if number > most.saturating_sub(*held) {
            return Err(ErrorCode::InsufficientMemory);
        }
        *held += number;
        Ok(Hold {
            meter: Arc::clone(self),
            what,
            number,
        })
    }

    pub(crate) fn opened(&self) {
        self.counts().usage.files_opened += 1;
    }

    pub(crate) fn read(&self, bytes: usize) {
        let mut counts = self.counts();
        counts.usage.bytes_read = counts.usage.bytes_read.saturating_add(bytes as u64);
    }

    /// Takes what is about to be written.
    pub(crate) fn write(&self, bytes: u64) -> Result<(), Spent> {
        let mut counts = self.counts();
        self.fits(&counts, bytes)?;
        counts.usage.bytes_written += bytes;
        Ok(())
    }

    /// Gives back what was taken and not written after all.
    pub(crate) fn unwritten(&self, bytes: u64) {
        let mut counts = self.counts();
        counts.usage.bytes_written = counts.usage.bytes_written.saturating_sub(bytes);
    }

    /// Takes what costs space without being written.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), Spent> {
        let mut counts = self.counts();
        self.fits(&counts, bytes)?;
        counts.reserved += bytes;
        Ok(())
    }

    /// Whether a write may start here: far behind the end it makes a file look larger than anything
    /// that was written.
    pub(crate) fn may_start_at(&self, offset: u64, end: u64) -> Result<(), ErrorCode> {
        if offset > end.saturating_add(self.budgets.write_bytes) {
            return Err(ErrorCode::FileTooLarge);
        }
        Ok(())
    }

    pub(crate) fn usage(&self) -> Usage {
        self.counts().usage
    }

    fn fits(&self, counts: &Counts, bytes: u64) -> Result<(), Spent> {
        let spent = counts.usage.bytes_written.saturating_add(counts.reserved);
        if bytes > self.budgets.write_bytes.saturating_sub(spent) {
            return Err(Spent);
        }
        Ok(())
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Nothing that panics runs under the lock.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(open_files: u32, write_bytes: u64) -> Arc<Meter> {
        Meter::new(Budgets {
            open_files,
            write_bytes,
        })
    }

    #[test]
    fn what_is_held_is_given_back() {
        let meter = meter(2, 0);
        let first = meter.hold(Held::Descriptor, 1).unwrap();
        let _second = meter.hold(Held::Descriptor, 1).unwrap();
        assert_eq!(
            meter.hold(Held::Descriptor, 1).unwrap_err(),
            ErrorCode::InsufficientMemory
        );
        drop(first);
        meter.hold(Held::Descriptor, 1).unwrap();
        assert!(meter.hold(Held::Stream, 5).is_err());
        meter.hold(Held::Stream, 4).unwrap();
        assert!(meter.hold(Held::Listed, LISTED_MAX + 1).is_err());
        assert!(meter.hold(Held::Listed, u64::MAX).is_err());
    }

    #[test]
    fn a_budget_is_spent_to_the_byte_and_no_further() {
        let meter = meter(1, 10);
        meter.write(6).unwrap();
        meter.reserve(3).unwrap();
        assert_eq!(meter.write(2), Err(Spent));
        assert_eq!(meter.reserve(u64::MAX), Err(Spent));
        meter.write(1).unwrap();
        assert_eq!(meter.write(1), Err(Spent));
        meter.unwritten(2);
        meter.write(2).unwrap();
        assert_eq!(meter.usage().bytes_written, 7);
    }

    #[test]
    fn a_write_starts_near_the_end_or_before_it() {
        let meter = meter(1, 10);
        meter.may_start_at(0, 0).unwrap();
        meter.may_start_at(15, 5).unwrap();
        assert_eq!(
            meter.may_start_at(16, 5).unwrap_err(),
            ErrorCode::FileTooLarge
        );
        meter.may_start_at(u64::MAX, u64::MAX).unwrap();
    }
}
