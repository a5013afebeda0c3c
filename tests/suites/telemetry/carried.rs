//! How a trace comes in: by a flag, by a variable, by MCP, by an embedder's own provider.

use std::sync::{Arc, Mutex};

use opentelemetry::trace::{
    FutureExt as _, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use serde_json::json;
use thoth_host::{Identity, Jail, Outcome, Runtime};
use thoth_tests::{Faultd, Mcp, Reply, tool};

use super::collector::{Collector, PARENT, SPAN, TRACE, thoth};

#[test]
fn the_variable_is_taken_where_there_is_no_flag_and_ignored_where_it_is_no_trace() {
    let service = Faultd::start();
    let sing = |parent: &str, flag: &[&str]| {
        let thoth = thoth();
        let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
        let call = call.args(["--enforcer-url", &service.url()]).args(flag);
        let _ran = call.env("TRACEPARENT", parent).run().json(0);
        let asked = service.requests_to(thoth_tests::Site::Enforce);
        asked
            .last()
            .unwrap()
            .header("traceparent")
            .map(str::to_owned)
    };
    let other = "00-11111111111111111111111111111111-2222222222222222-01";
    assert_eq!(sing(PARENT, &[]).as_deref(), Some(PARENT));
    assert_eq!(
        sing(other, &["--traceparent", PARENT]).as_deref(),
        Some(PARENT)
    );
    assert_eq!(sing("00-nothing", &[]), None);
}

#[test]
fn a_flag_that_is_no_trace_is_refused() {
    let thoth = thoth();
    let call = thoth
        .call(tool("canary"))
        .args(["sing", "{}", "--traceparent", "x"]);
    let run = call.run();
    run.assert_code(2);
    assert!(run.stderr.contains("32 hex digits"), "{run}");
}

#[test]
fn a_served_call_belongs_to_the_trace_of_its_request() {
    let (collector, service) = (Collector::start(), Faultd::start());
    let thoth = thoth();
    let serve = thoth.command("serve").arg(tool("canary"));
    let serve = collector.of(serve.args(["--enforcer-url", &service.url()]));
    let mut client = Mcp::start(serve.env("OTEL_BSP_SCHEDULE_DELAY", "50"));
    client.initialize("2025-11-25", json!({}));
    let params =
        json!({"name": "sing", "arguments": {"note": "a"}, "_meta": {"traceparent": PARENT}});
    client.call("tools/call", params);
    // While it serves, and not at its end only.
    collector.0.wait_until(|_| {
        let spans = collector.spans();
        spans.iter().any(|span| span.name == "execute_tool sing")
    });
    let call = collector.span("execute_tool sing");
    assert_eq!((call.trace.as_str(), call.parent.as_str()), (TRACE, SPAN));
}

/// An embedder's exporter.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Seen {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

#[tokio::test]
async fn an_embedders_provider_sees_each_call_under_the_span_that_makes_it() {
    let seen = Seen::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(seen.clone());
    let provider = provider.build();
    // The one test of this suite that is in this process.
    global::set_tracer_provider(provider.clone());
    let state = tempfile::tempdir().unwrap();
    let policy = state.path().join("policy.cedar");
    std::fs::write(&policy, "permit (principal, action, resource);").unwrap();
    let builder = Runtime::builder()
        .policy_file(policy)
        .state_dir(state.path());
    let runtime = builder.compiler(Jail::InProcess).build().await.unwrap();
    let canary = runtime.load(tool("canary")).await.unwrap();
    let session = runtime.session(Identity::new("acme", "bot"));
    let span = provider.tracer("agent").start("agent turn");
    let here = Context::current_with_span(span);
    let call = session
        .call(&canary, "sing", r#"{"note":"a"}"#)
        .with_context(here.clone());
    let call = call.await.unwrap();
    assert!(matches!(call.outcome, Outcome::Completed(_)), "{call:?}");
    let spans = seen.0.lock().unwrap().clone();
    let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["enforce", "execute_tool sing"]);
    assert_eq!(
        spans[1].parent_span_id,
        here.span().span_context().span_id()
    );
    assert_eq!(spans[0].parent_span_id, spans[1].span_context.span_id());
}

#[test]
fn what_waits_in_the_log_is_a_figure_while_a_server_runs() {
    let (collector, service) = (Collector::start(), Faultd::start());
    service.always(thoth_tests::Site::Events, Reply::json(503, "{}"));
    let thoth = thoth();
    let serve = thoth.command("serve").arg(tool("canary"));
    let serve = collector.of(serve.args(["--enforcer-url", &service.url()]));
    let mut client = Mcp::start(serve.env("OTEL_METRIC_EXPORT_INTERVAL", "50"));
    client.initialize("2025-11-25", json!({}));
    client.tool("sing", json!({"note": "a"}));
    // The session's start, and the call's two.
    let waiting = || collector.figures().remove("thoth.outbox.waiting{}");
    collector.0.wait_until(|_| waiting() == Some(3));
}
