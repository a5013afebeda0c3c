//! How much may still come in.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A number of bytes of response bodies, which exchanges use up as the bytes come in. Shared by those
/// that together must stay below it.
#[derive(Debug)]
pub struct Allowance(AtomicUsize);

impl Allowance {
    /// This many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// What is left, in bytes.
    pub fn left(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Uses up some bytes, if there are as many; all or none.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        self.0
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes))
            .is_ok()
    }
}
