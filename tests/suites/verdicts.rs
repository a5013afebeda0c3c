//! The five verdicts, the four modes, the exit codes and the shape of `--json`, through a policy
//! service on the wire.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use serde_json::{Value, json};
use thoth_tests::{Answer, Faultd, Reply, Run, Site, Thoth, table, tool};

const SANG: &str = "canary-sang-41c7f0:hello";

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

/// Lets the canary sing, in session `s`.
fn sing(thoth: &Thoth, service: &Faultd, flags: &[&str]) -> Run {
    let call = thoth
        .call(tool("canary"))
        .args(["sing", r#"{"note":"hello"}"#]);
    call.args(["--enforcer-url", &service.url(), "--session-id", "s"])
        .args(flags)
        .run()
}

fn keys(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn an_allowed_call_gives_its_result() {
    let (thoth, service) = (thoth(), Faultd::start());
    let json = sing(&thoth, &service, &[]).json(0);
    assert_eq!(json["outcome"], "completed");
    assert_eq!(json["tool"], "sing");
    assert_eq!(json["result"], SANG);
    assert_eq!(json["session_id"], "s");
    assert_eq!(
        json["call_id"],
        service.enforce_body()["action_attestation_id"]
    );
    let mut keys = keys(&json);
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "call_id",
            "outcome",
            "result",
            "session_id",
            "tool",
            "usage"
        ]
    );
    assert_eq!(
        service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
}

#[test]
fn without_json_stdout_is_the_result_and_nothing_else() {
    let (thoth, service) = (thoth(), Faultd::start());
    let call = thoth
        .command("call")
        .arg(tool("canary"))
        .args(["sing", r#"{"note":"hello"}"#]);
    let run = call.args(["--enforcer-url", &service.url()]).run();
    assert_eq!(run.assert_code(0).stdout, format!("\"{SANG}\"\n"));
    let said: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| !line.ends_with('…'))
        .collect();
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn a_blocked_call_does_not_run_and_says_why() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(
        Answer::block("not on a Sunday")
            .with("violation_id", "vio-1")
            .with("decision_reason_code", "sunday")
            .with("action_classification", "write"),
    );
    let json = sing(&thoth, &service, &[]).json(3);
    let expected = json!({
        "outcome": "refused",
        "tool": "sing",
        "cause": "policy",
        "reason": "not on a Sunday",
        "violation_id": "vio-1",
        "decision_reason_code": "sunday",
        "action_classification": "write",
        "session_id": "s",
        "call_id": json["call_id"],
    });
    assert_eq!(json, expected);
    assert_eq!(
        service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
    );
    assert_eq!(service.events()[1]["violation_id"], "vio-1");
}

#[test]
fn a_deferred_call_says_when_to_try_again() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::defer("the books are closed", 12));
    let json = sing(&thoth, &service, &[]).json(3);
    assert_eq!(json["outcome"], "refused");
    assert_eq!(json["cause"], "deferred");
    assert_eq!(json["retry_after_seconds"], 12);
    assert!(
        json["reason"]
            .as_str()
            .unwrap()
            .contains("the books are closed"),
        "{json}"
    );
    assert_eq!(
        service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
    );
}

#[test]
fn a_modified_call_runs_with_the_new_arguments_only() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::modify(json!({"note": "changed"})));
    let json = sing(&thoth, &service, &[]).json(0);
    assert_eq!(json["result"], "canary-sang-41c7f0:changed");
    assert_eq!(
        service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
}

#[test]
fn modified_arguments_that_do_not_fit_touch_nothing_of_the_tool() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::modify(json!({"note": 7})));
    let json = sing(&thoth, &service, &[]).json(3);
    assert_eq!(json["cause"], "invalid_modify");
    assert_eq!(json["usage"], json!(null), "nothing ran");
    let events = service.events();
    assert_eq!(events[1]["event_type"], "TOOL_CALL_BLOCK");
    assert_eq!(events[1]["metadata"]["usage"], json!(null));
}

