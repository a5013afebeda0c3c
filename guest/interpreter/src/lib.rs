//! JSON to and from values as they lie in a component's linear memory, directed by a [`Table`] of
//! types: what the adapter of a wrapped component does at each of its calls.
//!
//! How values are written in JSON is the table in the README, and the same as in `thoth-values`. Here
//! nothing knows `wasmtime`, and nothing allocates but the text that is written: a value is read where
//! the canonical ABI put it, and written where it will be read.
//!
//! * [`lift`]: a value to JSON, at most [`MAX_BYTES`] of it.
//! * [`lower`]: JSON to a value, type-checked on the way, with the place of the first misfit.
//! * [`flat`]: a value in memory to and from the flat parameters of a core function.
//! * [`Builder`]: the table of types, which `thoth wrap` writes.
//! * [`denial`]: the refusal of a call as a value of its error type.
//!
//! Recursion is by type, never by data, and `thoth wrap` bounds how deep types nest.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

extern crate alloc;

mod builder;
pub mod denial;
pub mod flat;
pub mod layout;
pub mod lift;
pub mod lower;
mod memory;
mod misfit;
mod number;
mod reader;
mod room;
mod table;
mod writer;

pub use builder::{Builder, Type};
pub use memory::{Fault, Memory};
pub use misfit::Misfit;
pub use room::Room;
pub use table::{Function, Member, Node, Table};

/// The longest JSON that is written or read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// How many values the arguments of one call may become: options that are absent cost no JSON.
pub const MAX_VALUES: usize = 262_144;

/// How much memory the arguments of one call may become, in bytes.
pub const MAX_LOWERED: usize = 16 << 20;
