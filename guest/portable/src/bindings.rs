//! What `wit-bindgen` makes of the world. Only `component` looks in here.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "generated"
)]

wit_bindgen::generate!({
    world: "portable-governor",
    path: "../../wit",
});

export!(Component with_types_in self);

/// Implements the exports, in `component`.
pub struct Component;
