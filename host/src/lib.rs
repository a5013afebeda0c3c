//! Runs untrusted WebAssembly components as tools, and every call only on a policy service's word.
//!
//! A [`Runtime`] lives as long as the process, a [`Tool`] is a loaded component, a [`Session`] is
//! who calls, and [`Session::call`] is one governed call: recorded, decided, and only then run, in
//! a fresh and limited instance. What comes back is an [`Outcome`]: a refusal is one, not an error.
//!
//! The order of a governed call is written in the governor component, which this crate embeds; see
//! `guest/core/src/governed.rs`. How the parts fit is in `host/ARCHITECTURE.md`.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod answer;
mod budget;
mod builder;
mod calling;
mod clock;
mod dialect;
mod effects;
mod error;
mod folders;
mod governor;
mod identity;
mod inspector;
mod kept_hold;
pub mod log;
pub mod mcp;
mod outbox;
mod past;
mod runtime;
mod session;
mod telemetry;
mod tool;
pub mod toolbox;
pub mod wrapping;

pub use budget::Budget;
pub use builder::{Approvals, Builder, TIMEOUT};
pub use calling::{CallOptions, Held, Stage, TraceParent};
pub use dialect::{Dialect, Untellable};
pub use error::Error;
pub use folders::{default_cache_dir, default_config_file, default_state_dir, prepare_state_dir};
pub use identity::Identity;
pub use inspector::Inspector;
pub use runtime::{Runtime, Undelivered};
pub use session::{Call, CallError, HISTORY, HOLD_TIMEOUT, Session};
pub use thoth_core::{
    Capture, Cause, Decision, Evidence, FailureCause, Hold, Mode, Model, Outcome, Refusal,
    ToolFailure, Verdict,
};
pub use thoth_egress::Secrets;
pub use thoth_engine::{CompileLimits, Jail, compile_stdin_to_stdout};
pub use thoth_grants as grants;
pub use thoth_outbox::Status;
pub use thoth_transport::Secret;
pub use tool::{COMPONENT_MAX, Definition, Grant, Limits, Tool, Traces, Usage, inert, is_hidden};
