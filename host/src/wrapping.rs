//! Wrapped components: what is embedded for them.
//!
//! Making one is `thoth_wrap`'s, which is here under its own names.

pub use thoth_wrap::{
    Answer, Denial, Digest, Error, ErrorMap, Front, Fronted, Governed, Integrity, Kind, Options,
    Refusal, Seal, Wrapped, error_map, front, seal, verify, wrap,
};

/// The governor that travels with a component, as this version builds it.
pub const GOVERNOR: &[u8] = include_bytes!(env!("THOTH_PORTABLE_GOVERNOR_WASM"));

/// The governor that stands in front of an HTTP service.
pub const HTTP_GOVERNOR: &[u8] = include_bytes!(env!("THOTH_HTTP_GOVERNOR_WASM"));
