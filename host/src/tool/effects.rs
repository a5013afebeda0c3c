//! What a running tool asks of whoever decides about its effects: outgoing requests, opened files.

use std::pin::Pin;

use serde_json::{Map, Value};

use crate::telemetry::Place;

/// Something that a running call is about to do outside of its sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Effect {
    /// What it is called on the wire: `effect:http` or `effect:file`.
    pub(crate) tool: &'static str,
    /// What is told about it.
    pub(crate) arguments: Map<String, Value>,
    /// The host and the port of the server that it is about, where a grant let it through.
    pub(crate) server: Option<(String, u16)>,
    /// Whether the enforcer decides about it, after the grant let it through.
    pub(crate) govern: bool,
}

pub(crate) type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Does it, once, at its place in a trace, and tells how that ended.
pub(crate) type Act = Box<dyn FnOnce(Place) -> Later<Result<Value, String>> + Send>;

/// Decides about effects and records them. An effect is in the durable log before it happens.
pub(crate) trait Effects: Send + Sync {
    /// Does it if that is allowed. An error says why it did not happen, or failed, in words for the
    /// operator.
    fn perform(&self, effect: Effect, act: Act) -> Later<Result<(), String>>;

    /// Records an effect that the grant does not let through.
    fn refused(&self, effect: Effect, why: String) -> Later<()>;

    /// Whether a secret was masked in what came back from an effect so far.
    fn has_masked(&self) -> bool;
}
