//! What a tool prints: kept to a cap and never a trap, so that a chatty tool still gives its result.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use super::inert::inert;

/// A sink that keeps the first bytes written to it and counts the rest.
#[derive(Clone)]
pub(crate) struct Output {
    written: Arc<Mutex<Written>>,
    cap: usize,
}

#[derive(Default)]
struct Written {
    kept: Vec<u8>,
    total: u64,
}

impl Output {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            written: Arc::default(),
            cap,
        }
    }

    /// How much was written, and the beginning of it.
    pub(crate) fn taken(&self) -> (u64, Vec<u8>) {
        let written = self.lock();
        (written.total, written.kept.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last line that says anything, with what could drive a terminal made visible.
    pub(crate) fn last_line(&self) -> Option<String> {
        let written = self.lock();
        let text = String::from_utf8_lossy(&written.kept);
        let line = text.lines().map(str::trim).rfind(|line| {
            !line.is_empty() && !line.starts_with("note: run with `RUST_BACKTRACE")
        })?;
        Some(inert(line, 300))
    }

    fn write(&self, bytes: &[u8]) {
        let mut written = self.lock();
        let room = self.cap.saturating_sub(written.kept.len()).min(bytes.len());
        written.kept.extend(bytes.iter().take(room));
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        written.total = written.total.saturating_add(more);
    }
}

/// What a guest wrote, for people: line by line, inert, with a mark where it was cut.
pub(super) fn readable(total: u64, kept: &[u8]) -> String {
    let text = String::from_utf8_lossy(kept);
    let mut lines: Vec<String> = text.lines().map(|line| inert(line, usize::MAX)).collect();
    let left = total.saturating_sub(u64::try_from(kept.len()).unwrap_or(u64::MAX));
    if left > 0 {
        lines.push(format!("… {left} bytes more"));
    }
    lines.join("\n")
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_kept_to_the_cap() {
        let output = Output::new(8);
        output.write(b"0123456");
        output.write(b"789abcdef");
        assert_eq!(output.last_line().as_deref(), Some("01234567"));
    }
}
