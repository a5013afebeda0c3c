//! Secrets that a tool may not use, or nobody can: the request stays in, and the log says that.

use std::{fs, os::unix::fs::PermissionsExt};

use thoth_tests::{Run, table};

use super::safe::{SECRET, Safe, assert_clean};

/// The request is stopped, by the grant (a BLOCK) or when it is to be filled in (a failed POST).
fn stays_in(safe: &Safe, run: &Run, last: &str) {
    assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
    assert_eq!(safe.web.connections(), 0, "{run}");
    let events = safe.service.events();
    let mut effects = events
        .iter()
        .filter(|event| event["tool_name"] == "effect:http");
    let end = effects
        .next_back()
        .unwrap_or_else(|| panic!("no event: {run}"));
    assert_eq!(end["event_type"], last, "{end}");
    safe.is_tight(run);
}

#[test]
fn a_secret_goes_only_where_it_is_granted() {
    let rows = [
        (
            "a secret that is not granted",
            "authorization",
            "{{secret:other}}",
        ),
        ("a header that is not granted", "x-other", "{{secret:key}}"),
        ("a header that is never a tool's", "host", "{{secret:key}}"),
        ("half a placeholder", "authorization", "{{secret:key"),
    ];
    table::each(
        &rows,
        |(what, ..)| (*what).to_owned(),
        |(_, name, value)| {
            let safe = Safe::new(SECRET);
            let run = safe.call("fetches", "/v1/echo", name, value).run();
            if *name == "host" {
                // The tool may not even make such a header, and then sends without it.
                let sent = safe.web.heads().concat();
                assert!(!sent.contains(SECRET), "{run}");
                return safe.is_tight(&run);
            }
            stays_in(&safe, &run, "TOOL_CALL_BLOCK");
        },
    );
}

#[test]
fn without_a_grant_a_placeholder_stays_in() {
    let safe = Safe::new(SECRET);
    let run = safe
        .bare("fetches", "/v1/echo", "authorization", "{{secret:key}}")
        .run();
    stays_in(&safe, &run, "TOOL_CALL_BLOCK");
}

#[test]
fn a_secret_without_a_usable_value_stays_in() {
    type Spoil = fn(&Safe);
    let rows: [(&str, Spoil); 7] = [
        ("no file", |safe| fs::remove_file(&safe.path).unwrap()),
        ("too short", |safe| {
            fs::write(&safe.path, "1234567").unwrap()
        }),
        ("empty", |safe| fs::write(&safe.path, "").unwrap()),
        ("too long", |safe| {
            fs::write(&safe.path, "k".repeat(100_000)).unwrap()
        }),
        ("two lines", |safe| {
            fs::write(&safe.path, format!("{SECRET}\r\nx-evil: 1\r\n")).unwrap();
        }),
        ("world-writable", |safe| {
            fs::set_permissions(&safe.path, fs::Permissions::from_mode(0o606)).unwrap();
        }),
        ("a folder", |safe| {
            fs::remove_file(&safe.path).unwrap();
            fs::create_dir(&safe.path).unwrap();
        }),
    ];
    table::each(
        &rows,
        |(what, _)| (*what).to_owned(),
        |(_, spoil)| {
            let safe = Safe::new(SECRET);
            spoil(&safe);
            let run = safe
                .call("fetches", "/v1/echo", "authorization", "{{secret:key}}")
                .run();
            stays_in(&safe, &run, "TOOL_CALL_POST");
        },
    );
}

#[test]
fn a_value_on_the_command_line_is_refused_and_not_repeated() {
    for flag in [format!("key={SECRET}"), format!("key=value:{SECRET}")] {
        let safe = Safe::new(SECRET);
        let call = safe.bare("fetches", "/v1/echo", "", "");
        let run = call.args(["--allow-secret", &flag]).run();
        assert_clean("the error", run.error(2).as_bytes());
        assert!(run.stderr.contains("NAME=file:PATH"), "{run}");
    }
}

#[test]
fn a_secret_that_nobody_has_told_of_is_refused() {
    let safe = Safe::new(SECRET);
    let call = safe.bare("fetches", "/v1/echo", "", "");
    let run = call.args(["--allow-secret", "key"]).run();
    assert!(run.error(2).contains("there is no secret `key`"), "{run}");
}
