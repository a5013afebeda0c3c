//! What `wit-bindgen` makes of the world. Only `component` and `passing` look in here.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "generated"
)]

// Of WASI's interfaces the bindings are in the `wasip2` crate.
wit_bindgen::generate!({
    world: "thoth:http/http-governor",
    path: [env!("WASI_WIT"), "../incoming/wit", "wit"],
    with: {
        "wasi:clocks/monotonic-clock@0.2.12": wasip2::clocks::monotonic_clock,
        "wasi:io/error@0.2.12": wasip2::io::error,
        "wasi:io/poll@0.2.12": wasip2::io::poll,
        "wasi:io/streams@0.2.12": wasip2::io::streams,
        "wasi:http/types@0.2.12": wasip2::http::types,
    },
    generate_all,
});

export!(Component with_types_in self);

/// Implements the exports, in `component`.
pub(crate) struct Component;
