//! Sending spans and figures to a collector: OTLP in protobuf over HTTP, as the `OTEL_*` variables say.
//!
//! Off, unless one of them asks for it. What goes wrong here is said and never fails a command, since the
//! variables are often set for other programs as well.

mod collector;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::{Context, Key, KeyValue, global};
use opentelemetry_otlp::{MetricExporter, SpanExporter as OtlpSpans, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
};
use thoth_host::inert;
use tokio::runtime::Handle;

use self::collector::Collector;
use self::settings::{Signal, Target};

/// How long a command that has ended waits for a collector.
const FLUSH: Duration = Duration::from_millis(1_500);

/// What is sent while a command runs.
pub(crate) struct Telemetry {
    spans: Option<SdkTracerProvider>,
    figures: Option<SdkMeterProvider>,
    tally: Arc<Tally>,
}

/// Begins to send what the variables ask for; connections belong to this runtime.
pub(crate) fn start(runtime: &Handle) -> Telemetry {
    let tally = Arc::default();
    let spans = target(Signal::Traces).and_then(|to| said(spans(to, runtime, &tally)));
    let figures = target(Signal::Metrics).and_then(|to| said(figures(to, runtime)));
    if let Some(spans) = &spans {
        global::set_tracer_provider(spans.clone());
    }
    if let Some(figures) = &figures {
        global::set_meter_provider(figures.clone());
    }
    Telemetry {
        spans,
        figures,
        tally,
    }
}

fn target(signal: Signal) -> Option<Target> {
    said(settings::read(signal)).flatten()
}

fn said<T>(made: Result<T, String>) -> Option<T> {
    made.map_err(|why| say!("thoth: telemetry is off: {}", inert(&why, 300)))
        .ok()
}

fn spans(to: Target, runtime: &Handle, tally: &Arc<Tally>) -> Result<SdkTracerProvider, String> {
    let exporter = OtlpSpans::builder()
        .with_http()
        .with_http_client(Collector::new(to, runtime)?)
        .build()
        .map_err(|error| error.to_string())?;
    let exporter = Counted(exporter, Arc::clone(tally));
    let processor = BatchSpanProcessor::builder(exporter).build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(Counted(processor, Arc::clone(tally)))
        .with_resource(resource())
        .build())
}

fn figures(to: Target, runtime: &Handle) -> Result<SdkMeterProvider, String> {
    let exporter = MetricExporter::builder()
        .with_http()
        .with_http_client(Collector::new(to, runtime)?)
        .build()
        .map_err(|error| error.to_string())?;
    Ok(SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(exporter).build())
        .with_resource(resource())
        .build())
}

/// What the variables say about this process; its name is `thoth` where they do not.
fn resource() -> Resource {
    let found = Resource::builder();
    let name = Key::from_static_str("service.name");
    let named = found.build();
    let is_named = named
        .get(&name)
        .is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let mut ours = vec![KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))];
    if !is_named {
        ours.push(KeyValue::new(name, "thoth"));
    }
    Resource::builder().with_attributes(ours).build()
}

impl Telemetry {
    /// Sends what is left, for at most [`FLUSH`], and says what did not arrive.
    pub(crate) fn finish(self) {
        let (done, ended) = mpsc::channel();
        let end = Instant::now() + FLUSH;
        // The library waits for longer than we do, so not in this thread, which ends with the process.
        let shut = |name: &str, close: Box<dyn FnOnce() + Send>| {
            let done = done.clone();
            let ending = thread::Builder::new().name(name.into());
            let _never_started = ending.spawn(move || {
                close();
                done.send(())
            });
        };
        if let Some(spans) = self.spans {
            shut("spans", Box::new(move || drop(spans.shutdown())));
        }
        if let Some(figures) = self.figures {
            shut("figures", Box::new(move || drop(figures.shutdown())));
        }
        drop(done);
        while ended
            .recv_timeout(end.saturating_duration_since(Instant::now()))
            .is_ok()
        {}
        let lost = self.tally.lost();
        if lost > 0 {
            say!("thoth: telemetry: {lost} spans did not reach the collector");
        }
    }
}

/// How many spans ended, and how many of them a collector took.
#[derive(Debug, Default)]
struct Tally {
    ended: AtomicU64,
    taken: AtomicU64,
}

impl Tally {
    /// Those that found the queue full, that the collector refused, or that it had no time for.
    fn lost(&self) -> u64 {
        let taken = self.taken.load(Ordering::Acquire);
        self.ended.load(Ordering::Acquire).saturating_sub(taken)
    }
}

/// The library drops what does not fit its queue, and what cannot be sent; this counts it.
#[derive(Debug)]
struct Counted<T>(T, Arc<Tally>);

impl<T: SpanProcessor> SpanProcessor for Counted<T> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.1.ended.fetch_add(1, Ordering::AcqRel);
        }
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

impl<T: SpanExporter> SpanExporter for Counted<T> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let exported = self.0.export(batch).await;
        if exported.is_ok() {
            self.1.taken.fetch_add(count, Ordering::AcqRel);
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}
