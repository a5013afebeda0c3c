//! `thoth doctor`: each thing that is wrong is named, with what to do.

use std::fs;

use serde_json::Value;
use thoth_tests::{Answer, Faultd, Reply, Run, Thoth, tool};

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

fn doctor(thoth: &Thoth) -> Run {
    thoth.command("doctor").arg("--json").run()
}

/// Status and text of a check.
fn check(report: &Value, name: &str) -> (String, String) {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["check"] == name);
    let found = found.unwrap_or_else(|| panic!("no check `{name}` in {report}"));
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    (text("status"), format!("{} → {}", text("what"), text("do")))
}

fn assert_check(report: &Value, name: &str, status: &str, told: &str) {
    let (is, text) = check(report, name);
    assert_eq!(is, status, "{name}: {text}");
    assert!(text.contains(told), "{name}: {text}");
}

#[test]
fn a_set_up_that_was_locked_is_sound() {
    let thoth = thoth();
    thoth
        .bare()
        .arg("init")
        .arg(tool("ledger"))
        .run()
        .assert_code(0);
    let report = doctor(&thoth).json(1);
    assert_eq!(report["ok"], false);
    assert_check(&report, "lock", "fail", "run `thoth lock`");
    thoth.bare().arg("lock").run().assert_code(0);
    let report = doctor(&thoth).json(0);
    for name in [
        "configuration",
        "tools",
        "lock",
        "identity",
        "policy",
        "enforcer",
        "clock",
        "state",
        "fails closed",
    ] {
        assert_check(&report, name, "ok", "");
    }
    let run = thoth.command("doctor").run();
    run.assert_code(0);
    assert!(
        run.stdout.contains("ok   fails closed  18 of 18 faults"),
        "{run}"
    );
    let home = thoth.path("xdg-config/thoth");
    let config = fs::read_to_string(home.join("thoth.toml")).unwrap();
    let unlocked = config.replace("locked = true", "locked = false");
    fs::write(home.join("thoth.toml"), unlocked).unwrap();
    fs::remove_file(home.join("tools.lock")).unwrap();
    let report = doctor(&thoth).json(0);
    assert_check(&report, "lock", "warn", "`thoth lock`");
    // Nothing was held for a person by looking.
    let approvals = thoth
        .bare()
        .args(["approvals", "list", "--all", "--json", "--state-dir"])
        .arg(thoth.state_dir())
        .run();
    assert_eq!(approvals.stdout, "[]\n");
}

#[test]
fn where_nothing_was_ever_held_nothing_waits_but_a_folder_that_was_named_may_be_the_wrong_one() {
    let thoth = thoth();
    let list = |more: &[&str]| {
        let list = thoth.bare().args(["approvals", "list", "--json"]);
        list.args(more).run()
    };
    let run = list(&[]);
    assert_eq!((run.status.code(), run.stdout.as_str()), (Some(0), "[]\n"));
    let named = thoth.path("elsewhere");
    let error = list(&["--state-dir", named.to_str().unwrap()]);
    assert!(error.error(2).contains("`--state-dir`"), "{error}");
}

#[test]
fn nothing_at_all_is_told_what_to_begin_with() {
    let report = doctor(&thoth()).json(1);
    assert_eq!(report["ok"], false);
    assert_check(&report, "configuration", "warn", "thoth init");
    assert_check(&report, "tools", "warn", "thoth init");
    assert_check(&report, "policy", "fail", "thoth init");
    assert_check(&report, "fails closed", "ok", "18 of 18");
}

