//! The body of a request, read as a whole within a limit and a time.

use alloc::vec::Vec;
use core::time::Duration;

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::IncomingRequest;
use wasip2::io::poll::poll;
use wasip2::io::streams::StreamError;

/// How much of a body is asked for at a time.
const CHUNK: u64 = 64 * 1024;

/// Why a body could not be read as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is longer than the limit.
    TooLong,
    /// It did not arrive in time.
    Late,
    /// It broke off.
    Broken,
}

/// Reads a body. Nothing of it is left with the host.
pub(crate) fn read(
    request: &IncomingRequest,
    limit: usize,
    timeout: Duration,
) -> Result<Vec<u8>, Unread> {
    // Not even the first byte of one that says how long it is.
    if length(request).is_some_and(|length| length > limit as u64) {
        return Err(Unread::TooLong);
    }
    let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    let deadline = monotonic_clock::subscribe_duration(nanoseconds);
    let incoming = request.consume().map_err(|()| Unread::Broken)?;
    let stream = incoming.stream().map_err(|()| Unread::Broken)?;
    let mut body = Vec::new();
    loop {
        match stream.read(CHUNK) {
            Ok(chunk) if chunk.is_empty() => {
                let event = stream.subscribe();
                if poll(&[&deadline, &event]).contains(&0) {
                    return Err(Unread::Late);
                }
            }
            Ok(chunk) if body.len() + chunk.len() > limit => return Err(Unread::TooLong),
            Ok(chunk) => {
                body.extend_from_slice(&chunk);
                // A stream that always has something must not outrun the deadline.
                if deadline.ready() {
                    return Err(Unread::Late);
                }
            }
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(_)) => return Err(Unread::Broken),
        }
    }
}

/// How long the body is by the header, where it says so clearly.
pub(crate) fn length(request: &IncomingRequest) -> Option<u64> {
    let [said] = <[_; 1]>::try_from(request.headers().get("content-length")).ok()?;
    core::str::from_utf8(&said).ok()?.trim().parse().ok()
}
