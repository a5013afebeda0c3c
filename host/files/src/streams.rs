//! The streams that a file gives out: wasmtime-wasi's, counted, and bounded in what they write.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

use crate::budgets::{Hold, Meter};

/// What a stream keeps for as long as it is there. The file stays open as long as a stream of it, so
/// its descriptor counts as long.
pub(crate) struct Holds {
    pub(crate) _descriptor: Arc<Hold>,
    pub(crate) _stream: Hold,
}

pub(crate) struct Input {
    pub(crate) inner: DynInputStream,
    pub(crate) meter: Arc<Meter>,
    pub(crate) _holds: Holds,
}

impl Input {
    fn count(&self, read: StreamResult<Bytes>) -> StreamResult<Bytes> {
        let bytes = read?;
        self.meter.read(bytes.len());
        Ok(bytes)
    }
}

#[async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let read = self.inner.read(size);
        self.count(read)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        let read = self.inner.blocking_read(size).await;
        self.count(read)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

pub(crate) struct Output {
    pub(crate) inner: DynOutputStream,
    pub(crate) meter: Arc<Meter>,
    pub(crate) spent: bool,
    pub(crate) _holds: Holds,
}

impl Output {
    /// After the one failure a stream is closed, as WASI has it.
    fn charge(&mut self, bytes: &Bytes) -> StreamResult<()> {
        self.open()?;
        self.meter.write(bytes.len() as u64).map_err(|spent| {
            self.spent = true;
            StreamError::LastOperationFailed(spent.into())
        })
    }

    fn open(&self) -> StreamResult<()> {
        if self.spent {
            return Err(StreamError::Closed);
        }
        Ok(())
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.charge(&bytes)?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.open()?;
        self.inner.check_write()
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.charge(&bytes)?;
        self.inner.blocking_write_and_flush(bytes).await
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
