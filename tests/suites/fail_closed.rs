//! The fault matrix: whatever the policy service does short of one well-formed ALLOW, the tool does
//! not run, the refusal names its cause, and the next call on a healthy service runs.
//! `one_runtime` meets the same rows within one process.
//!
//! The row ids are those of the project's fault list. The tool of each faulted call never returns,
//! so that a call which ends before the tool's time limit (an hour) did not run it to an end; and no
//! event says that it ran.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "matrix/connections.rs"]
mod connections;
#[path = "matrix/mod.rs"]
mod matrix;

use std::{path::Path, time::Duration};

use connections::Fault;
use matrix::Row;
use thoth_tests::{
    Answer, Faultd, Listener, Refused, Reply, Run, Site, Thoth, faultd::tls::Authority, table, tool,
};

/// The deadline of the rows that wait for it.
const SHORT: &str = "700ms";
const SHORT_BUDGET: Duration = Duration::from_millis(700);
/// What a busy machine may add to a deadline, as the policy service sees it.
const SLACK: Duration = Duration::from_secs(2);
/// The deadline of the rows that must not need it.
const LONG: &str = "20s";

/// What a faulted call is made with.
struct Setting<'a> {
    url: String,
    flags: &'a [&'a str],
    ca_file: Option<&'a Path>,
}

fn faulted(thoth: &Thoth, setting: &Setting<'_>, timeout: &str) -> Run {
    let mut call = thoth
        .call(tool("canary"))
        .args([
            "tarpit",
            r#"{"note":"x"}"#,
            "--tool-timeout",
            "1h",
            "--session-id",
            "faulted",
        ])
        .args(["--timeout", timeout, "--enforcer-url", &setting.url])
        .args(setting.flags);
    if let Some(file) = setting.ca_file {
        call = call.arg("--ca-file").arg(file);
    }
    call.run()
}

fn timeout_of(causes: &[&str]) -> &'static str {
    if causes.contains(&"timeout") {
        SHORT
    } else {
        LONG
    }
}

/// Checks a refused call: its outcome, its cause, and that nothing ran.
fn assert_refused(run: &Run, causes: &[&str]) {
    let json = run.json(3);
    assert_eq!(json["outcome"], "refused", "{run}");
    let cause = json["cause"].as_str().unwrap();
    assert!(
        causes.contains(&cause),
        "cause `{cause}`, expected one of {causes:?}; {}",
        json["reason"]
    );
    assert_eq!(json.get("result"), None, "{run}");
    assert_eq!(json["tool"], "tarpit");
}

