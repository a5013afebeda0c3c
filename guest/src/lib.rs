//! The governor component: `thoth-core` behind the world `thoth:governance/governor`.
//!
//! Nothing is decided here. This crate turns the bindings' values into the core's and back
//! (`convert`), and gives the core its outside: the imported outbox and tool (`outside`), and WASI
//! (`thoth-shell`).
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod bindings;
mod component;
mod convert;
mod outside;
