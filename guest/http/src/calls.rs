//! A request to an MCP server: each `tools/call` in it is a call of the tool that it names.

use alloc::string::String;
use alloc::vec::Vec;

use thoth_core::rpc::{self, Malformed, Messages};
use thoth_core::{Cause, Ruling, json};
use wasip2::http::types::{IncomingRequest, Method};

use crate::answer::Answer;
use crate::body::{self, Unread};
use crate::component::{Cleared, with};

/// Asks about the calls in a request.
///
/// # Errors
/// It is not handed on; what is answered.
pub(crate) fn cleared(request: &IncomingRequest) -> Result<Cleared, Answer> {
    match request.method() {
        Method::Post => {}
        // Nothing in them runs a tool. Should they have a body, nobody gets to read it.
        Method::Get | Method::Head | Method::Delete | Method::Options => {
            return Ok(Cleared {
                body: Some(Vec::new()),
                tickets: Vec::new(),
            });
        }
        _ => return Err(unusable(405, "an MCP server is not asked with this method")),
    }
    is_json(request)?;
    let timeout = with(|gate, _| gate.body_timeout());
    let body = body::read(request, json::MAX_BYTES, timeout).map_err(|unread| match unread {
        Unread::TooLong => unusable(413, "the body is longer than it may be"),
        Unread::Late => unusable(408, "the body did not arrive in time"),
        Unread::Broken => unusable(400, "the body broke off"),
    })?;
    let messages = rpc::read(&body).map_err(|malformed| Answer::rpc(400, malformed.answer()))?;
    decided(messages, body)
}

/// The body must be JSON, in bytes that say what they are.
fn is_json(request: &IncomingRequest) -> Result<(), Answer> {
    let headers = request.headers();
    if !headers.get("content-encoding").is_empty() {
        return Err(unusable(415, "a body with a content-encoding is not taken"));
    }
    let types = headers.get("content-type");
    let only = match types.as_slice() {
        [only] => core::str::from_utf8(only).unwrap_or_default(),
        _ => "",
    };
    if is_json_type(only) {
        Ok(())
    } else {
        Err(unusable(415, "the content-type must be application/json"))
    }
}

/// `application/json`, in UTF-8 if it says in what.
fn is_json_type(text: &str) -> bool {
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    is_json
        && parts.all(|parameter| {
            let known = ["", "charset=utf-8", "charset=\"utf-8\""];
            known
                .iter()
                .any(|known| parameter.eq_ignore_ascii_case(known))
        })
}

fn unusable(status: u16, why: &str) -> Answer {
    Answer::rpc(status, Malformed::new(why).answer())
}

/// Asks about each call, until one is refused. Then none of the messages is handed on.
fn decided(mut messages: Messages, body: Vec<u8>) -> Result<Cleared, Answer> {
    let mut tickets = Vec::new();
    let mut modified = false;
    for call in messages.calls() {
        let ruling = with(|gate, ports| gate.check(ports, &call.tool, Ok(&call.arguments)));
        match ruling {
            Ruling::Run(ticket, permit) => {
                tickets.push((call.index, ticket));
                if permit.is_modified() {
                    modified = true;
                    if let Err(why) = messages.modify(call.index, permit.arguments()) {
                        return Err(refused(&messages, tickets, None, &why));
                    }
                }
            }
            Ruling::Refuse(told) => {
                let told = (call.index, told.cause, told.text);
                let why = "another call in the same batch was refused";
                return Err(refused(&messages, tickets, Some(told), why));
            }
        }
    }
    let body = match modified {
        true => messages.body().into_bytes(),
        false => body,
    };
    let tickets = tickets.into_iter().map(|(_, ticket)| ticket).collect();
    let body = Some(body);
    Ok(Cleared { body, tickets })
}

/// The answer where a call is refused: those that would have run do not run either, and say why.
fn refused(
    messages: &Messages,
    tickets: Vec<(usize, u64)>,
    told: Option<(usize, Cause, String)>,
    why: &str,
) -> Answer {
    let rejected = tickets.into_iter().map(|(index, ticket)| {
        let told = with(|gate, ports| gate.reject(ports, ticket, why));
        (index, told.cause, told.text)
    });
    let told: Vec<_> = rejected.chain(told).collect();
    Answer::rpc(200, messages.refusals(&told))
}
