//! A secret reaches the server that it is for, and nothing else: no tool, no output, no event, no log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "effects/courier.rs"]
mod courier;
#[path = "secrets/refused.rs"]
mod refused;
#[path = "secrets/safe.rs"]
mod safe;

use safe::{SECRET, Safe, assert_clean, forms};
use serde_json::{Value, json};
use thoth_tests::table;

#[test]
fn a_secret_reaches_the_server_and_comes_back_masked_whatever_the_tool_does_with_it() {
    for function in ["fetches", "says", "fails"] {
        let safe = Safe::new(SECRET);
        let run = safe
            .call(
                function,
                "/v1/echo",
                "authorization",
                "Bearer {{secret:key}}",
            )
            .run();
        let heads = safe.web.heads();
        assert_eq!(heads.len(), 1, "{run}");
        assert!(heads[0].contains(&format!("Bearer {SECRET}")), "{heads:?}");
        let json = run.json(if function == "fails" { 5 } else { 0 });
        let shown = match function {
            "fetches" => json["result"].to_string(),
            "says" => json["stdout"].to_string(),
            _ => json["error"].to_string(),
        };
        assert!(shown.contains("[secret:key]"), "{run}");
        if function == "says" {
            assert!(json["stderr"].to_string().contains("[secret:key]"), "{run}");
        }
        assert_eq!(json["masked"], true, "{run}");
        let events = safe.service.events();
        let done = events.iter().find(|event| {
            event["tool_name"] == "effect:http" && event["event_type"] == "TOOL_CALL_POST"
        });
        assert_eq!(
            done.unwrap()["metadata"]["effect_result"]["masked"],
            true,
            "{events:?}"
        );
        safe.is_tight(&run);
    }
}

#[test]
fn a_secret_that_a_tool_has_from_its_caller_is_masked_once_it_was_used() {
    for function in ["repeats", "regrets"] {
        let safe = Safe::new(SECRET);
        let path = format!("/v1/items.json?{SECRET}");
        let run = safe
            .call(function, &path, "authorization", "{{secret:key}}")
            .run();
        let json = run.json(if function == "regrets" { 5 } else { 0 });
        let masked = "/v1/items.json?[secret:key]";
        if function == "regrets" {
            assert_eq!(json["error"], masked, "{run}");
        } else {
            for shown in ["result", "stdout", "stderr"] {
                assert_eq!(json[shown], masked, "{shown}: {run}");
            }
        }
        assert_eq!(json["masked"], true, "{run}");
        let last = safe.service.events().pop().unwrap();
        assert_eq!(last["metadata"]["masked"], true, "{last}");
        safe.is_tight(&run);
    }
}

#[test]
fn a_secret_is_nowhere_even_when_everything_is_told() {
    let safe = Safe::new(SECRET);
    let call = safe.call("fetches", "/v1/echo", "x-key", "{{secret:key}}");
    let call = call.args(["--capture", "full", "--verbose"]);
    let run = call.env("THOTH_LOG_LEVEL", "trace").run();
    assert_eq!(run.json(0)["masked"], true, "{run}");
    assert!(safe.web.heads()[0].contains(SECRET));
    safe.is_tight(&run);
}

#[test]
fn a_secret_stays_out_of_what_a_person_reads() {
    for function in ["fetches", "says", "fails"] {
        let safe = Safe::new(SECRET);
        let call = safe.plain(function, "/v1/echo", "authorization", "{{secret:key}}");
        let run = call.run();
        assert_eq!(safe.web.heads().len(), 1, "{run}");
        safe.is_tight(&run);
    }
}

#[test]
fn the_enforcer_is_told_the_header_and_not_its_value() {
    let safe = Safe::new(SECRET);
    let run = safe
        .call(
            "fetches",
            "/v1/echo",
            "authorization",
            "Bearer {{secret:key}}",
        )
        .run();
    assert_eq!(run.json(0)["outcome"], "completed");
    let asked = safe.service.requests();
    let effect = asked
        .iter()
        .map(|request| request.json())
        .find(|body: &Value| body["tool_name"] == "effect:http");
    assert_eq!(
        effect.unwrap()["tool_args"]["headers"],
        json!(["authorization"])
    );
    for request in asked {
        assert_clean("a request to the enforcer", &request.body);
    }
}

#[test]
fn a_secret_from_a_command_is_as_good() {
    let safe = Safe::new(SECRET);
    let flag = format!("key=command:cat {}", safe.path.display());
    let call = safe.bare("fetches", "/v1/echo", "authorization", "{{secret:key}}");
    let run = call.args(["--allow-secret", &flag]).run();
    assert_eq!(run.json(0)["masked"], true, "{run}");
    assert!(safe.web.heads()[0].contains(SECRET));
    safe.is_tight(&run);
}

#[test]
fn a_placeholder_is_text_everywhere_but_in_a_header() {
    let rows = [
        "/v1/echo?key={{secret:key}}",
        "/v1/echo/%7B%7Bsecret:key%7D%7D",
    ];
    table::each(
        &rows,
        |path| (*path).to_owned(),
        |path| {
            let safe = Safe::new(SECRET);
            let run = safe.call("fetches", path, "", "").run();
            assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
            assert_eq!(safe.web.connections(), 0, "{run}");
            safe.is_tight(&run);
        },
    );
}

#[test]
fn the_search_finds_each_form() {
    // Or the rows above would prove nothing.
    assert_eq!(forms().len(), 6);
    for form in forms() {
        let text = [b"x", form.as_slice(), b"y"].concat();
        let found = std::panic::catch_unwind(|| assert_clean("it", &text));
        assert!(found.is_err());
    }
}
