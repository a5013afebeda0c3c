//! What a governed call needs from outside.

use alloc::string::String;
use core::time::Duration;

use crate::exchange::{Fault, Request, Response};
use crate::permit::Permit;
use crate::time::Timestamp;
use crate::types::{Event, OutboxError, ToolFailure};

/// The network, clocks and chance: enough to ask.
pub trait Outside {
    /// Sends one request and reads its whole answer, all of it within `timeout` on a monotonic
    /// clock. Follows no redirect, tries once, and reads at most
    /// [`MAX_ANSWER_BYTES`](crate::exchange::MAX_ANSWER_BYTES).
    ///
    /// # Errors
    /// Whatever kept a complete answer from arriving.
    fn exchange(&mut self, request: Request, timeout: Duration) -> Result<Response, Fault>;

    /// The wall clock, for time stamps only.
    fn now(&mut self) -> Timestamp;

    /// A clock that never goes back, for durations.
    fn monotonic(&mut self) -> Duration;

    /// Unpredictable bytes, for ids.
    fn random(&mut self) -> [u8; 16];
}

/// An outside where waiting is possible: for a human, or before another try.
pub trait Waiting: Outside {
    /// Returns when so much time has passed.
    fn wait(&mut self, duration: Duration);
}

/// The log as well: enough to decide about a call and to record that.
pub trait Recorder: Outside {
    /// Returns once the event is kept.
    ///
    /// # Errors
    /// The event is not kept.
    fn append(&mut self, event: Event) -> Result<(), OutboxError>;

    /// How many events were lost before, where the log cannot promise to keep every one.
    fn lost(&self) -> u64 {
        0
    }
}

/// The whole outside of a governor: the tool as well.
pub trait Ports: Recorder {
    /// Runs the permitted tool with the permitted arguments, once.
    ///
    /// # Errors
    /// The tool gave no result. `UnknownTool` and `InvalidArguments` promise that nothing ran.
    fn call_tool(&mut self, permit: Permit) -> Result<String, ToolFailure>;
}
