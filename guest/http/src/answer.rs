//! What is answered in place of the service.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use thoth_core::{Cause, Refused};
use wasip2::http::types::{Fields, OutgoingBody, OutgoingResponse, ResponseOutparam};

/// What a stream of WASI 0.2 takes in one blocking write, in bytes.
const WRITE_MAX: usize = 4096;

/// An answer: JSON, with a status.
pub(crate) struct Answer {
    status: u16,
    retry_after_seconds: Option<u32>,
    text: String,
}

impl Answer {
    /// Why a request is not handed on.
    pub(crate) fn of(refused: &Refused) -> Self {
        Self {
            status: status(refused.cause),
            retry_after_seconds: refused.retry_after_seconds,
            text: refused.text.clone(),
        }
    }

    /// The same with another status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// What JSON-RPC answers.
    pub(crate) fn rpc(status: u16, text: String) -> Self {
        Self {
            status,
            retry_after_seconds: None,
            text,
        }
    }
}

/// Sends an answer. A host that does not take it has none, and tells its client so; the service has not
/// seen the request either way.
pub(crate) fn send(answer: &Answer, response_out: ResponseOutparam) {
    let mut fields: Vec<(String, Vec<u8>)> = vec![
        ("content-type".to_string(), b"application/json".to_vec()),
        ("cache-control".to_string(), b"no-store".to_vec()),
    ];
    if let Some(seconds) = answer.retry_after_seconds {
        let seconds = seconds.to_string().into_bytes();
        fields.push(("retry-after".to_string(), seconds));
    }
    let Ok(fields) = Fields::from_list(&fields) else {
        return;
    };
    let response = OutgoingResponse::new(fields);
    let (Ok(()), Ok(body)) = (response.set_status_code(answer.status), response.body()) else {
        return;
    };
    ResponseOutparam::set(response_out, Ok(response));
    if let Ok(stream) = body.write() {
        // A client that has left does not hear it.
        for part in answer.text.as_bytes().chunks(WRITE_MAX) {
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
