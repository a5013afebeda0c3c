//! What a governed call needs from outside.

use alloc::string::String;
use core::time::Duration;

use crate::exchange::{Fault, Request, Response};
use crate::permit::Permit;
use crate::time::Timestamp;
use crate::types::{Event, OutboxError, ToolFailure};

/// The outside of a governor: the network, the log, the tool, clocks and chance.
pub trait Ports {
    /// Sends one request and reads its whole answer, all of it within `timeout` on a monotonic
    /// clock. Follows no redirect, tries once, and reads at most
    /// [`MAX_ANSWER_BYTES`](crate::exchange::MAX_ANSWER_BYTES).
    ///
    /// # Errors
    /// Whatever kept a complete answer from arriving.
    fn exchange(&mut self, request: Request, timeout: Duration) -> Result<Response, Fault>;

    /// Returns once the event is durable.
    ///
    /// # Errors
    /// The event is not durable.
    fn append(&mut self, event: &Event) -> Result<(), OutboxError>;

    /// Runs the permitted tool with the permitted arguments, once.
    ///
    /// # Errors
    /// The tool gave no result. `UnknownTool` and `InvalidArguments` promise that nothing ran.
    fn call_tool(&mut self, permit: Permit) -> Result<String, ToolFailure>;

    /// The wall clock, for time stamps only.
    fn now(&mut self) -> Timestamp;

    /// A clock that never goes back, for durations.
    fn monotonic(&mut self) -> Duration;

    /// Unpredictable bytes, for ids.
    fn random(&mut self) -> [u8; 16];
}
