//! The durable log across processes: what was appended is delivered, in order, under one id, whatever
//! becomes of the process or the policy service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use thoth_tests::{
    Faultd, Listener, Refused, Reply, Site, Step, Thoth, table,
    thoth::{Invocation, Run},
    tool,
};

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

fn sing(thoth: &Thoth, url: &str, session: &str) -> Invocation {
    let call = thoth
        .call(tool("canary"))
        .args(["sing", r#"{"note":"hello"}"#]);
    call.args(["--enforcer-url", url, "--session-id", session])
}

fn completed(run: &Run) {
    assert_eq!(run.json(0)["outcome"], "completed", "{run}");
}

fn ids(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .map(|event| event["event_id"].as_str().unwrap().to_owned())
        .collect()
}

/// What was taken, of calls and of sessions.
fn taken(service: &Faultd) -> Vec<Value> {
    [service.events(), service.session_events()].concat()
}

#[test]
fn a_process_killed_before_delivery_loses_nothing() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.always(Site::Events, vec![Step::Hold]);
    let mut killed = Vec::new();
    for round in 0..5 {
        let running = sing(&thoth, &service.url(), &format!("killed-{round}")).spawn();
        // The question proves that the call's first event was appended.
        service.wait_for(Site::Enforce, round + 1);
        service.wait_for(Site::Events, round + 1);
        running.kill();
        killed.push(ids(&service.requests_to(Site::Events)[round].events()));
    }
    service.heal(Listener::Plain);
    completed(&sing(&thoth, &service.url(), "last").run());
    let delivered = ids(&taken(&service));
    for attempted in killed.iter().flatten() {
        assert!(
            delivered.contains(attempted),
            "{attempted} has the id that it had"
        );
    }
    for round in 0..5 {
        let types = service.event_types(&format!("killed-{round}"));
        assert_eq!(types[0], "TOOL_CALL_PRE", "round {round}: {types:?}");
    }
    assert_eq!(
        service.event_types("last"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
    assert_eq!(unique(&delivered), delivered.len(), "each once");
}

fn unique(ids: &[String]) -> usize {
    ids.iter().collect::<BTreeSet<_>>().len()
}

#[test]
fn a_process_killed_while_it_asks_has_left_its_first_event() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(vec![Step::Hold]);
    let running = sing(&thoth, &service.url(), "killed").spawn();
    service.wait_for(Site::Enforce, 1);
    running.kill();
    service.heal(Listener::Plain);
    completed(&sing(&thoth, &service.url(), "next").run());
    let mut types = service.event_types("killed");
    // Killed between the delivery and its receipt, it comes again.
    types.dedup();
    assert_eq!(types, ["TOOL_CALL_PRE"]);
}

#[test]
fn what_is_left_is_counted_and_comes_with_the_next_process() {
    let thoth = thoth();
    let gone = Refused::take();
    let run = sing(&thoth, &gone.url(), "first").run();
    assert_eq!(run.json(3)["cause"], "unreachable");
    assert!(run.stderr.contains("4 events not delivered"), "{run}");
    let healthy = gone.listen();
    completed(&sing(&thoth, &healthy.url(), "second").run());
    assert_eq!(
        healthy.event_types("first"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
    );
    assert_eq!(
        healthy.event_types("second"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
}

#[test]
fn events_for_one_service_never_go_to_another() {
    let thoth = thoth();
    let (gone, other) = (Refused::take(), Faultd::start());
    let _refused = sing(&thoth, &gone.url(), "first").run();
    completed(&sing(&thoth, &other.url(), "second").run());
    assert!(other.event_types("first").is_empty());
    let back = gone.listen();
    completed(&sing(&thoth, &back.url(), "third").run());
    assert_eq!(
        back.event_types("first"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
    );
    assert!(back.event_types("second").is_empty());
}

#[test]
fn batches_have_at_most_ten_events_and_keep_the_order() {
    let thoth = thoth();
    let gone = Refused::take();
    for call in 0..7 {
        let _refused = sing(&thoth, &gone.url(), "backlog")
            .args(["--timeout", "1s"])
            .run();
        assert!(thoth.state_dir().is_dir(), "call {call}");
    }
    let healthy = gone.listen();
    completed(&sing(&thoth, &healthy.url(), "backlog").run());
    let batches: Vec<usize> = healthy
        .requests_to(Site::Events)
        .iter()
        .map(|request| request.events().len())
        .collect();
    assert!(
        batches.iter().all(|size| (1..=10).contains(size)),
        "{batches:?}"
    );
    let types = healthy.event_types("backlog");
    let mut expected = ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"].repeat(7);
    expected.extend(["TOOL_CALL_PRE", "TOOL_CALL_POST"]);
    assert_eq!(types, expected);
    let times: Vec<String> = healthy
        .events()
        .iter()
        .map(|event| event["occurred_at"].as_str().unwrap().to_owned())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn what_may_pass_is_tried_again_under_the_same_ids() {
    let rows: [(&str, Reply); 7] = [
        ("408", Reply::json(408, "{}")),
        ("429", Reply::json(429, "{}")),
        ("500", Reply::json(500, "{}")),
        ("503", Reply::json(503, "{}")),
        ("reset", vec![Step::Reset].into()),
        ("closed", Vec::new().into()),
        ("garbage", Reply::bytes("garbage")),
    ];
    table::each(
        &rows,
        |(name, _)| (*name).to_owned(),
        |(_, reply)| {
            let (thoth, service) = (thoth(), Faultd::start());
            service.next(Site::Events, reply.clone());
            completed(&sing(&thoth, &service.url(), "s").run());
            // Whether there is time for the second try in this process or not, there is in the next.
            completed(&sing(&thoth, &service.url(), "t").run());
            assert_eq!(
                service.event_types("s"),
                ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
            );
            let attempts = service.requests_to(Site::Events);
            let first = ids(&attempts[0].events());
            assert!(first.iter().all(|id| ids(&taken(&service)).contains(id)));
        },
    );
}

#[test]
fn a_batch_that_is_refused_for_good_is_not_lost_in_silence() {
    let statuses = [400, 401, 403, 413, 422];
    table::each(&statuses, u16::to_string, |status| {
        let (thoth, service) = (thoth(), Faultd::start());
        service.always(Site::Events, Reply::json(*status, "{}"));
        let run = sing(&thoth, &service.url(), "s").run();
        completed(&run);
        assert!(run.stderr.contains("event"), "nothing is said: {run}");
    });
}

#[test]
fn events_that_are_not_taken_do_not_change_the_outcome() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.always(Site::Events, Reply::json(503, "{}"));
    let run = sing(&thoth, &service.url(), "s").run();
    completed(&run);
    assert!(run.stderr.contains("4 events not delivered"), "{run}");
}

#[test]
fn processes_side_by_side_share_one_log() {
    let (thoth, service) = (thoth(), Faultd::start());
    let sessions: Vec<String> = (0..12).map(|call| format!("side-{call}")).collect();
    table::each(&sessions, String::clone, |session| {
        completed(&sing(&thoth, &service.url(), session).run());
    });
    // Whatever one of them left to another that had ended.
    completed(&sing(&thoth, &service.url(), "last").run());
    let mut first_seen = BTreeMap::new();
    for event in service.events() {
        let id = event["event_id"].as_str().unwrap().to_owned();
        let session = event["session_id"].as_str().unwrap().to_owned();
        let kind = event["event_type"].as_str().unwrap().to_owned();
        first_seen.entry(id).or_insert((session, kind));
    }
    for session in &sessions {
        let kinds: BTreeSet<&str> = first_seen
            .values()
            .filter(|(other, _)| other == session)
            .map(|(_, kind)| kind.as_str())
            .collect();
        assert_eq!(
            kinds,
            BTreeSet::from(["TOOL_CALL_PRE", "TOOL_CALL_POST"]),
            "{session}"
        );
    }
}
