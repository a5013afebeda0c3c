//! The core module inside of the adapter that `thoth wrap` puts around a component.
//!
//! For each function of the component, `thoth wrap` adds a trampoline to this module, which stores the
//! parameters in [slots](slots), asks [`thoth_enter`](call) what to do, calls the function of the
//! component only if it may, and tells [`thoth_leave`](call) that it returned. What the parameters and
//! results are is in a table of types that it adds as well. So nothing is compiled when a component is
//! wrapped, and all that decides is here and in `thoth-interpreter`.
//!
//! It imports the governor's gate and the component's functions, and nothing else: no WASI.
#![cfg_attr(target_family = "wasm", no_std)]

extern crate alloc;

#[cfg(target_family = "wasm")]
mod call;
#[cfg(target_family = "wasm")]
mod gate;
#[cfg(target_family = "wasm")]
mod slots;