/// Once the service is well, a call of the same state folder runs, and brings the events that could
/// not be delivered.
fn assert_recovers(thoth: &Thoth, service: &Faultd, ca_file: &Path) {
    let call = thoth
        .call(tool("canary"))
        .args(["sing", r#"{"note":"hello"}"#, "--session-id", "healthy"])
        .args(["--enforcer-url", &service.url(), "--ca-file"])
        .arg(ca_file);
    assert_eq!(call.run().json(0)["result"], "canary-sang-41c7f0:hello");
    assert_eq!(
        service.event_types("faulted"),
        ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
    );
    assert_eq!(
        service.event_types("healthy"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
}

fn assert_on_time(service: &Faultd, causes: &[&str]) {
    if causes == ["timeout"] {
        let longest = service.waits().into_iter().max().unwrap_or_default();
        assert!(
            longest <= SHORT_BUDGET + SLACK,
            "the connection was held for {longest:?}"
        );
    }
}

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

#[test]
fn no_faulty_decision_runs_the_tool() {
    table::each(&matrix::replies(), Row::name, |row| {
        let (thoth, service) = (thoth(), Faultd::start());
        service.enforce(row.reply.clone());
        let setting = Setting {
            url: service.url(),
            flags: &["--wait", "0s"],
            ca_file: None,
        };
        let run = faulted(&thoth, &setting, timeout_of(row.causes));
        assert_refused(&run, row.causes);
        assert_on_time(&service, row.causes);
        assert_eq!(
            service.requests_to(Site::Enforce).len(),
            1,
            "a decision is asked for once"
        );
        assert_eq!(
            service.event_types("faulted"),
            ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
        );
    });
}

#[test]
fn no_faulty_resolution_runs_the_tool() {
    let rows: Vec<Row> = matrix::replies()
        .into_iter()
        .filter(|row| !row.hold_causes.is_empty())
        .chain(matrix::resolutions())
        .collect();
    table::each(&rows, Row::name, |row| {
        let (thoth, service) = (thoth(), Faultd::start());
        service.enforce(Answer::step_up("hold-7"));
        service.hold(row.reply.clone());
        let undecided = row.hold_causes == matrix::UNDECIDED;
        let wait: &[&str] = if undecided {
            &["--wait", "400ms"]
        } else {
            &["--wait", "30s"]
        };
        let setting = Setting {
            url: service.url(),
            flags: wait,
            ca_file: None,
        };
        let run = faulted(&thoth, &setting, timeout_of(row.causes));
        assert_on_time(&service, row.causes);
        if undecided {
            // The service was away or busy: nobody has decided, so nothing runs and nothing is over.
            assert_eq!(run.json(4)["outcome"], "pending");
            assert_eq!(service.event_types("faulted"), ["TOOL_CALL_PRE"]);
        } else {
            assert_refused(&run, row.hold_causes);
            assert_eq!(
                service.event_types("faulted"),
                ["TOOL_CALL_PRE", "TOOL_CALL_BLOCK"]
            );
        }
    });
}

#[test]
fn no_faulty_connection_runs_the_tool() {
    let authority = Authority::new();
    table::each(
        &connections::connections(&authority),
        Fault::name,
        |fault| {
            let thoth = thoth();
            let ca_file = thoth.file("authority.pem", authority.pem());
            let service = Faultd::listen(fault.take());
            let setting = Setting {
                url: service.url(),
                flags: &[],
                ca_file: Some(&ca_file),
            };
            let run = faulted(&thoth, &setting, timeout_of(fault.causes));
            assert_refused(&run, fault.causes);
            assert_on_time(&service, fault.causes);
            let secure = service.url().starts_with("https");
            service.heal(if secure {
                Listener::Tls(authority.good())
            } else {
                Listener::Plain
            });
            assert_recovers(&thoth, &service, &ca_file);
        },
    );
}

#[test]
fn no_missing_service_runs_the_tool() {
    let thoth = thoth();
    let ca_file = thoth.file("authority.pem", Authority::new().pem());
    let setting = Setting {
        url: "https://no-such-host.invalid".to_owned(),
        flags: &[],
        ca_file: None,
    };
    assert_refused(&faulted(&thoth, &setting, LONG), &["unreachable"]);

    let missing = Refused::take();
    let setting = Setting {
        url: missing.url(),
        flags: &[],
        ca_file: None,
    };
    assert_refused(&faulted(&thoth, &setting, LONG), &["unreachable"]);
    assert_recovers(&thoth, &missing.listen(), &ca_file);
}

#[test]
fn a_redirect_is_never_followed_and_the_key_goes_nowhere() {
    for status in [301, 302, 303, 307, 308] {
        let (first, second) = (Faultd::start(), Faultd::start());
        let location = format!("{}/v1/enforce", second.url());
        first.enforce(Reply::with_headers(
            status,
            &[
                ("location", &location),
                ("content-type", "application/json"),
            ],
            r#"{"decision":"ALLOW"}"#,
        ));
        let thoth = thoth().env("THOTH_API_KEY", "thoth_test_k");
        let setting = Setting {
            url: first.url(),
            flags: &[],
            ca_file: None,
        };
        assert_refused(&faulted(&thoth, &setting, LONG), &["redirect"]);
        assert_eq!(second.connections(), 0);
    }
}

#[test]
fn a_service_on_tls_that_the_operator_trusts_is_heard() {
    let authority = Authority::new();
    let thoth = thoth();
    let ca_file = thoth.file("authority.pem", authority.pem());
    // A missing TLS goodbye after a complete answer takes nothing away from it.
    for identity in [authority.good(), authority.without_goodbye()] {
        let service = Faultd::listen(Listener::Tls(identity));
        let call = thoth
            .call(tool("canary"))
            .args(["sing", r#"{"note":"hello"}"#]);
        let call = call
            .args(["--enforcer-url", &service.url()])
            .arg("--ca-file")
            .arg(&ca_file);
        assert_eq!(call.run().json(0)["outcome"], "completed");
    }
}

#[test]
fn what_is_odd_but_clear_is_an_allow() {
    table::each(&matrix::allowed(), Row::name, |row| {
        let (thoth, service) = (thoth(), Faultd::start());
        service.enforce(row.reply.clone());
        let call = thoth
            .call(tool("canary"))
            .args(["sing", r#"{"note":"hello"}"#]);
        let run = call.args(["--enforcer-url", &service.url()]).run();
        assert_eq!(run.json(0)["outcome"], "completed");
    });
}

#[test]
fn proxy_variables_are_not_read() {
    let (proxy, service) = (Faultd::start(), Faultd::start());
    let url = proxy.url();
    let thoth = thoth();
    let mut call = thoth
        .call(tool("canary"))
        .args(["sing", r#"{"note":"hello"}"#]);
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        call = call.env(name, &url);
    }
    let run = call.args(["--enforcer-url", &service.url()]).run();
    assert_eq!(run.json(0)["outcome"], "completed");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn certificate_variables_do_not_make_a_service_trusted() {
    let authority = Authority::new();
    let thoth = thoth();
    let file = thoth.file("authority.pem", authority.pem());
    let thoth = thoth.env("SSL_CERT_FILE", &file);
    let service = Faultd::listen(Listener::Tls(authority.good()));
    let setting = Setting {
        url: service.url(),
        flags: &[],
        ca_file: None,
    };
    assert_refused(&faulted(&thoth, &setting, LONG), &["tls"]);
}

#[test]
fn there_is_no_fail_open() {
    let (thoth, service) = (thoth(), Faultd::start());
    for value in ["true", "1", "yes", "on", "maybe"] {
        let call = thoth.call(tool("canary")).args(["sing", r#"{"note":"x"}"#]);
        let run = call
            .args(["--enforcer-url", &service.url()])
            .env("THOTH_FAIL_OPEN", value)
            .run();
        let line = run.error(2);
        assert!(line.contains("THOTH_FAIL_OPEN"), "{line}");
    }
    assert_eq!(service.connections(), 0);
}
