//! The core's ports, on the world's imports.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use thoth_core::{
    Event, Fault, OutboxError, Permit, Ports, Request, Response, Timestamp, ToolFailure,
};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::random::get_random_bytes;

use crate::bindings::thoth::governance::{outbox, tool};
use crate::http;

/// Random bytes for all ids of a call.
const RANDOM: u64 = 48;

/// The outside of this instance. All of its state is the host's, but for random bytes that were not
/// used yet.
#[derive(Default)]
pub(crate) struct Outside {
    random: Vec<u8>,
}

impl Ports for Outside {
    fn exchange(&mut self, request: Request, timeout: Duration) -> Result<Response, Fault> {
        http::exchange(request, timeout)
    }

    fn append(&mut self, event: &Event) -> Result<(), OutboxError> {
        outbox::append(&event.clone().into()).map_err(Into::into)
    }

    fn call_tool(&mut self, permit: Permit) -> Result<String, ToolFailure> {
        tool::call_tool(permit.tool(), permit.arguments()).map_err(Into::into)
    }

    fn now(&mut self) -> Timestamp {
        let now = wall_clock::now();
        Timestamp {
            seconds: now.seconds,
            nanoseconds: now.nanoseconds,
        }
    }

    fn monotonic(&mut self) -> Duration {
        Duration::from_nanos(monotonic_clock::now())
    }

    fn random(&mut self) -> [u8; 16] {
        if self.random.len() < 16 {
            self.random = get_random_bytes(RANDOM);
        }
        let rest = self.random.len().saturating_sub(16);
        let mut random = [0; 16];
        for (to, from) in random.iter_mut().zip(self.random.drain(rest..)) {
            *to = from;
        }
        random
    }
}
