//! The core's ports, on the world's imports.

use alloc::string::String;
use core::time::Duration;

use thoth_core::{
    Event, Fault, OutboxError, Permit, Ports, Recorder, Request, Response, Timestamp, ToolFailure,
};
use thoth_shell::Wasi;

use crate::bindings::thoth::governance::{outbox, tool};

/// The outside of this instance. All of its state is the host's, but for random bytes that were not
/// used yet.
#[derive(Default)]
pub(crate) struct Outside {
    wasi: Wasi,
}

impl thoth_core::Outside for Outside {
    fn exchange(&mut self, request: Request, timeout: Duration) -> Result<Response, Fault> {
        self.wasi.exchange(request, timeout)
    }

    fn now(&mut self) -> Timestamp {
        self.wasi.now()
    }

    fn monotonic(&mut self) -> Duration {
        self.wasi.monotonic()
    }

    fn random(&mut self) -> [u8; 16] {
        self.wasi.random()
    }
}

impl Recorder for Outside {
    fn append(&mut self, event: Event) -> Result<(), OutboxError> {
        outbox::append(&event.into()).map_err(Into::into)
    }
}

impl Ports for Outside {
    fn call_tool(&mut self, permit: Permit) -> Result<String, ToolFailure> {
        tool::call_tool(permit.tool(), permit.arguments()).map_err(Into::into)
    }
}