#[test]
fn what_is_wrong_is_named() {
    let thoth = thoth();
    thoth
        .bare()
        .arg("init")
        .arg(tool("ledger"))
        .run()
        .assert_code(0);
    let home = thoth.path("xdg-config/thoth");
    let adder = home.join("mine.wasm");
    fs::copy(tool("canary"), &adder).unwrap();
    let config = home.join("thoth.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        format!("{text}\n[tools.mine]\ncomponent = \"mine.wasm\"\n"),
    )
    .unwrap();
    thoth.bare().arg("lock").run().assert_code(0);
    fs::copy(tool("exporter"), &adder).unwrap();
    fs::write(home.join("policy.cedar"), "permit (principal").unwrap();
    let report = doctor(&thoth).json(1);
    assert_check(
        &report,
        "lock",
        "fail",
        "`mine` changed since it was locked",
    );
    assert_check(&report, "policy", "fail", "thoth enforcer check");
    fs::write(&adder, "nothing").unwrap();
    fs::remove_file(home.join("tools.lock")).unwrap();
    assert_check(
        &doctor(&thoth).json(1),
        "tools",
        "fail",
        "`mine` is not a WebAssembly component",
    );
    fs::write(home.join("tools.lock"), "nothing").unwrap();
    assert_check(
        &doctor(&thoth).json(1),
        "lock",
        "fail",
        "cannot use the lock",
    );
    fs::write(&config, "polizy = 1").unwrap();
    assert_check(&doctor(&thoth).json(1), "configuration", "fail", "polizy");
    let report = thoth
        .command("doctor")
        .arg("--json")
        .env("THOTH_FAIL_OPEN", "true")
        .run();
    fs::write(&config, "").unwrap();
    assert_check(&report.json(1), "configuration", "fail", "polizy");
    let report = thoth
        .command("doctor")
        .arg("--json")
        .env("THOTH_FAIL_OPEN", "true")
        .run();
    assert_check(&report.json(1), "environment", "fail", "THOTH_FAIL_OPEN");
}

#[test]
fn an_enforcer_is_asked_with_the_key_and_without() {
    let (thoth, service) = (thoth(), Faultd::start());
    let ask = |key: Option<&str>| {
        let doctor = thoth
            .command("doctor")
            .args(["--json", "--enforcer-url", &service.url()]);
        match key {
            Some(key) => doctor.env("THOTH_API_KEY", key).run(),
            None => doctor.run(),
        }
    };
    // The service of the tests allows everything, to everyone.
    let report = ask(Some("secret")).json(0);
    assert_check(
        &report,
        "enforcer",
        "warn",
        "allows a tool that does not exist",
    );
    assert_check(
        &report,
        "credentials",
        "warn",
        "answers without an API key too",
    );
    let report = ask(None).json(0);
    assert_check(&report, "credentials", "warn", "wants none");
    service.enforce(Answer::block("unknown tool"));
    let report = ask(Some("secret")).json(0);
    assert_check(
        &report,
        "enforcer",
        "ok",
        "blocks a tool that it does not know",
    );
    service.enforce(Reply::json(401, "{}"));
    let report = ask(Some("secret")).json(1);
    assert_check(&report, "enforcer", "fail", "THOTH_API_KEY");
    assert!(service.events().is_empty());
}

#[test]
fn an_enforcer_that_is_away_fails_the_check() {
    let thoth = thoth();
    let url = "http://127.0.0.1:1";
    let report = thoth
        .command("doctor")
        .args(["--json", "--enforcer-url", url])
        .run()
        .json(1);
    assert_check(
        &report,
        "enforcer",
        "fail",
        "every call is blocked until it can",
    );
}

#[test]
fn our_own_enforcer_is_sound() {
    let thoth = thoth();
    let policy = thoth.file(
        "policy.cedar",
        "@id(\"a\") permit (principal, action == Action::\"call\", resource == Tool::\"x\");",
    );
    let serve = thoth
        .bare()
        .args(["enforcer", "serve", "--state-dir"])
        .arg(thoth.state_dir());
    let serve = serve
        .args(["--listen", "127.0.0.1:0", "--policy"])
        .arg(policy);
    let mut serving = serve.env("THOTH_API_KEY", "secret").spawn();
    let url = serving.stdout_line(|line| line.starts_with("http://"));
    let doctor = thoth
        .bare()
        .arg("doctor")
        .args(["--json", "--enforcer-url", &url]);
    let doctor = doctor.arg("--state-dir").arg(thoth.path("other"));
    let report = doctor.env("THOTH_API_KEY", "secret").run().json(0);
    assert_check(
        &report,
        "enforcer",
        "ok",
        "blocks a tool that it does not know",
    );
    assert_check(&report, "credentials", "ok", "wants one");
    assert_check(&report, "clock", "ok", "");
}