#[test]
fn a_held_call_is_pending_at_once_if_nobody_waits() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::step_up("hold-7").with("reason", "a human decides"));
    let json = sing(&thoth, &service, &["--wait", "0s"]).json(4);
    assert_eq!(json["outcome"], "pending");
    assert_eq!(json["hold_token"], "hold-7");
    assert_eq!(json["reason"], "a human decides");
    assert_eq!(service.requests_to(Site::Hold).len(), 0);
    assert_eq!(service.event_types("s"), ["TOOL_CALL_PRE"]);
}

#[test]
fn a_held_call_runs_once_it_is_approved() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::step_up("hold-7").with("reason", "a human decides"));
    service.next(Site::Hold, Answer::unresolved("hold-7"));
    service.hold(Answer::resolved("hold-7", "ALLOW"));
    let run = sing(&thoth, &service, &[]);
    assert_eq!(run.json(0)["result"], SANG);
    assert!(run.stderr.contains("a human decides"), "{run}");
    let polls = service.requests_to(Site::Hold);
    assert_eq!(polls.len(), 2);
    assert!(
        polls
            .iter()
            .all(|poll| poll.path == "/v1/enforce/hold/hold-7"),
        "{polls:?}"
    );
    assert_eq!(service.requests_to(Site::Enforce).len(), 1);
    assert_eq!(
        service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
}

#[test]
fn a_held_call_that_is_denied_does_not_run() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::step_up("hold-7"));
    service.hold(Answer::resolved("hold-7", "BLOCK").with("reason", "not this one"));
    let json = sing(&thoth, &service, &[]).json(3);
    assert_eq!(json["outcome"], "refused");
    assert_eq!(json["cause"], "denied");
    assert!(
        json["reason"].as_str().unwrap().contains("not this one"),
        "{json}"
    );
    assert_eq!(
        service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
    );
}

#[test]
fn a_held_call_runs_with_what_the_approver_changed() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::step_up("hold-7"));
    let changed =
        Answer::resolved("hold-7", "MODIFY").with("modified_tool_args", json!({"note": "less"}));
    service.hold(changed);
    assert_eq!(
        sing(&thoth, &service, &[]).json(0)["result"],
        "canary-sang-41c7f0:less"
    );
}

#[test]
fn a_held_call_that_nobody_decides_on_stays_pending_when_the_wait_ends() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::step_up("hold-7"));
    service.hold(Answer::unresolved("hold-7"));
    let json = sing(&thoth, &service, &["--wait", "300ms"]).json(4);
    assert_eq!(json["outcome"], "pending");
    assert_eq!(json["hold_token"], "hold-7");
}

#[test]
fn a_hold_that_expires_is_a_refusal() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::step_up("hold-7").with("step_up_timeout_seconds", 1));
    service.hold(Answer::unresolved("hold-7"));
    let json = sing(&thoth, &service, &[]).json(3);
    assert_eq!(json["outcome"], "refused");
    assert_eq!(json["cause"], "expired");
    assert_eq!(
        service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
    );
}

#[test]
fn every_word_for_a_decision_is_understood() {
    let rows = [
        ("ALLOW", "completed", 0),
        (" allow ", "completed", 0),
        ("Allow", "completed", 0),
        ("BLOCK", "refused", 3),
        ("deny", "refused", 3),
        ("STEP_UP", "pending", 4),
        ("challenge", "pending", 4),
        ("ESCALATE", "pending", 4),
        ("Review", "pending", 4),
        ("MODIFY", "completed", 0),
        ("modified", "completed", 0),
        ("TRANSFORM", "completed", 0),
        ("DEFER", "refused", 3),
        ("deferred", "refused", 3),
        ("HOLD", "refused", 3),
    ];
    let both = |word: &str| {
        let answer = Answer::decision(word).with("hold_token", "hold-7");
        match word.trim().to_ascii_uppercase().as_str() {
            "MODIFY" | "MODIFIED" | "TRANSFORM" => {
                answer.with("modified_tool_args", json!({"note": "hello"}))
            }
            _ => answer,
        }
    };
    table::each(
        &rows,
        |(word, ..)| format!("`{word}`"),
        |(word, outcome, code)| {
            for left_out in ["nothing", "decision", "authorization_decision"] {
                let (thoth, service) = (thoth(), Faultd::start());
                service.enforce(both(word).without(left_out));
                let json = sing(&thoth, &service, &["--wait", "0s"]).json(*code);
                assert_eq!(json["outcome"], *outcome, "without {left_out}");
            }
        },
    );
}

