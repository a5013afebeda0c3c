//! The governor component: `thoth-core` behind the world `thoth:governance/governor`.
//!
//! Nothing is decided here. This crate turns the bindings' values into the core's and back
//! (`convert`), and gives the core its outside: the HTTP exchange with its deadline (`http`), the
//! imported outbox and tool, clocks and chance (`outside`).
//!
//! It is built without `std`, which would import standard streams, files and `exit` for its own use.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod bindings;
mod component;
mod convert;
mod http;
mod outside;

#[cfg(target_family = "wasm")]
mod runtime;
