//! The embedded enforcer: a function from an HTTP request to an HTTP response, with two carriers.
//!
//! [`Policy`] is a checked set of Cedar policies, [`Store`] keeps holds, events and violations across
//! restarts, and [`Enforcer::handle`] answers one request. A host calls it in process, or puts it on
//! loopback with [`serve`], where any Thoth SDK can use it. Whatever is not understood is a block or
//! an HTTP error; neither lets a tool run.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod api;
mod binding;
mod call;
mod enforcer;
mod json;
mod page;
mod policy;
mod secret;
mod serve;
mod store;

pub use enforcer::{Enforcer, Options, OptionsError};
pub use policy::{Check, Policy, PolicyError, Problem};
pub use secret::Secret;
pub use serve::{serve, serve_approvals};
pub use store::{Approval, ApprovalStatus, Resolution, ResolveError, Store, StoreError};