#[test]
fn the_stricter_of_two_decisions_counts() {
    let strictest_first = ["BLOCK", "DEFER", "STEP_UP", "MODIFY", "ALLOW"];
    let outcomes = ["refused", "refused", "pending", "completed", "completed"];
    let mut rows = Vec::new();
    for (strict, outcome) in strictest_first.iter().zip(outcomes) {
        for other in strictest_first.iter().skip_while(|word| *word != strict) {
            rows.extend([(*strict, *other, outcome), (*other, *strict, outcome)]);
        }
    }
    table::each(
        &rows,
        |(decision, other, _)| format!("{decision} and {other}"),
        |(decision, other, outcome)| {
            let (thoth, service) = (thoth(), Faultd::start());
            let modifies = [decision, other].contains(&&"MODIFY");
            let answer = Answer::decision(decision).with("authorization_decision", *other);
            service.enforce(if modifies {
                answer
                    .with("hold_token", "hold-7")
                    .with("modified_tool_args", json!({"note": "changed"}))
            } else {
                answer.with("hold_token", "hold-7")
            });
            let run = sing(&thoth, &service, &["--wait", "0s"]);
            let json: Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!(json["outcome"], *outcome, "{run}");
            if modifies && *outcome == "completed" {
                assert_eq!(json["result"], "canary-sang-41c7f0:changed");
            }
        },
    );
}

#[test]
fn observing_runs_the_call_and_tells_what_would_have_happened() {
    let answers: [(&str, Reply); 6] = [
        ("block", Answer::block("no").into()),
        ("step up", Answer::step_up("hold-7").into()),
        ("modify", Answer::modify(json!({"note": "changed"})).into()),
        ("defer", Answer::defer("later", 9).into()),
        ("outage", Reply::json(500, "{}")),
        ("garbage", Reply::bytes("garbage")),
    ];
    table::each(
        &answers,
        |(name, _)| (*name).to_owned(),
        |(_, reply)| {
            let (thoth, service) = (thoth(), Faultd::start());
            service.enforce(reply.clone());
            let run = sing(&thoth, &service, &["--mode", "observe"]);
            assert_eq!(run.json(0)["result"], SANG, "the call runs as it was given");
            assert!(run.stderr.contains("observe"), "{run}");
            assert_eq!(service.enforce_body()["enforcement_mode"], "observe");
            assert_eq!(service.requests_to(Site::Hold).len(), 0);
            assert_eq!(
                service.event_types("s"),
                ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
            );
            for event in service.events() {
                assert_eq!(event["enforcement_mode"], "observe");
            }
            let decision = &service.events()[1]["metadata"]["authorization_decision"];
            assert_ne!(decision, "ALLOW", "what would have happened");
        },
    );
}

#[test]
fn nothing_an_agent_sends_selects_a_mode_or_an_identity() {
    let (thoth, service) = (thoth(), Faultd::start());
    service.enforce(Answer::block("no"));
    let arguments = r#"{"note":"x\",\"enforcement_mode\":\"observe\",\"agent_id\":\"root"}"#;
    let call = thoth
        .call(tool("canary"))
        .args(["sing", arguments, "--agent-id", "bot"]);
    let _refused = call.args(["--enforcer-url", &service.url()]).run().json(3);
    let body = service.enforce_body();
    assert_eq!(body["enforcement_mode"], "block");
    assert_eq!(body["agent_id"], "bot");
}

