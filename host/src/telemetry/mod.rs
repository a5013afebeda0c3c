//! What is told to OpenTelemetry: one span a governed call with what happened under it, and figures.
//!
//! Everything goes to the global providers of the `opentelemetry` crate, as they are when a runtime is
//! built. Without any, nothing is recorded and nothing leaves; a trace that the caller began is carried
//! on all the same. No argument, no result and no secret is in a span, and every text in one is cut.

mod figures;
mod traced;

use std::borrow::Cow;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};

use self::figures::Figures;
pub(crate) use self::traced::{Judged, Traced};
use crate::calling::TraceParent;

/// The instrumentation's name.
const NAME: &str = "thoth";

/// The longest text in a span, in bytes.
const TEXT_MAX: usize = 256;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Where spans and figures go.
pub(crate) struct Telemetry {
    tracer: BoxedTracer,
    pub(crate) figures: Figures,
}

impl Telemetry {
    /// To the global providers that there are now.
    pub(crate) fn new() -> Self {
        Self {
            tracer: global::tracer(NAME),
            figures: Figures::new(&global::meter(NAME)),
        }
    }

    /// Begins a span under another one. `attributes` are made only if somebody records them.
    fn begin(
        &self,
        parent: &Context,
        name: impl Into<Cow<'static, str>>,
        kind: SpanKind,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Context {
        let builder = self.tracer.span_builder(name).with_kind(kind);
        let span = self.tracer.build_with_context(builder, parent);
        let here = parent.with_span(span);
        if here.span().is_recording() {
            here.span().set_attributes(attributes());
        }
        here
    }
}

/// Where a call belongs: to the trace that its caller names, or to the span that is active here.
fn parent(named: Option<&TraceParent>) -> Context {
    match named {
        Some(named) => Context::new().with_remote_span_context(named.span_context()),
        None => Context::current(),
    }
}

/// A place in a trace, as a header. Nothing without a trace.
#[derive(Clone, Debug)]
pub(crate) struct Place(Option<HeaderValue>);

impl Place {
    fn of(context: &SpanContext) -> Self {
        let header = context.is_valid().then(|| {
            let (trace, span) = (context.trace_id(), context.span_id());
            let flags = context.trace_flags().to_u8();
            HeaderValue::from_str(&format!("00-{trace}-{span}-{flags:02x}")).ok()
        });
        Self(header.flatten())
    }

    /// The header's value.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        self.0.clone()
    }

    /// Sets it, and takes out what a guest says about that.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        headers.remove(TRACE_PARENT);
        headers.remove(TRACE_STATE);
        if let Some(place) = &self.0 {
            headers.insert(TRACE_PARENT, place.clone());
        }
    }
}

/// A text of someone else's, of bounded length.
fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_callers_trace_is_carried_on_without_a_provider() {
        let named = TraceParent::parse(PARENT).unwrap();
        let telemetry = Telemetry::new();
        let here = telemetry.begin(
            &parent(Some(&named)),
            "execute_tool x",
            SpanKind::Internal,
            || unreachable!("nobody records"),
        );
        let mut headers = HeaderMap::new();
        headers.insert(TRACE_PARENT, HeaderValue::from_static("forged"));
        headers.insert(TRACE_STATE, HeaderValue::from_static("forged=1"));
        Place::of(here.span().span_context()).put(&mut headers);
        assert_eq!(headers[TRACE_PARENT], PARENT);
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn without_a_trace_there_is_no_header() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACE_PARENT, HeaderValue::from_static(PARENT));
        Place::of(&SpanContext::NONE).put(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"é".repeat(200)).len(), TEXT_MAX);
        assert_eq!(cut(&format!("x{}", "é".repeat(200))).len(), TEXT_MAX - 1);
    }
}
