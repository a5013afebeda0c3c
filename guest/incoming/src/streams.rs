//! Streams of input, and what the host does with them.

use alloc::vec::Vec;
use core::cell::Cell;

use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::io::poll::Pollable;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::bindings::exports::thoth::incoming::resources::GuestInputStream;

/// A stream of input.
pub(crate) enum Input {
    /// The host's.
    Host(InputStream),
    /// Bytes that are there.
    Bytes(Bytes),
}

/// Bytes, and how many of them were taken.
pub(crate) struct Bytes {
    bytes: Vec<u8>,
    taken: Cell<usize>,
}

impl Bytes {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let taken = Cell::new(0);
        Self { bytes, taken }
    }

    fn rest(&self) -> Result<&[u8], StreamError> {
        let rest = self.bytes.get(self.taken.get()..).unwrap_or_default();
        match rest {
            [] => Err(StreamError::Closed),
            rest => Ok(rest),
        }
    }

    /// The next bytes, at most so many.
    fn take(&self, len: u64) -> Result<&[u8], StreamError> {
        let rest = self.rest()?;
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
        self.taken.set(self.taken.get() + len);
        Ok(rest.get(..len).unwrap_or_default())
    }
}

impl GuestInputStream for Input {
    fn read(&self, len: u64) -> Result<Vec<u8>, StreamError> {
        match self {
            Self::Host(host) => host.read(len),
            Self::Bytes(bytes) => Ok(bytes.take(len)?.to_vec()),
        }
    }

    fn blocking_read(&self, len: u64) -> Result<Vec<u8>, StreamError> {
        match self {
            Self::Host(host) => host.blocking_read(len),
            Self::Bytes(bytes) => Ok(bytes.take(len)?.to_vec()),
        }
    }

    fn skip(&self, len: u64) -> Result<u64, StreamError> {
        match self {
            Self::Host(host) => host.skip(len),
            Self::Bytes(bytes) => Ok(bytes.take(len)?.len() as u64),
        }
    }

    fn blocking_skip(&self, len: u64) -> Result<u64, StreamError> {
        match self {
            Self::Host(host) => host.blocking_skip(len),
            Self::Bytes(bytes) => Ok(bytes.take(len)?.len() as u64),
        }
    }

    fn subscribe(&self) -> Pollable {
        match self {
            Self::Host(host) => host.subscribe(),
            Self::Bytes(_) => at_once(),
        }
    }
}

/// What is ready when somebody looks.
pub(crate) fn at_once() -> Pollable {
    subscribe_duration(0)
}

/// Moves what can be moved now, as WASI has it: what the output takes of what the input gives.
pub(crate) fn splice(output: &OutputStream, input: &Input, len: u64) -> Result<u64, StreamError> {
    match input {
        Input::Host(host) => output.splice(host, len),
        Input::Bytes(bytes) => {
            let len = len.min(output.check_write()?);
            let now = bytes.take(len)?;
            output.write(now)?;
            Ok(now.len() as u64)
        }
    }
}

/// Moves as soon as the output takes something.
pub(crate) fn blocking_splice(
    output: &OutputStream,
    input: &Input,
    len: u64,
) -> Result<u64, StreamError> {
    match input {
        Input::Host(host) => output.blocking_splice(host, len),
        Input::Bytes(_) => {
            output.subscribe().block();
            splice(output, input, len)
        }
    }
}
