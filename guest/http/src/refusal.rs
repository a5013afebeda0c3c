//! A refusal as an HTTP answer.

use alloc::string::ToString;
use alloc::vec::Vec;

use thoth_core::{Cause, Refused};
use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// What a stream of WASI 0.2 takes in one blocking write, in bytes.
const WRITE_MAX: usize = 4096;

/// Answers with why the request did not pass. A host that does not take the answer gets none, and
/// tells its client so; the service has not seen the request either way.
pub(crate) fn answer(refused: &Refused, response_out: ResponseOutparam) {
    let mut fields: Vec<(alloc::string::String, Vec<u8>)> = alloc::vec![
        ("content-type".to_string(), b"application/json".to_vec()),
        ("cache-control".to_string(), b"no-store".to_vec()),
    ];
    if let Some(seconds) = refused.retry_after_seconds {
        let seconds = seconds.to_string().into_bytes();
        fields.push(("retry-after".to_string(), seconds));
    }
    let Ok(fields) = Fields::from_list(&fields) else {
        return;
    };
    let response = OutgoingResponse::new(fields);
    let status = status(refused.cause);
    let (Ok(()), Ok(body)) = (response.set_status_code(status), response.body()) else {
        return;
    };
    ResponseOutparam::set(response_out, Ok(response));
    if let Ok(stream) = body.write() {
        // A client that has left does not hear it.
        for part in refused.text.as_bytes().chunks(WRITE_MAX) {
            if stream.blocking_write_and_flush(part).is_err() {
                break;
            }
        }
        drop(stream);
        let _left = OutgoingBody::finish(body, None);
    }
}

/// 403 where somebody said no, 503 where nobody could be asked or may be asked later.
fn status(cause: Cause) -> u16 {
    match cause {
        Cause::Policy
        | Cause::Denied
        | Cause::Expired
        | Cause::InvalidArguments
        | Cause::InvalidModify
        | Cause::Budget => 403,
        Cause::Deferred
        | Cause::Unreachable
        | Cause::Timeout
        | Cause::Protocol
        | Cause::Status
        | Cause::Redirect
        | Cause::ContentType
        | Cause::Encoding
        | Cause::Decode
        | Cause::TooLarge
        | Cause::Ambiguous
        | Cause::Mismatch
        | Cause::InvalidHold
        | Cause::Tls
        | Cause::NotRecorded
        | Cause::Configuration
        | Cause::GovernorFault => 503,
    }
}
