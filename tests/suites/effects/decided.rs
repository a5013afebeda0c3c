//! Each answer of an enforcer to the question about an effect, and each way not to answer.

use serde_json::{Value, json};
use thoth_tests::{Answer, Reply, Site, Step, table};

use super::scene::Scene;

/// The name of the row, the answer about the effect, whether the request leaves, and what the log
/// tells of the effect besides that it was requested.
type Row = (&'static str, Reply, bool, &'static str);

fn rows() -> Vec<Row> {
    let other = json!({"method": "GET", "path": "/v1/other"});
    vec![
        (
            "allowed",
            Answer::allow().into(),
            true,
            "POST effect:http.1",
        ),
        (
            "blocked",
            Answer::block("not there")
                .with("decision_reason_code", "elsewhere")
                .into(),
            false,
            "BLOCK effect:http.1 elsewhere",
        ),
        (
            "an outage in the middle",
            vec![Step::Reset].into(),
            false,
            "BLOCK effect:http.1 unreachable",
        ),
        (
            "an error",
            Reply::json(500, "{}"),
            false,
            "BLOCK effect:http.1 status",
        ),
        (
            "half an answer",
            Reply::json(200, r#"{"decision":"ALLOW""#),
            false,
            "BLOCK effect:http.1 decode",
        ),
        (
            "an unknown word",
            Answer::decision("PERHAPS").into(),
            false,
            "BLOCK effect:http.1 decode",
        ),
        (
            "an answer for the call that it happens in",
            Answer::allow()
                .with("action_attestation_id", "call-1")
                .into(),
            false,
            "BLOCK effect:http.1 mismatch",
        ),
        (
            "another request instead",
            Answer::modify(other).into(),
            false,
            "BLOCK effect:http.1 invalid_modify",
        ),
        (
            "the same request instead",
            Reply::derived(|request| Answer::modify(request.json()["tool_args"].clone())),
            true,
            "POST effect:http.1",
        ),
        (
            "nothing instead",
            Answer::modify(json!({})).into(),
            false,
            "BLOCK effect:http.1 invalid_modify",
        ),
        (
            "not now",
            Answer::defer("at night", 3600).into(),
            false,
            "BLOCK effect:http.1",
        ),
        (
            "a hold without a token",
            Answer::decision("STEP_UP").into(),
            false,
            "BLOCK effect:http.1 invalid_hold",
        ),
    ]
}

#[test]
fn a_request_leaves_on_the_word_of_the_enforcer_only() {
    table::each(
        &rows(),
        |(name, ..)| (*name).to_owned(),
        |(_, reply, leaves, last)| {
            let scene = Scene::new();
            let run = scene.on_effect(reply.clone()).get("/v1/items.json").run();
            if *leaves {
                assert_eq!(run.json(0)["result"], 200, "{run}");
            } else {
                let json = run.json(5);
                assert_eq!(json["cause"], "tool_error", "the tool goes on: {run}");
                let error = json["error"].to_string();
                assert!(error.contains("HttpRequestDenied"), "{run}");
            }
            assert_eq!(scene.web.connections(), usize::from(*leaves), "{run}");
            let after = if *leaves {
                "POST sends"
            } else {
                "POST sends tool_error"
            };
            let expected = ["PRE sends", "PRE effect:http.1", last, after];
            assert_eq!(scene.told(), expected, "{run}");
        },
    );
}

#[test]
fn an_effect_of_a_call_that_is_refused_does_not_come_to_be() {
    let scene = Scene::new();
    scene.service.enforce(Answer::block("no"));
    let _refused = scene.get("/v1/items.json").run().json(3);
    assert_eq!(scene.web.connections(), 0);
    assert_eq!(scene.told(), ["PRE sends", "BLOCK sends"]);
}

#[test]
fn in_observe_mode_a_request_leaves_whatever_the_answer_and_the_log_says_so() {
    let rows: [(&str, Reply, &str); 4] = [
        (
            "blocked",
            Answer::block("no").into(),
            "POST effect:http.1 policy",
        ),
        (
            "an outage",
            vec![Step::Reset].into(),
            "POST effect:http.1 unreachable unreachable",
        ),
        (
            "put off",
            Answer::defer("later", 5).into(),
            "POST effect:http.1",
        ),
        (
            "held",
            Answer::step_up("hold-1").into(),
            "POST effect:http.1",
        ),
    ];
    table::each(
        &rows,
        |(name, ..)| (*name).to_owned(),
        |(_, reply, end)| {
            let scene = Scene::new();
            let call = scene.on_effect(reply.clone()).get("/v1/items.json");
            let run = call.args(["--mode", "observe"]).run();
            assert_eq!(run.json(0)["result"], 200, "{run}");
            assert_eq!(scene.web.connections(), 1);
            let told = scene.told();
            assert_eq!(told[2], *end, "{told:?}");
        },
    );
}

#[test]
fn in_observe_mode_a_request_that_is_not_granted_stays_in() {
    let scene = Scene::new();
    let call = scene.get("/other").args(["--mode", "observe"]);
    assert_eq!(call.run().json(5)["cause"], "tool_error");
    assert_eq!(scene.web.connections(), 0);
    assert_eq!(scene.told()[1], "BLOCK effect:http.1 not_granted");
}

#[test]
fn an_effect_that_is_not_governed_is_recorded_before_it_happens_and_nobody_is_asked() {
    let scene = Scene::new();
    let call = scene.sends(super::scene::request(
        &scene.web,
        "GET",
        "/v1/items.json?key=hunter2",
    ));
    let run = call.args(["--allow-net", &scene.rule("")]).run();
    assert_eq!(run.json(0)["result"], 200);
    assert_eq!(scene.service.requests_to(Site::Enforce).len(), 1);
    let events = scene.service.events();
    assert_eq!(
        super::scene::told(&events),
        [
            "PRE sends",
            "PRE effect:http.1",
            "POST effect:http.1 granted",
            "POST sends"
        ]
    );
    let effect = &events[1]["metadata"]["effect"];
    assert_eq!(effect["path"], "/v1/items.json");
    assert_eq!(effect["parent_call_id"], "call-1");
    assert_eq!(
        effect.get("query"),
        None,
        "a query can hold what nobody wants in a log"
    );
    assert!(!Value::from(events.clone()).to_string().contains("hunter2"));
    let done = &events[2]["metadata"]["effect_result"];
    assert_eq!(done["status"], 200);
    assert_eq!(done["masked"], false);
    assert_eq!(done["response_bytes"], thoth_tests::web::ITEMS.len());
}

#[test]
fn a_request_that_fails_after_it_was_allowed_is_recorded_as_failed() {
    let scene = Scene::new();
    scene.on_effect(Answer::allow());
    let run = scene
        .get("/v1/silence")
        .args(["--tool-timeout", "2s"])
        .run();
    let cause = run.json(5)["cause"].clone();
    assert!(
        ["limit_time", "tool_error"].contains(&cause.as_str().unwrap()),
        "{run}"
    );
    let told = scene.told();
    assert_eq!(told[1], "PRE effect:http.1");
    assert!(
        told.iter()
            .any(|line| line.starts_with("POST effect:http.1 ")),
        "{told:?}"
    );
    assert!(
        told.iter().any(|line| line.starts_with("POST sends ")),
        "{told:?}"
    );
    assert_eq!(told.len(), 4, "{told:?}");
}
