//! A collector on loopback that decodes what it gets.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message;
use thoth_tests::{Faultd, Reply, Site, Thoth, thoth::Invocation};

/// A caller's place in a trace.
pub(crate) const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const SPAN: &str = "00f067aa0ba902b7";

/// A collector that takes everything.
pub(crate) struct Collector(pub(crate) Faultd);

/// A span as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) is_error: bool,
}

impl Span {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

impl Collector {
    pub(crate) fn start() -> Self {
        let service = Faultd::start();
        let taken = Reply::with_headers(200, &[("content-type", "application/x-protobuf")], "");
        service.always(Site::Other, taken);
        Self(service)
    }

    /// The command told to send here.
    pub(crate) fn of(&self, invocation: Invocation) -> Invocation {
        invocation.env("OTEL_EXPORTER_OTLP_ENDPOINT", self.0.url())
    }

    fn bodies<T: Message + Default>(&self, path: &str) -> Vec<T> {
        let requests = self.0.requests_to(Site::Other).into_iter();
        requests
            .filter(|request| request.path == path)
            .map(|request| {
                assert_eq!(
                    request.header("content-type"),
                    Some("application/x-protobuf")
                );
                T::decode(request.body.as_slice()).unwrap()
            })
            .collect()
    }

    /// Every span that arrived, in the order of arrival.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for body in self.bodies::<ExportTraceServiceRequest>("/v1/traces") {
            for resource in body.resource_spans {
                for scope in resource.scope_spans {
                    spans.extend(scope.spans.into_iter().map(|span| Span {
                        name: span.name,
                        trace: hex(&span.trace_id),
                        id: hex(&span.span_id),
                        parent: hex(&span.parent_span_id),
                        attributes: texts(span.attributes),
                        is_error: span.status.is_some_and(|status| status.code == 2),
                    }));
                }
            }
        }
        spans
    }

    /// The only span of this name.
    pub(crate) fn span(&self, name: &str) -> Span {
        let spans = self.spans();
        let mut found = spans.iter().filter(|span| span.name == name);
        let span = found
            .next()
            .unwrap_or_else(|| panic!("no `{name}`: {spans:#?}"));
        assert!(found.next().is_none(), "more than one `{name}`: {spans:#?}");
        span.clone()
    }

    /// What the resource says, of the first batch of spans.
    pub(crate) fn resource(&self) -> BTreeMap<String, String> {
        let bodies = self.bodies::<ExportTraceServiceRequest>("/v1/traces");
        let resource = bodies[0].resource_spans[0].resource.clone();
        texts(resource.unwrap().attributes)
    }

    /// The last value of every figure: `name{attribute=value,…}` of a count, and how often something was
    /// measured.
    pub(crate) fn figures(&self) -> BTreeMap<String, u64> {
        let mut figures = BTreeMap::new();
        let mut put = |name: &str, attributes: Vec<KeyValue>, value: u64| {
            let texts: Vec<_> = texts(attributes)
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            figures.insert(format!("{name}{{{}}}", texts.join(",")), value);
        };
        for body in self.bodies::<ExportMetricsServiceRequest>("/v1/metrics") {
            let scopes = body.resource_metrics.into_iter();
            let scopes = scopes.flat_map(|resource| resource.scope_metrics);
            for metric in scopes.flat_map(|scope| scope.metrics) {
                let points = match metric.data.unwrap() {
                    metric::Data::Sum(sum) => sum.data_points,
                    metric::Data::Gauge(gauge) => gauge.data_points,
                    metric::Data::Histogram(histogram) => {
                        for point in histogram.data_points {
                            put(&metric.name, point.attributes, point.count);
                        }
                        continue;
                    }
                    other => panic!("{other:?}"),
                };
                for point in points {
                    let value = match point.value.unwrap() {
                        number_data_point::Value::AsInt(value) => value.try_into().unwrap(),
                        number_data_point::Value::AsDouble(value) => panic!("{value}"),
                    };
                    put(&metric.name, point.attributes, value);
                }
            }
        }
        figures
    }

    /// All bytes that arrived, as text where they are some.
    pub(crate) fn text(&self) -> String {
        let requests = self.0.requests_to(Site::Other);
        let bodies = requests
            .iter()
            .map(|request| String::from_utf8_lossy(&request.body));
        bodies.collect()
    }
}

pub(crate) fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth")).env("THOTH_ACTION_ATTESTATION_ID", "call-1")
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let attributes = attributes.into_iter();
    attributes
        .map(|attribute| {
            (
                attribute.key,
                text(attribute.value.and_then(|value| value.value)),
            )
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
