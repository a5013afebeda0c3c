//! What `wit-bindgen` makes of the world.
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
    world: "thoth:incoming/incoming",
    path: [env!("WASI_WIT"), "wit"],
    with: {
        "wasi:clocks/monotonic-clock@0.2.12": wasip2::clocks::monotonic_clock,
        "wasi:io/error@0.2.12": wasip2::io::error,
        "wasi:io/poll@0.2.12": wasip2::io::poll,
        "wasi:io/streams@0.2.12": wasip2::io::streams,
        "wasi:http/types@0.2.12": wasip2::http::types,
    },
});

export!(Component with_types_in self);

/// Implements the exports.
pub(crate) struct Component;
