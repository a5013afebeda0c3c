//! An effect that a human must approve parks its call.

use serde_json::Value;
use thoth_tests::{Answer, Reply, Run, Site, Thoth, Web, thoth::Running, tool};

use super::scene::{self, CALL, Scene};

/// Calls are allowed, and every effect is a human's to decide.
const POLICY: &str = r#"
@id("call") permit (principal, action == Action::"call", resource);
@id("ask") @decision("STEP_UP") @step_up_seconds("SECONDS") @reason("a tool reaches out")
permit (principal, action == Action::"effect:http", resource);
"#;

/// A call that is parked at its only effect, by the policy above.
struct Parked {
    thoth: Thoth,
    web: Web,
    running: Running,
    hold: Value,
}

impl Parked {
    fn new(seconds: &str) -> Self {
        let (thoth, web) = (scene::thoth(), Web::start());
        let policy = thoth.file("policy.cedar", POLICY.replace("SECONDS", seconds));
        let request = scene::request(&web, "GET", "/v1/items.json");
        let call = thoth.call(tool("hostile"));
        let call = call.args(["sends", &request.to_string(), "--tool-timeout", "5s"]);
        let call = call.args(["--allow-net", &scene::rule(&web, "govern")]);
        let mut running = call.arg("--policy").arg(policy).spawn();
        running.stderr_line(|line| line.contains("waits for approval"));
        let mut holds = list(&thoth);
        assert_eq!(holds.len(), 1, "{holds:?}");
        assert_eq!(web.connections(), 0, "parked, and not sent");
        Self {
            thoth,
            web,
            running,
            hold: holds.remove(0),
        }
    }

    /// A human's word, from another process.
    fn resolve(self, word: &str) -> (Run, Web, Vec<String>) {
        let token = self.hold["token"].as_str().unwrap();
        let state = self.thoth.state_dir();
        let resolve = self
            .thoth
            .bare()
            .args(["approvals", word, token, "--state-dir"]);
        resolve.arg(state).run().assert_code(0);
        self.end()
    }

    fn end(self) -> (Run, Web, Vec<String>) {
        let run = self.running.wait();
        let told = scene::told(&kept(&self.thoth));
        (run, self.web, told)
    }
}

/// The holds of the embedded enforcer, once it has a store.
fn list(thoth: &Thoth) -> Vec<Value> {
    let list = thoth
        .bare()
        .args(["approvals", "list", "--json", "--state-dir"]);
    let run = list.arg(thoth.state_dir()).run();
    serde_json::from_str(&run.stdout).unwrap_or_default()
}

/// The events that the embedded enforcer was given, oldest first.
fn kept(thoth: &Thoth) -> Vec<Value> {
    let store = thoth_enforcer::Store::open(&thoth.state_dir().join("enforcer.db")).unwrap();
    let events = store.events(100).unwrap();
    let events = events.iter();
    events
        .map(|event| serde_json::from_str(event).unwrap())
        .collect()
}

#[test]
fn an_effect_goes_on_once_another_process_approves_it() {
    let parked = Parked::new("900");
    assert_eq!(parked.hold["tool_name"], "effect:http");
    assert_eq!(parked.hold["arguments"]["tool"], "sends");
    assert_eq!(parked.hold["arguments"]["parent_call_id"], CALL);
    assert_eq!(parked.hold["arguments"]["path"], "/v1/items.json");
    let (run, web, told) = parked.resolve("approve");
    assert_eq!(run.json(0)["result"], 200, "{run}");
    assert_eq!(web.connections(), 1);
    assert_eq!(
        told,
        [
            "PRE sends",
            "PRE effect:http.1",
            "POST effect:http.1 step_up_approved",
            "POST sends policy_allow"
        ]
    );
}

#[test]
fn an_effect_that_is_denied_does_not_happen() {
    let (run, web, told) = Parked::new("900").resolve("deny");
    assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
    assert_eq!(web.connections(), 0);
    assert_eq!(told[..2], ["PRE sends", "PRE effect:http.1"]);
    assert!(told[2].starts_with("BLOCK effect:http.1"), "{told:?}");
    assert_eq!(told[3..], ["POST sends policy_allow tool_error"]);
}

