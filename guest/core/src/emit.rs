//! Delivering events: one batch, one request, and what to do where it was not taken.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use crate::answer::{Flaw, retry_after};
use crate::config::Config;
use crate::exchange::MAX_REQUEST_BYTES;
use crate::json;
use crate::ports::Outside;
use crate::request;
use crate::types::{Cause, EmitError, Event, Receipt, Retry};

/// The most events in one batch.
pub const MAX_BATCH: usize = 10;

/// Sends one batch, in order, within `timeout`. Any status of 200 to 299 means that it was taken.
///
/// # Errors
/// It was not taken; [`EmitError::retry`] says whether sending it again can help. A batch that is
/// empty, over [`MAX_BATCH`], over [`MAX_REQUEST_BYTES`] or not made of JSON objects never can.
pub(crate) fn send<P: Outside>(
    config: &Config,
    ports: &mut P,
    events: &[Event],
    timeout: Duration,
) -> Result<Receipt, EmitError> {
    let accepted = match u32::try_from(events.len()) {
        Ok(count @ 1..=10) => count,
        _ => {
            let message = format!("a batch has 1 to {MAX_BATCH} events, not {}", events.len());
            return Err(unusable(Cause::InvalidArguments, message));
        }
    };
    let body = envelope(events)?;
    let response = match ports.exchange(request::events(config, body), timeout) {
        Ok(response) => response,
        Err(fault) => {
            let flaw = Flaw::from(fault);
            return Err(EmitError {
                cause: flaw.cause,
                status: None,
                retry: Retry::Later,
                retry_after_seconds: None,
                message: flaw.reason,
            });
        }
    };
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(Receipt { accepted });
    }
    Err(EmitError {
        cause: match status {
            300..=399 => Cause::Redirect,
            _ => Cause::Status,
        },
        status: Some(status),
        retry: match status {
            // About what the events say: the others of the batch must not wait for ever.
            400 | 406 | 409 | 413 | 415 | 422 | 431 | 451 => Retry::Never,
            // Also where somebody must act first, a key for instance: no event is lost for that.
            _ => Retry::Later,
        },
        retry_after_seconds: retry_after(&response),
        message: format!("the policy service answered the events with status {status}"),
    })
}

fn envelope(events: &[Event]) -> Result<String, EmitError> {
    let mut body = String::from("{\"events\":[");
    for (index, event) in events.iter().enumerate() {
        match json::check(&event.body) {
            Ok("object") => {}
            _ => {
                let message = format!("the event `{}` is not a JSON object", event.event_id);
                return Err(unusable(Cause::InvalidArguments, message));
            }
        }
        if index > 0 {
            body.push(',');
        }
        body.push_str(&event.body);
    }
    body.push_str("]}");
    if body.len() > MAX_REQUEST_BYTES {
        let message = format!("the events are longer than {MAX_REQUEST_BYTES} bytes: send fewer");
        return Err(unusable(Cause::TooLarge, message));
    }
    Ok(body)
}

fn unusable(cause: Cause, message: impl ToString) -> EmitError {
    EmitError {
        cause,
        status: None,
        retry: Retry::Never,
        retry_after_seconds: None,
        message: message.to_string(),
    }
}

/// A governor that is not configured cannot deliver, but its events keep.
pub(crate) fn unconfigured(message: String) -> EmitError {
    EmitError {
        cause: Cause::Configuration,
        retry: Retry::Later,
        ..unusable(Cause::Configuration, message)
    }
}
