//! A collector that is away, silent or refuses: nothing waits for it, and what is lost is said.

use std::time::{Duration, Instant};

use serde_json::json;
use thoth_tests::{Faultd, Mcp, Reply, Run, Site, Step, tool};

use super::collector::{Collector, thoth};

fn sing(service: &Faultd, variables: &[(&str, &str)]) -> Run {
    let thoth = thoth();
    let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
    let call = call.args(["--enforcer-url", &service.url()]);
    let call = variables
        .iter()
        .fold(call, |call, (name, value)| call.env(name, value));
    call.run()
}

#[test]
fn nothing_is_sent_unless_a_variable_says_where() {
    let (collector, service) = (Collector::start(), Faultd::start());
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.0.url());
    for off in [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ] {
        let run = sing(&service, &[(endpoint.0, &endpoint.1), off]);
        let _ran = run.json(0);
        assert_eq!(
            run.stderr.contains("telemetry is off"),
            off.1 == "grpc",
            "{run}"
        );
    }
    let quiet = sing(&service, &[("OTEL_SERVICE_NAME", "x")]);
    assert!(!quiet.stderr.contains("telemetry"), "{quiet}");
    assert_eq!(collector.0.connections(), 0);
}

#[test]
fn a_collector_that_never_answers_holds_up_nothing_for_long() {
    let (collector, service) = (Faultd::start(), Faultd::start());
    collector.always(Site::Other, Reply::from(vec![Step::Hold]));
    let warm = sing(&service, &[]).elapsed;
    let run = sing(
        &service,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())],
    );
    let _ran = run.json(0);
    assert!(
        run.stderr.contains("2 spans did not reach the collector"),
        "{run}"
    );
    // 1.5 s are granted to it, and the rest is the machine's.
    let more = run.elapsed.saturating_sub(warm);
    assert!(more < Duration::from_secs(5), "{more:?} more in {run}");
    collector.wait_for(Site::Other, 1);
}

#[test]
fn a_call_is_answered_before_anybody_waits_for_a_collector() {
    let (collector, service) = (Faultd::start(), Faultd::start());
    collector.always(Site::Other, Reply::from(vec![Step::Hold]));
    let thoth = thoth();
    let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"a"}"#]);
    let call = call.args(["--enforcer-url", &service.url()]);
    let call = call.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    let mut running = call.spawn();
    let result = running.stdout_line(|line| line.contains("completed"));
    assert!(result.contains("canary-sang"));
    let answered = Instant::now();
    let run = running.wait();
    assert!(
        answered.elapsed() >= Duration::from_millis(1_000),
        "it waits after that: {run}"
    );
}

#[test]
fn a_collector_that_refuses_changes_nothing_but_a_line() {
    let (collector, service) = (Faultd::start(), Faultd::start());
    collector.always(Site::Other, Reply::json(400, "{}"));
    let run = sing(
        &service,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())],
    );
    let _ran = run.json(0);
    assert!(run.stderr.contains("2 spans did not reach"), "{run}");
}

#[test]
fn a_queue_that_is_full_holds_up_no_call() {
    let (collector, service) = (Faultd::start(), Faultd::start());
    collector.always(Site::Other, Reply::from(vec![Step::Hold]));
    let thoth = thoth();
    let serve = thoth.command("serve").arg(tool("canary"));
    let serve = serve.args(["--enforcer-url", &service.url()]);
    let serve = serve.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    let mut client = Mcp::start(serve.env("OTEL_BSP_MAX_QUEUE_SIZE", "1"));
    client.initialize("2025-11-25", json!({}));
    client.tool("sing", json!({"note": "a"}));
    // From here on the exporter waits, and its queue has one place.
    collector.wait_for(Site::Other, 1);
    for _ in 0..20 {
        let result = client.tool("sing", json!({"note": "a"}));
        assert_eq!(result["isError"], false, "{result}");
    }
    assert_eq!(collector.requests_to(Site::Other).len(), 1);
}

#[test]
fn the_variables_of_the_standard_are_honoured() {
    let (collector, service) = (Collector::start(), Faultd::start());
    let endpoint = format!("{}/v1/traces", collector.0.url());
    let run = sing(
        &service,
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=k%201"),
            ("OTEL_SERVICE_NAME", "my-agent"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=staging",
            ),
        ],
    );
    let _ran = run.json(0);
    let resource = collector.resource();
    assert_eq!(resource["service.name"], "my-agent");
    assert_eq!(resource["deployment.environment.name"], "staging");
    let sent = collector.0.requests_to(Site::Other);
    assert_eq!(sent[0].header("x-collector-key"), Some("k 1"));
    assert!(
        sent.iter().all(|request| request.path == "/v1/traces"),
        "no figures were asked for"
    );
    let none = Collector::start();
    let run = sing(
        &service,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &none.0.url()),
            ("OTEL_TRACES_SAMPLER", "always_off"),
        ],
    );
    let _ran = run.json(0);
    assert!(none.spans().is_empty());
    assert!(!none.figures().is_empty(), "figures are not sampled");
}
