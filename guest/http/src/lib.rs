//! The governor of HTTP services: `thoth-core` in front of a component that exports
//! `wasi:http/incoming-handler`, composed with it by `thoth wrap --http`.
//!
//! It exports two handlers, one for any service and one for MCP servers, and imports the service's. A
//! request that is allowed goes on: its body as it streams, or the bytes that were decided on, in the
//! resources of `guest/incoming`. The service answers to the host itself, so answers always stream.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod answer;
mod bindings;
mod body;
mod calls;
mod component;
mod request;
