//! The spans and the figures of one call, for each way that it can go.

use serde_json::json;
use thoth_tests::{Answer, Faultd, Reply, Run, Site, Step, Thoth, Web, thoth::Invocation, tool};

use super::collector::{Collector, PARENT, SPAN, TRACE, thoth};

/// One call of the canary against a service, seen by a collector.
fn sing(collector: &Collector, service: &Faultd, more: &[&str]) -> Run {
    let thoth = thoth();
    let call = thoth
        .call(tool("canary"))
        .args(["sing", r#"{"note":"argument-secret"}"#])
        .args(["--enforcer-url", &service.url(), "--session-id", "s-1"])
        .args(["--agent-id", "bot", "--traceparent", PARENT])
        .args(more);
    collector.of(call).run()
}

#[test]
fn an_allowed_call_is_a_span_of_its_callers_with_the_question_under_it() {
    let (collector, service) = (Collector::start(), Faultd::start());
    let allow = Answer::allow().with("decision_reason_code", "read_ok");
    service.enforce(allow);
    let _ran = sing(&collector, &service, &[]).json(0);
    let (call, enforce) = (
        collector.span("execute_tool sing"),
        collector.span("enforce"),
    );
    assert_eq!((call.trace.as_str(), call.parent.as_str()), (TRACE, SPAN));
    assert_eq!(enforce.parent, call.id);
    assert_eq!(enforce.get("http.response.status_code"), "200");
    for (name, expected) in [
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "sing"),
        ("gen_ai.tool.call.id", "call-1"),
        ("gen_ai.agent.id", "bot"),
        ("thoth.session_id", "s-1"),
        ("thoth.outcome", "completed"),
        ("thoth.verdict", "allow"),
        ("thoth.reason_code", "read_ok"),
        ("error.type", ""),
    ] {
        assert_eq!(call.get(name), expected, "{name} of {call:#?}");
    }
    assert!(!call.is_error);
    // The question says where it is in the trace, below the call.
    let asked = &service.requests_to(Site::Enforce)[0];
    let expected = format!("00-{TRACE}-{}-01", enforce.id);
    assert_eq!(asked.header("traceparent"), Some(expected.as_str()));
    let figures = collector.figures();
    assert_eq!(
        figures["thoth.decisions{thoth.kind=call,thoth.verdict=allow}"],
        1
    );
    assert_eq!(figures["thoth.enforce.duration{}"], 1);
    assert_eq!(figures["thoth.call.duration{thoth.outcome=completed}"], 1);
    assert!(
        !figures
            .keys()
            .any(|name| name.starts_with("thoth.fail_closed"))
    );
    // Neither what it was called with nor what came back.
    let told = collector.text();
    assert!(!told.contains("argument-secret") && !told.contains("canary-sang"));
    assert_eq!(collector.resource()["service.name"], "thoth");
}

#[test]
fn a_blocked_call_says_why() {
    let (collector, service) = (Collector::start(), Faultd::start());
    let block = Answer::block("a reason that nobody sees")
        .with("violation_id", "v-1")
        .with("decision_reason_code", "r".repeat(5_000));
    service.enforce(block);
    let _refused = sing(&collector, &service, &[]).json(3);
    let call = collector.span("execute_tool sing");
    for (name, expected) in [
        ("thoth.outcome", "refused"),
        ("thoth.verdict", "block"),
        ("thoth.cause", "policy"),
        ("thoth.violation_id", "v-1"),
        ("error.type", "policy"),
    ] {
        assert_eq!(call.get(name), expected, "{name} of {call:#?}");
    }
    assert!(call.is_error);
    assert!(call.get("thoth.reason_code").len() <= 256, "{call:#?}");
    assert!(!collector.text().contains("nobody sees"));
    let figures = collector.figures();
    let blocked = "thoth.decisions{thoth.cause=policy,thoth.kind=call,thoth.verdict=block}";
    assert_eq!(figures[blocked], 1, "{figures:?}");
}

#[test]
fn an_outage_counts_as_fail_closed() {
    let (collector, service) = (Collector::start(), Faultd::start());
    service.enforce(Reply::from(vec![Step::Reset]));
    let _refused = sing(&collector, &service, &[]).json(3);
    let (call, enforce) = (
        collector.span("execute_tool sing"),
        collector.span("enforce"),
    );
    assert_eq!(call.get("thoth.cause"), "unreachable");
    assert_eq!(enforce.get("error.type"), "unreachable");
    let figures = collector.figures();
    assert_eq!(figures["thoth.fail_closed{thoth.cause=unreachable}"], 1);
    assert_eq!(figures["thoth.enforce.duration{error.type=unreachable}"], 1);
}

#[test]
fn a_held_call_is_one_span_with_the_waiting_under_it() {
    let (collector, service) = (Collector::start(), Faultd::start());
    service.enforce(Answer::step_up("token-1"));
    service.next(Site::Hold, Answer::unresolved("token-1"));
    service.hold(Answer::resolved("token-1", "ALLOW"));
    let _ran = sing(&collector, &service, &[]).json(0);
    let call = collector.span("execute_tool sing");
    let (enforce, approval) = (collector.span("enforce"), collector.span("approval"));
    assert_eq!((&enforce.parent, &approval.parent), (&call.id, &call.id));
    assert_eq!(call.get("thoth.outcome"), "completed");
    assert_eq!(call.get("thoth.hold.sha256").len(), 64);
    assert!(!collector.text().contains("token-1"));
    let held = service.requests_to(Site::Hold);
    assert_eq!(held.len(), 2);
    let expected = format!("00-{TRACE}-{}-01", approval.id);
    assert_eq!(held[1].header("traceparent"), Some(expected.as_str()));
    let figures = collector.figures();
    for verdict in ["step_up", "allow"] {
        let name = format!("thoth.decisions{{thoth.kind=call,thoth.verdict={verdict}}}");
        assert_eq!(figures[&name], 1, "{figures:?}");
    }
}

#[test]
fn a_call_that_still_waits_when_its_process_ends_says_so() {
    let (collector, service) = (Collector::start(), Faultd::start());
    service.enforce(Answer::step_up("token-1"));
    let _pending = sing(&collector, &service, &["--wait", "0s"]).json(4);
    let call = collector.span("execute_tool sing");
    assert_eq!(call.get("thoth.outcome"), "pending");
    assert_eq!(collector.span("approval").parent, call.id);
}

/// A request by a tool that says where it is in a trace of its own.
fn sends(thoth: &Thoth, web: &Web) -> Invocation {
    let request = json!({"request": {
        "method": "GET", "scheme": "http", "authority": web.authority(), "path": "/v1/items.json",
        "headers": [["traceparent", "00-11111111111111111111111111111111-2222222222222222-01"],
                    ["tracestate", "forged=1"]],
        "body": 0,
    }});
    let rule = format!("{}/v1/* GET allow-private govern", web.origin());
    let call = thoth
        .call(tool("hostile"))
        .args(["sends", &request.to_string()]);
    call.args(["--allow-net", &rule, "--traceparent", PARENT])
}

#[test]
fn an_effect_is_a_span_and_its_request_says_where_it_is_whatever_the_tool_says() {
    let (collector, service, web) = (Collector::start(), Faultd::start(), Web::start());
    let thoth = thoth();
    let call = sends(&thoth, &web).args(["--enforcer-url", &service.url()]);
    let _ran = collector.of(call).run().json(0);
    let (call, effect) = (
        collector.span("execute_tool sends"),
        collector.span("effect:http"),
    );
    assert_eq!(effect.parent, call.id);
    assert_eq!(effect.get("server.address"), "127.0.0.1");
    assert_eq!(effect.get("thoth.verdict"), "allow");
    let asked: Vec<_> = collector.spans();
    let asked = asked.iter().filter(|span| span.name == "enforce");
    let parents: Vec<_> = asked.map(|span| span.parent.as_str()).collect();
    assert_eq!(parents, [call.id.as_str(), effect.id.as_str()]);
    let head = web.heads().remove(0).to_ascii_lowercase();
    let expected = format!("traceparent: 00-{TRACE}-{}-01\r\n", effect.id);
    assert!(head.contains(&expected), "{head}");
    assert!(
        !head.contains("1111111111") && !head.contains("forged"),
        "{head}"
    );
}

#[test]
fn without_a_collector_a_request_says_the_callers_place_and_never_the_tools() {
    let (service, web) = (Faultd::start(), Web::start());
    let thoth = thoth();
    let call = sends(&thoth, &web).args(["--enforcer-url", &service.url()]);
    let _ran = call.run().json(0);
    let head = web.heads().remove(0).to_ascii_lowercase();
    assert!(
        head.contains(&format!("traceparent: {PARENT}\r\n")),
        "{head}"
    );
    assert!(
        !head.contains("1111111111") && !head.contains("forged"),
        "{head}"
    );
}
