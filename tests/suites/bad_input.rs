//! Bad input: each kind is one line with the next step and a documented exit code, and loses nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "bad_input/policies.rs"]
mod policies;
#[path = "bad_input/state.rs"]
mod state;

use std::{fs, path::PathBuf, process::Command};

use thoth_tests::{Faultd, Refused, Site, Thoth, table, thoth::Invocation, tool};

const HOST_ERROR: i32 = 1;
const USAGE: i32 = 2;
const REFUSED: i32 = 3;
const PERMIT: &str = "permit(principal, action, resource);\n";

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

/// A call of the canary that is right in every respect but the policy.
fn sing(thoth: &Thoth) -> Invocation {
    thoth
        .call(tool("canary"))
        .args(["sing", r#"{"note":"hello"}"#])
}

#[test]
fn a_file_that_is_no_component_is_refused() {
    let (thoth, service) = (thoth(), Faultd::start());
    let whole = fs::read(tool("canary")).unwrap();
    let module = b"\0asm\x01\0\0\0";
    let rows: [(&str, PathBuf, &str); 9] = [
        ("missing", thoth.path("missing.wasm"), "missing.wasm"),
        ("a folder", thoth.path(""), ""),
        ("empty", thoth.file("empty.wasm", ""), "empty.wasm"),
        ("text", thoth.file("text.wasm", "(component)"), "text.wasm"),
        (
            "a core module",
            thoth.file("module.wasm", module),
            "core module",
        ),
        (
            "garbage",
            thoth.file("garbage.wasm", [0x7f; 4096]),
            "garbage.wasm",
        ),
        (
            "truncated",
            thoth.file("half.wasm", &whole[..whole.len() / 2]),
            "half.wasm",
        ),
        (
            "a bit off",
            thoth.file("off.wasm", flipped(&whole)),
            "off.wasm",
        ),
        (
            "imports what nobody offers",
            tool("needy"),
            "test:needy/nowhere",
        ),
    ];
    table::each(
        &rows,
        |(name, ..)| (*name).to_owned(),
        |(_, component, named)| {
            let call = thoth.call(component).args(["sing", r#"{"note":"x"}"#]);
            let run = call.args(["--enforcer-url", &service.url()]).run();
            let line = run.error(HOST_ERROR);
            assert!(
                line.starts_with("thoth: ") && line.contains(named),
                "{line}"
            );
        },
    );
    assert_eq!(service.requests().len(), 0);
}

/// The same component with the size of its first section changed.
fn flipped(whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[9] ^= 0x7f;
    bytes
}

#[test]
fn a_wrong_tool_or_wrong_arguments_are_usage_errors() {
    let (thoth, service) = (thoth(), Faultd::start());
    let rows = [
        ("unknown tool", vec!["dance", "{}"], "sing"),
        ("no tool where there are two", vec![], "sing, tarpit"),
        ("WIT name of no tool", vec!["SING", "{}"], "sing"),
        (
            "not JSON",
            vec!["sing", "{note: hello}"],
            "line 1, column 2",
        ),
        ("half JSON", vec!["sing", r#"{"note":"#], "line 1"),
        (
            "JSON and more",
            vec!["sing", r#"{"note":"x"} x"#],
            "follows",
        ),
        (
            "a key twice",
            vec!["sing", r#"{"note":"x","note":"y"}"#],
            "note",
        ),
        (
            "a lone surrogate",
            vec!["sing", r#"{"note":"\ud800"}"#],
            "line 1",
        ),
        ("an array", vec!["sing", r#"["x"]"#], "object"),
        ("empty", vec!["sing", ""], "arguments"),
        (
            "of the wrong type",
            vec!["sing", r#"{"note":1}"#],
            "arguments.note",
        ),
        ("missing", vec!["sing", "{}"], "arguments.note"),
        ("left out", vec!["sing"], "arguments.note"),
        (
            "a missing file",
            vec!["sing", "@nowhere.json"],
            "nowhere.json",
        ),
    ];
    table::each(
        &rows,
        |(name, ..)| (*name).to_owned(),
        |(_, arguments, named)| {
            let call = thoth.call(tool("canary")).args(arguments);
            let run = call.args(["--enforcer-url", &service.url()]).run();
            let line = run.error(USAGE);
            assert!(line.contains(named), "{line}");
        },
    );
    let deep = format!(r#"{{"note":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    let long = format!(r#"{{"note":"{}"}}"#, "x".repeat(300 << 10));
    for text in [deep, long] {
        let call = thoth.call(tool("canary")).args(["sing", "-"]).stdin(text);
        let run = call.args(["--enforcer-url", &service.url()]).run();
        let _line = run.error(USAGE);
    }
    assert_eq!(
        service.requests().len(),
        0,
        "nothing of this is worth a question"
    );
}

#[test]
fn a_call_without_a_policy_is_a_usage_error_that_names_both_ways() {
    let thoth = thoth();
    let run = sing(&thoth).run();
    let line = run.error(USAGE);
    assert!(
        line.contains("--policy") && line.contains("--enforcer-url"),
        "{line}"
    );
}

#[test]
fn a_key_that_was_asked_for_and_is_blank_is_not_no_key() {
    let thoth = thoth();
    let (policy, key) = (
        thoth.file("policy.cedar", PERMIT),
        thoth.file("key", " \n\n"),
    );
    let serve = || {
        let serve = thoth
            .bare()
            .args(["enforcer", "serve", "--listen", "127.0.0.1:0"]);
        serve
            .arg("--policy")
            .arg(&policy)
            .arg("--state-dir")
            .arg(thoth.state_dir())
    };
    for run in [
        serve().arg("--api-key-file").arg(&key).run(),
        serve().env("THOTH_API_KEY", " \t").run(),
        sing(&thoth)
            .arg("--policy")
            .arg(&policy)
            .arg("--api-key-file")
            .arg(&key)
            .run(),
    ] {
        let line = run.error(USAGE);
        assert!(
            line.contains("is blank") || line.contains("is empty"),
            "{line}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_is_not_success() {
    let thoth = thoth();
    let policy = thoth.file("policy.cedar", PERMIT);
    let full = std::fs::File::create("/dev/full").unwrap();
    let check = thoth.bare().args(["enforcer", "check"]).arg(&policy);
    let mut command = check.into_command();
    let run = command.stdout(full).output().unwrap();
    assert_eq!(run.status.code(), Some(HOST_ERROR));
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(
        said.starts_with("thoth: cannot write to stdout: "),
        "{said}"
    );
}

#[test]
fn a_url_that_cannot_be_an_enforcer_is_a_usage_error() {
    let rows = [
        ("not a url", "URL"),
        ("", ""),
        ("ftp://127.0.0.1", "http"),
        ("file:///etc/passwd", "http"),
        ("http://", ""),
        ("http://example.com", "https"),
        ("http://192.0.2.1:8080", "https"),
        ("http://localhost.example.com", "https"),
        ("http://0.0.0.0:8080", "https"),
        ("https://user:secret@example.com", ""),
        ("http://[fe80::1%25eth0]:80", ""),
        ("http://127.0.0.1:99999", ""),
        ("http://127.0.0.1:80/?a=b", ""),
        ("http://127.0.0.1:80/#a", ""),
    ];
    table::each(
        &rows,
        |(url, _)| format!("`{url}`"),
        |(url, named)| {
            let thoth = thoth();
            let run = sing(&thoth).args(["--enforcer-url", url]).run();
            let line = run.error(USAGE);
            assert!(line.contains(named), "{line}");
            assert!(!line.contains("secret"), "{line}");
        },
    );
}

#[test]
fn an_enforcer_that_is_not_there_refuses_the_call() {
    let refused = Refused::take();
    let thoth = thoth();
    let json = sing(&thoth)
        .args(["--enforcer-url", &refused.url()])
        .run()
        .json(REFUSED);
    assert_eq!(json["cause"], "unreachable");
    assert!(!json["reason"].as_str().unwrap().is_empty(), "{json}");
}

#[test]
fn settings_that_make_no_sense_are_usage_errors() {
    let (thoth, service) = (thoth(), Faultd::start());
    let url = service.url();
    let rows: [&[&str]; 9] = [
        &["--mode", "shadow"],
        &["--mode", "allow"],
        &["--timeout", "soon"],
        &["--timeout", "-1s"],
        &["--tool-timeout", "5"],
        &["--wait", "forever and a day"],
        &["--capture", "everything"],
        &["--session-id", ""],
        &["--no-such-flag"],
    ];
    table::each(
        &rows,
        |flags| flags.join(" "),
        |flags| {
            let run = sing(&thoth)
                .args(["--enforcer-url", &url])
                .args(*flags)
                .run();
            run.assert_code(USAGE);
            assert_eq!(run.stdout, "");
            assert!(!run.stderr.is_empty());
        },
    );
    let run = sing(&thoth)
        .args(["--enforcer-url", &url])
        .env("THOTH_ENFORCEMENT_MODE", "shadow")
        .run();
    assert!(run.error(USAGE).contains("shadow"), "{run}");
    let run = sing(&thoth)
        .args(["--enforcer-url", &url])
        .env("THOTH_TASK_CONTEXT_JSON", "{")
        .run();
    assert!(
        run.error(USAGE).contains("THOTH_TASK_CONTEXT_JSON"),
        "{run}"
    );
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn no_input_makes_a_panic() {
    let (thoth, service) = (thoth(), Faultd::start());
    let whole = fs::read(tool("canary")).unwrap();
    let rows: Vec<usize> = (0..24).map(|part| part * whole.len() / 24).collect();
    table::each(
        &rows,
        |length| format!("the first {length} bytes"),
        |length| {
            let file = thoth.file(&format!("{length}.wasm"), &whole[..*length]);
            let call = thoth.call(file).args(["sing", r#"{"note":"x"}"#]);
            let run = call.args(["--enforcer-url", &service.url()]).run();
            let _line = run.error(HOST_ERROR);
            assert!(!run.stderr.contains("panicked"), "{run}");
        },
    );
}
