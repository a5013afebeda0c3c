//! What a caller may say about one call besides its arguments, and what it can watch.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use serde_json::Value;
use thoth_core::Hold;
use tokio::time::Instant;

use crate::governor::Use;
use crate::telemetry::Traced;

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// It is recorded, and the policy service is asked.
    Deciding,
    /// It was allowed, and the tool runs.
    Running,
    /// The tool runs, and stands still until a human decides about an effect of it.
    Parked,
    /// The tool has ended, and that is recorded.
    Ended,
}

/// What a caller says about one call. Nothing of it is identity, and nothing of it can allow anything.
#[derive(Clone, Default)]
pub struct CallOptions {
    pub(crate) call_id: Option<String>,
    pub(crate) trace_parent: Option<TraceParent>,
    pub(crate) watcher: Option<Watcher>,
}

type Watcher = Arc<dyn Fn(Stage) + Send + Sync>;

impl CallOptions {
    /// Nothing but the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a call id of the caller's: `action_attestation_id` on the wire. Default: a fresh UUID.
    #[must_use]
    pub fn call_id(mut self, id: impl Into<String>) -> Self {
        self.call_id = Some(id.into());
        self
    }

    /// With the trace that the call belongs to. The policy service finds it as `traceparent` in the
    /// request's metadata. Default: the span that is active in `opentelemetry::Context::current()`.
    #[must_use]
    pub fn trace_parent(mut self, parent: Option<TraceParent>) -> Self {
        self.trace_parent = parent;
        self
    }

    /// Tells how far the call has come. It is called on the way, so it must not block.
    #[must_use]
    pub fn watched(mut self, watcher: impl Fn(Stage) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Arc::new(watcher));
        self
    }

    /// Who looks on while the call goes its way.
    pub(crate) fn onlookers(self, traced: Traced) -> Onlookers {
        let watcher = self.watcher;
        Onlookers { watcher, traced }
    }
}

/// Who looks on while a call goes its way: its caller, and its trace.
#[derive(Clone)]
pub(crate) struct Onlookers {
    watcher: Option<Watcher>,
    pub(crate) traced: Traced,
}

impl Onlookers {
    pub(crate) fn tell(&self, stage: Stage) {
        if let Some(watcher) = &self.watcher {
            watcher(stage);
        }
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions")
            .field("call_id", &self.call_id)
            .field("trace_parent", &self.trace_parent)
            .finish_non_exhaustive()
    }
}

/// A `traceparent` (W3C Trace Context): where a call belongs in a trace. It comes from whoever calls, so
/// only the one form of version 00 is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

impl TraceParent {
    /// Reads one; none if it is anything but version, trace id, parent id and flags in lower-case hex.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let [version, trace, parent, flags] = parts.as_slice() else {
            return None;
        };
        let is_hex = |text: &str, length| {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            text.len() == length && text.bytes().all(hex)
        };
        let is_id = |text: &str, length| is_hex(text, length) && text.bytes().any(|b| b != b'0');
        let whole = *version == "00" && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
        whole.then(|| Self(text.to_owned()))
    }

    /// The same for a tracer: a parent in another process.
    pub(crate) fn span_context(&self) -> SpanContext {
        let part = |from, to| self.0.get(from..to).unwrap_or_default();
        let trace = TraceId::from_hex(part(3, 35)).unwrap_or(TraceId::INVALID);
        let span = SpanId::from_hex(part(36, 52)).unwrap_or(SpanId::INVALID);
        let flags = u8::from_str_radix(part(53, 55), 16).unwrap_or_default();
        // The other flags are of versions to come, and not ours to pass on.
        let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
        SpanContext::new(trace, span, flags, true, TraceState::NONE)
    }

    /// A request's metadata with it. Metadata that is not a JSON object stays as it is, for the
    /// governor to refuse.
    pub(crate) fn within(&self, metadata: Option<String>) -> Option<String> {
        let object = match metadata.as_deref() {
            None => Ok(Value::Object(serde_json::Map::new())),
            Some(text) => thoth_core::json::parse(text),
        };
        match object {
            Ok(Value::Object(mut members)) => {
                members.insert("traceparent".into(), self.0.clone().into());
                Some(Value::Object(members).to_string())
            }
            _ => metadata,
        }
    }
}

/// A held call without its arguments, for a caller that keeps those itself and comes back with them.
///
/// Clones are one hold: whichever is approved first runs, and the others then do not.
#[derive(Debug, Clone)]
pub struct Held {
    /// The component and its function, which the hold's digest does not cover.
    pub(crate) sha256: String,
    pub(crate) name: String,
    pub(crate) call_id: String,
    pub(crate) hold: Hold,
    pub(crate) expires: Instant,
    /// Whether the call has run, in this copy of it or another: an approval is for one run.
    pub(crate) taken: Arc<AtomicBool>,
    /// The same towards the enforcer, and so towards other processes.
    pub(crate) used: Use,
    pub(crate) traced: Traced,
}

impl Held {
    /// The id of the call, the same over all resumptions.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// What the policy service said about the hold.
    pub fn hold(&self) -> &Hold {
        &self.hold
    }

    /// When the hold is over.
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// Whether its one run has begun.
    pub fn is_taken(&self) -> bool {
        self.taken.load(std::sync::atomic::Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_a_whole_traceparent_is_one() {
        assert_eq!(TraceParent::parse(GOOD), Some(TraceParent(GOOD.into())));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_trace_joins_the_metadata_and_never_breaks_it() {
        let parent = TraceParent::parse(GOOD).unwrap();
        let joined = parent.within(Some(r#"{"team":"ops"}"#.into())).unwrap();
        let joined: Value = serde_json::from_str(&joined).unwrap();
        assert_eq!(joined["team"], "ops");
        assert_eq!(joined["traceparent"], GOOD);
        assert_eq!(parent.within(Some("[1]".into())), Some("[1]".into()));
    }
}
