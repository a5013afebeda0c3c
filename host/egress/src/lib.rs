//! The one way by which a tool's requests leave the process.
//!
//! An [`Egress`] belongs to one call of one tool. It takes a request's head apart, matches it with
//! what the tool was granted, and only then gives a [`Permitted`], which is the only thing that can
//! be sent. Secrets are put in on this side and masked in whatever comes back: the tool never holds
//! one. Every attempt, allowed or not, leaves an [`Attempt`] for the log.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod attempts;
mod budgets;
mod egress;
mod headers;
mod mask;
mod permitted;
mod refused;
mod response;
mod secrets;
mod shared;
mod template;

pub use attempts::{Attempt, Attempts, Outcome};
pub use budgets::{Budgets, Usage};
pub use egress::{Answer, Egress, Policy};
pub use permitted::{Described, Permitted};
pub use refused::{Budget, Kind, Refused, Unreachable};
pub use secrets::Secrets;
