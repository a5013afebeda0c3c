//! A call that ends, or gives up, while an effect of its is under way: the log has the end of both.

use serde_json::json;
use thoth_tests::{Answer, Reply, Site, Step, thoth::Running, tool};

use super::courier::courier;
use super::scene::Scene;

fn gives_up(scene: &Scene, options: &str) -> Vec<String> {
    let arguments = json!({
        "authority": scene.web.authority(), "path": "/v1/silence", "name": "", "value": "",
    });
    let call = scene.thoth.call(courier(&scene.thoth));
    let call = call.args(["gives_up", &arguments.to_string(), "--session-id", "s"]);
    let call = call.args(["--enforcer-url", &scene.service.url()]);
    let run = call.args(["--allow-net", &scene.rule(options)]).run();
    assert_eq!(run.json(0)["result"], "gave up", "{run}");
    let mut told = scene.told();
    // The effect's end is written by a task of its own, before or after its call's.
    told[2..].sort();
    told
}

#[test]
fn a_request_that_the_tool_gives_up_has_an_end_in_the_log() {
    let scene = Scene::new();
    assert_eq!(
        gives_up(&scene, ""),
        [
            "PRE gives_up",
            "PRE effect:http.1",
            "POST effect:http.1 granted tool_error",
            "POST gives_up"
        ]
    );
    assert_eq!(scene.web.connections(), 1, "it may have happened");
}

#[test]
fn a_governed_request_that_the_tool_gives_up_has_an_end_in_the_log() {
    let scene = Scene::new();
    let told = gives_up(&scene, "govern");
    assert_eq!(told[..2], ["PRE gives_up", "PRE effect:http.1"]);
    assert!(told[2].starts_with("POST effect:http.1"), "{told:?}");
    assert!(told[2].ends_with("cancelled"), "{told:?}");
    assert_eq!(scene.web.connections(), 1, "it may have happened");
}

#[test]
fn a_held_request_that_the_tool_gives_up_has_an_end_in_the_log_and_is_not_sent() {
    let scene = Scene::new();
    scene.on_effect(Answer::step_up("hold-1"));
    scene.service.hold(Answer::unresolved("hold-1"));
    let told = gives_up(&scene, "govern");
    assert_eq!(told[..2], ["PRE gives_up", "PRE effect:http.1"]);
    assert!(told[2].starts_with("BLOCK effect:http.1"), "{told:?}");
    assert_eq!(told[3..], ["POST gives_up"]);
    assert_eq!(scene.web.connections(), 0);
}

/// What the log tells after Ctrl-C.
fn interrupted(scene: &Scene, running: Running) -> Vec<String> {
    running.interrupt();
    let run = running.wait();
    assert!(run.error(1).contains("was interrupted"), "{run}");
    // What was not delivered in time is delivered by the next process.
    let after = scene.thoth.call(tool("canary"));
    let after = after.args(["sing", r#"{"note":"after"}"#, "--session-id", "after"]);
    let _after = after.args(["--enforcer-url", &scene.service.url()]).run();
    let mut told = scene.told();
    told[2..].sort();
    told
}

#[test]
fn an_interrupt_while_an_effect_is_held_keeps_it_in() {
    let scene = Scene::new();
    scene.on_effect(Answer::step_up("hold-1"));
    scene.service.hold(Answer::unresolved("hold-1"));
    let running = scene.get("/v1/items.json").spawn();
    scene.service.wait_for(Site::Hold, 1);
    let told = interrupted(&scene, running);
    assert_eq!(told[..2], ["PRE sends", "PRE effect:http.1"]);
    assert_eq!(scene.web.connections(), 0);
}

#[test]
fn an_interrupt_while_an_effect_is_held_leaves_the_end_of_both() {
    // While it is asked about, and in the long pause after the third question.
    let rows: [(Reply, usize); 2] = [
        (vec![Step::Hold].into(), 1),
        (Answer::unresolved("hold-1").into(), 3),
    ];
    for (reply, questions) in rows {
        let scene = Scene::new();
        scene.on_effect(Answer::step_up("hold-1"));
        scene.service.hold(reply);
        let running = scene.get("/v1/items.json").spawn();
        scene.service.wait_for(Site::Hold, questions);
        let told = interrupted(&scene, running);
        assert_eq!(told[..2], ["PRE sends", "PRE effect:http.1"]);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[2].starts_with("BLOCK effect:http.1"), "{told:?}");
        let end = &told[3];
        assert!(
            end.starts_with("POST sends") && end.ends_with("cancelled"),
            "{told:?}"
        );
        assert_eq!(scene.web.connections(), 0);
    }
}

#[test]
fn an_interrupt_while_a_request_is_under_way_leaves_the_end_of_both() {
    for options in ["", "govern"] {
        let scene = Scene::new();
        let call = scene.sends(super::scene::request(&scene.web, "GET", "/v1/silence"));
        let running = call.args(["--allow-net", &scene.rule(options)]).spawn();
        scene.web.wait_for(1);
        let told = interrupted(&scene, running);
        assert_eq!(told[..2], ["PRE sends", "PRE effect:http.1"]);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[2].starts_with("POST effect:http.1"), "{told:?}");
        assert!(
            told[3].starts_with("POST sends") && told[3].ends_with("cancelled"),
            "{told:?}"
        );
    }
}

#[test]
fn a_call_that_runs_out_of_time_leaves_the_end_of_its_effect() {
    let scene = Scene::new();
    let call = scene.sends(super::scene::request(&scene.web, "GET", "/v1/silence"));
    let call = call.args(["--allow-net", &scene.rule("")]);
    let _failed = call.args(["--tool-timeout", "1s"]).run().json(5);
    let mut told = scene.told();
    told[2..].sort();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(
        told[2].starts_with("POST effect:http.1 granted"),
        "{told:?}"
    );
}
