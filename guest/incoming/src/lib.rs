//! Requests that can be handed on after their body was read.
//!
//! WASI 0.2 has no constructor for an `incoming-request`, so a component in front of a service could not
//! read a body and pass it on. `thoth wrap --http` gives the service inside these resources in place of
//! the host's: each is one of the host's, or bytes that were read. Nothing is decided here.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;
/// Memory, and the end of the world.
use thoth_shell as _;

mod bindings;
mod body;
mod request;
mod streams;

use alloc::vec::Vec;

use bindings::Component;
use bindings::exports::thoth::incoming::handing_on;
use bindings::exports::thoth::incoming::resources::{self, IncomingRequest};
use wasip2::http::types as host;
use wasip2::io::streams as host_streams;

impl handing_on::Guest for Component {
    fn unread(request: host::IncomingRequest) -> IncomingRequest {
        IncomingRequest::new(request::Request::unread(request))
    }

    fn with_body(request: host::IncomingRequest, body: Vec<u8>) -> IncomingRequest {
        IncomingRequest::new(request::Request::with_body(request, body))
    }

    fn of_host(host: host_streams::InputStream) -> resources::InputStream {
        resources::InputStream::new(streams::Input::Host(host))
    }
}
