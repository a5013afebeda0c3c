//! The core module that shows a wrapped component the chosen names of its environment
//! (`thoth wrap --keep-env`), and nothing else of what `wasi:cli/environment` tells.
//!
//! The governor's key is in the environment of the whole, so a component must not see that. The names
//! are put behind this module's memory by `thoth wrap`: their number, and each with its length before
//! it, as 32-bit words.
#![cfg_attr(target_family = "wasm", no_std)]

#[cfg(target_family = "wasm")]
mod filter;
