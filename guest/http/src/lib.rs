//! The governor of HTTP services: `thoth-core` in front of a component that exports
//! `wasi:http/incoming-handler`, composed with it by `thoth wrap --http`.
//!
//! It imports the service's handler and exports its own. A request that is allowed goes on as it came:
//! the service gets the host's own request and answers to the host itself, so that bodies stream both
//! ways. WASI 0.2 has no way to make a request of one's own for a handler: whoever reads a body cannot
//! pass it on. So what is decided on is the method, the target and the header fields that describe the
//! body, and arguments cannot be modified.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod bindings;
mod component;
mod question;
mod refusal;