#[test]
fn every_mode_goes_on_the_wire() {
    for mode in ["observe", "step_up", "block", "progressive"] {
        let (thoth, service) = (thoth(), Faultd::start());
        let _completed = sing(&thoth, &service, &["--mode", mode]).json(0);
        assert_eq!(service.enforce_body()["enforcement_mode"], mode);
        for event in service.events() {
            assert_eq!(event["enforcement_mode"], mode);
        }
    }
}

#[test]
fn a_tool_that_returns_its_error_has_failed_and_leaves_an_event() {
    let (thoth, service) = (thoth(), Faultd::start());
    let transfer = r#"{"from_account":"petty-cash","to_account":"payroll","amount_cents":40000}"#;
    let call = thoth
        .call(tool("ledger"))
        .args(["transfer", transfer, "--session-id", "s"]);
    let json = call.args(["--enforcer-url", &service.url()]).run().json(5);
    assert_eq!(json["outcome"], "failed");
    assert_eq!(json["cause"], "tool_error");
    let shortfall = json!({"available_cents": 31250, "missing_cents": 8750});
    assert_eq!(
        json["error"],
        json!({"tag": "insufficient_funds", "val": shortfall})
    );
    assert_eq!(
        service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
}

#[test]
fn the_only_function_of_a_component_need_not_be_named() {
    let (thoth, service) = (thoth(), Faultd::start());
    let text = r#"{"title":"A & B","body":"[internal] secret\n- one","format":"html","include_internal":false}"#;
    let call = thoth.call(tool("exporter")).arg(text);
    let json = call.args(["--enforcer-url", &service.url()]).run().json(0);
    assert_eq!(json["tool"], "export_text");
    assert_eq!(
        json["result"],
        "<h1>A &amp; B</h1>\n<ul>\n<li>one</li>\n</ul>\n"
    );
}

#[test]
fn arguments_come_from_stdin_or_a_file_as_well() {
    let (thoth, service) = (thoth(), Faultd::start());
    let url = service.url();
    let call = || {
        thoth
            .call(tool("canary"))
            .args(["--enforcer-url", &url, "sing"])
    };
    let file = thoth.file("note.json", r#"{"note":"hello"}"#);
    let from_stdin = call().arg("-").stdin(r#"{"note":"hello"}"#).run();
    let from_file = call().arg(format!("@{}", file.display())).run();
    assert_eq!(from_stdin.json(0)["result"], SANG);
    assert_eq!(from_file.json(0)["result"], SANG);
}

#[test]
fn a_search_gives_the_same_hits_each_time() {
    let (thoth, service) = (thoth(), Faultd::start());
    let search = || {
        let call = thoth.call(tool("docs-search"));
        let call = call.args(["search_docs", r#"{"query":"parental leave","limit":2}"#]);
        call.args(["--enforcer-url", &service.url()]).run().json(0)["result"].clone()
    };
    let hits = search();
    assert_eq!(hits[0]["path"], "hr/leave.md");
    assert_eq!(hits[0]["title"], "Leave");
    assert!(
        hits[0]["snippet"].as_str().unwrap().contains("16 weeks"),
        "{hits}"
    );
    assert_eq!(hits, search());
}

#[test]
fn a_key_is_sent_in_both_headers_on_every_request() {
    let service = Faultd::start();
    service.enforce(Answer::step_up("hold-7"));
    service.hold(Answer::resolved("hold-7", "ALLOW"));
    let thoth = thoth().env("THOTH_API_KEY", "thoth_test_k");
    let _completed = sing(&thoth, &service, &[]).json(0);
    for site in [Site::Enforce, Site::Hold, Site::Events] {
        let requests = service.requests_to(site);
        assert!(!requests.is_empty(), "{site:?}");
        for request in requests {
            assert_eq!(
                request.header("authorization"),
                Some("Bearer thoth_test_k"),
                "{site:?}"
            );
            assert_eq!(
                request.header("x-api-key"),
                Some("thoth_test_k"),
                "{site:?}"
            );
        }
    }
}
