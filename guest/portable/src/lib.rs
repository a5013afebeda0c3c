//! The portable governor component: `thoth-core` behind the world
//! `thoth:governance/portable-governor`.
//!
//! Nothing is decided here; see `thoth_core::gate`.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

mod bindings;
mod component;