#[test]
fn an_effect_whose_hold_expires_does_not_happen() {
    let (run, web, told) = Parked::new("5").end();
    assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
    assert_eq!(web.connections(), 0);
    assert!(told[2].starts_with("BLOCK effect:http.1"), "{told:?}");
    assert_eq!(told[3..], ["POST sends policy_allow tool_error"]);
}

/// Undecided for so many questions, and then a resolution.
fn resolved_after(scene: &Scene, questions: usize, resolution: &str) {
    scene.on_effect(Answer::step_up("hold-1"));
    for _ in 0..questions {
        scene.service.next(Site::Hold, Answer::unresolved("hold-1"));
    }
    scene.service.hold(Answer::resolved("hold-1", resolution));
}

#[test]
fn the_time_of_a_call_stands_still_while_its_effect_is_held() {
    let scene = Scene::new();
    // Questions come after 0.25, 0.75, 1.75 and 3.75 s.
    resolved_after(&scene, 3, "ALLOW");
    let run = scene
        .get("/v1/items.json")
        .args(["--tool-timeout", "2500ms"])
        .run();
    let json = run.json(0);
    assert_eq!(json["result"], 200, "{run}");
    let wall = json["usage"]["wall_us"].as_u64().unwrap();
    assert!(wall > 3_000_000, "waiting is in the wall-clock time: {run}");
    assert_eq!(scene.web.connections(), 1);
    assert_eq!(scene.service.requests_to(Site::Hold).len(), 4);
}

#[test]
fn the_time_of_a_call_goes_on_after_its_effect_was_approved() {
    let scene = Scene::new();
    resolved_after(&scene, 0, "ALLOW");
    let run = scene
        .get("/v1/silence")
        .args(["--tool-timeout", "2s"])
        .run();
    let cause = run.json(5)["cause"].clone();
    assert!(
        ["limit_time", "tool_error"].contains(&cause.as_str().unwrap()),
        "{run}"
    );
    assert!(run.elapsed.as_secs() < 20, "{run}");
    assert_eq!(scene.web.connections(), 1);
}

#[test]
fn a_resolution_that_is_none_blocks() {
    let broken: [Reply; 2] = [
        Reply::json(200, "{"),
        Answer::resolved("another", "ALLOW").into(),
    ];
    for reply in broken {
        let scene = Scene::new();
        scene.on_effect(Answer::step_up("hold-1").with("step_up_timeout_seconds", 1));
        scene.service.hold(reply);
        let run = scene.get("/v1/items.json").run();
        assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
        assert_eq!(scene.web.connections(), 0);
        let told = scene.told();
        assert!(told[2].starts_with("BLOCK effect:http.1"), "{told:?}");
    }
}

#[test]
fn a_hold_that_stays_undecided_ends_with_its_time() {
    let scene = Scene::new();
    scene.on_effect(Answer::step_up("hold-1").with("step_up_timeout_seconds", 1));
    scene.service.hold(Answer::unresolved("hold-1"));
    let run = scene.get("/v1/items.json").run();
    assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
    assert_eq!(scene.web.connections(), 0);
    let told = scene.told();
    assert!(told[2].starts_with("BLOCK effect:http.1"), "{told:?}");
    let asked = scene.service.requests_to(Site::Hold).len();
    assert!((2..=4).contains(&asked), "asked {asked} times");
}

#[test]
fn a_hold_is_asked_about_and_recorded_under_the_id_of_the_effect() {
    let scene = Scene::new();
    resolved_after(&scene, 1, "BLOCK");
    let run = scene.get("/v1/items.json").run();
    assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
    let asked = scene.service.requests_to(Site::Enforce);
    assert_eq!(
        asked[1].json()["action_attestation_id"],
        format!("{CALL}.1")
    );
    assert!(
        scene.service.requests_to(Site::Hold)[0]
            .path
            .ends_with("/hold-1")
    );
    assert_eq!(scene.web.connections(), 0);
}
