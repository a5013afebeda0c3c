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

// Of WASI's interfaces only what the import names; the rest is in the `wasip2` crate.
wit_bindgen::generate!({
    inline: "
        package thoth:http@0.1.0;

        world http-governor {
            import wasi:http/incoming-handler@0.2.12;
        }

        package wasi:http@0.2.12 {
            interface types {
                resource incoming-request;
                resource response-outparam;
            }
            interface incoming-handler {
                use types.{incoming-request, response-outparam};
                handle: func(request: incoming-request, response-out: response-outparam);
            }
        }
    ",
    with: { "wasi:http/types@0.2.12": wasip2::http::types },
    generate_all,
});

wasip2::http::proxy::export!(Component);

/// Implements the export, in `component`.
pub struct Component;
