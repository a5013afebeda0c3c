//! `thoth init`, completions and manual pages.

use std::fs;

use serde_json::{Value, json};
use thoth_tests::{Thoth, tool};

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

fn read(thoth: &Thoth, name: &str) -> String {
    fs::read_to_string(thoth.path("xdg-config/thoth").join(name)).unwrap()
}

#[test]
fn what_is_written_holds_a_call_for_a_person_who_lets_it_run() {
    let thoth = thoth();
    let init = thoth
        .bare()
        .arg("init")
        .args([tool("ledger"), tool("docs-search")])
        .run();
    init.assert_code(0);
    assert!(init.stderr.contains("thoth lock"), "{init}");
    thoth.bare().arg("lock").run().assert_code(0);
    let balance = |wait: &str| {
        let call = thoth
            .call(tool("ledger"))
            .args(["balance", r#"{"account": "operations"}"#]);
        call.args(["--wait", wait])
    };
    let held = balance("0s").run().json(4);
    assert_eq!(held["reason"], "a person decides about balance");
    let mut waiting = balance("60s").spawn();
    let line = waiting.stderr_line(|line| line.contains("waits for approval"));
    let token = line
        .split_whitespace()
        .find(|word| word.contains("hold_"))
        .unwrap();
    let token = token.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    thoth
        .bare()
        .args(["approvals", "approve", token, "--state-dir"])
        .arg(thoth.state_dir())
        .run()
        .assert_code(0);
    assert!(waiting.wait().json(0)["result"].is_number());
}

#[test]
fn what_is_commented_out_is_right_too() {
    let thoth = thoth();
    thoth
        .bare()
        .arg("init")
        .arg(tool("fetcher"))
        .run()
        .assert_code(0);
    let text = read(&thoth, "thoth.toml");
    // A comment that is a setting: everything but the sentences.
    let settings: String = text
        .lines()
        .filter(|line| !line.starts_with("policy ="))
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.starts_with('[') || setting.contains(" = ") => setting,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(settings.contains("[[tools.fetcher.network]]"), "{settings}");
    assert!(settings.contains("[secrets.github]"), "{settings}");
    fs::create_dir(thoth.path("docs")).unwrap();
    let config = thoth.file("all.toml", settings);
    let lock = thoth.bare().args(["lock", "--config"]).arg(config).run();
    lock.assert_code(0);
    let tools = thoth
        .bare()
        .args(["tools", "--config"])
        .arg(thoth.path("all.toml"))
        .run();
    tools.assert_code(0);
    assert!(tools.stdout.contains("fetch_json"), "{tools}");
    let policy = read(&thoth, "policy.cedar");
    let rules = policy.lines().map(|line| match line.strip_prefix("// ") {
        Some(rule) if rule.starts_with("@id") || rule.starts_with("when") => rule,
        _ => line,
    });
    let rules: Vec<&str> = rules.collect();
    let file = thoth.file("all.cedar", rules.join("\n"));
    let check = thoth.bare().args(["enforcer", "check"]).arg(file).run();
    check.assert_code(0);
    assert!(check.stdout.contains("5 policies"), "{check}");
}

#[test]
fn a_client_s_snippet_names_this_program_and_this_configuration() {
    let thoth = thoth();
    thoth
        .bare()
        .args(["init", "--dir", "agent"])
        .run()
        .assert_code(0);
    let text = fs::read_to_string(thoth.path("agent/mcp.json")).unwrap();
    let snippet: Value = serde_json::from_str(&text).unwrap();
    let server = &snippet["mcpServers"]["thoth"];
    assert_eq!(server["command"], env!("CARGO_BIN_EXE_thoth"));
    let config = thoth.path("agent/thoth.toml").canonicalize().unwrap();
    assert_eq!(
        server["args"],
        json!(["serve", "--config", config, "--approvals", "127.0.0.1:0"])
    );
}

#[test]
fn nothing_is_overwritten_unless_it_is_meant() {
    let thoth = thoth();
    thoth.bare().arg("init").run().assert_code(0);
    let file = thoth.path("xdg-config/thoth/policy.cedar");
    fs::write(&file, "// mine\n").unwrap();
    fs::remove_file(thoth.path("xdg-config/thoth/thoth.toml")).unwrap();
    let run = thoth.bare().arg("init").run();
    let error = run.error(2);
    assert!(
        error.contains("policy.cedar` is there already, so nothing was written"),
        "{error}"
    );
    assert_eq!(read(&thoth, "policy.cedar"), "// mine\n");
    assert!(!thoth.path("xdg-config/thoth/thoth.toml").exists());
    thoth.bare().args(["init", "--force"]).run().assert_code(0);
    assert_ne!(read(&thoth, "policy.cedar"), "// mine\n");
}

#[test]
fn a_component_that_is_none_leaves_nothing_behind() {
    let thoth = thoth();
    let text = thoth.file("text.wasm", "(component)");
    let run = thoth.bare().arg("init").arg(text).run();
    assert!(run.error(1).contains("nothing was written"), "{run}");
    assert!(!thoth.path("xdg-config/thoth/thoth.toml").exists());
}

#[test]
fn a_configuration_in_the_current_folder_is_not_taken() {
    let thoth = thoth();
    // The home of a test is its current folder too.
    thoth
        .bare()
        .args(["init", "--dir", "."])
        .arg(tool("ledger"))
        .run()
        .assert_code(0);
    let run = thoth.bare().arg("tools").run();
    assert!(run.error(2).contains("there are no tools"), "{run}");
}

#[test]
fn shells_and_manuals_know_every_command() {
    let thoth = thoth();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = thoth.bare().args(["completions", shell]).run();
        run.assert_code(0);
        assert!(
            run.stdout.contains("doctor") && run.stdout.contains("enforcer-url"),
            "{shell}"
        );
    }
    thoth.bare().args(["man", "pages"]).run().assert_code(0);
    for page in [
        "thoth.1",
        "thoth-call.1",
        "thoth-lock.1",
        "thoth-approvals-approve.1",
    ] {
        let text = fs::read_to_string(thoth.path("pages").join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}
