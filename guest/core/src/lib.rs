//! The logic of the Thoth governor: what is asked of a policy service, what counts as its answer,
//! and the one straight line of a governed call.
//!
//! No I/O and no wasm: everything outside comes through [`Ports`], so that the same code runs in the
//! governor component and, natively, under tests, fuzzers and mutation. No `std` either, so that the
//! component imports nothing that it does not use.
//!
//! The order of a governed call is in [`governed`]; what an answer of the policy service means is in
//! [`answer`], [`decision`] and [`hold`]. Both fail closed: what is not recognised is a block, and
//! its [`Cause`] says why.
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
#[cfg(test)]
extern crate std;

pub mod answer;
pub mod arguments;
pub mod config;
pub mod decision;
pub mod duration;
pub mod emit;
pub mod events;
pub mod exchange;
pub mod gate;
pub mod governed;
pub mod hold;
mod line;
mod permit;
pub mod ports;
pub mod request;
pub mod rpc;
pub mod settings;
mod text;
pub mod time;
mod types;
mod undelivered;

pub use config::{Config, ConfigError};
pub use duration::parse_duration;
pub use exchange::{Fault, FaultKind, Method, Request, Response};
pub use gate::{Ended, Gate, Refused, Ruling};
pub use governed::Governor;
pub use permit::Permit;
pub use ports::{Outside, Ports, Recorder, Waiting};
pub use settings::Settings;
pub use thoth_json::{self as json, JsonError, JsonErrorKind};
pub use time::Timestamp;
pub use types::{
    Capture, Cause, Decision, EmitError, Event, EventType, Evidence, FailureCause, Hold, Mode,
    Model, OutboxError, Outcome, Receipt, Refusal, Retry, Session, ToolCall, ToolFailure,
    UnknownMode, Verdict,
};
