//! `thoth inspect` shows what a component could ask for, what it gets, and what of that it cannot use.

use thoth_tests::{Thoth, tool};

use super::config::Home;

#[test]
fn grants_of_the_configuration_are_shown_beside_the_imports() {
    let home = Home::new();
    let config = home.config("environment = [\"LANG\"]");
    let inspect = || home.thoth.bare().arg("inspect").arg(&home.component);
    let run = inspect().arg("--config").arg(&config).run();
    assert_eq!(run.assert_code(0).stderr, "", "{run}");
    let rule = format!("GET,POST {}/v1/*", home.web.origin());
    for shown in [
        "wasi:http/outgoing-handler@0.2",
        "granted: what it gets",
        &rule,
        "environment  LANG",
    ] {
        assert!(run.stdout.contains(shown), "{shown}: {run}");
    }
    let json = inspect()
        .arg("--config")
        .arg(&config)
        .arg("--json")
        .run()
        .json(0);
    assert!(
        json["grants"]["network"][0]
            .as_str()
            .unwrap()
            .contains(&rule),
        "{json}"
    );
    assert_eq!(json["grants"]["environment"][0], "LANG");
    let without = inspect().run();
    assert!(
        without.assert_code(0).stdout.contains("  nothing\n"),
        "{without}"
    );
}

#[test]
fn a_grant_that_the_component_cannot_use_is_warned_of() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let flags = ["--allow-net", "https://a.example/v1/* GET"];
    let inspect = thoth.bare().arg("inspect").arg(tool("canary")).args(flags);
    let run = inspect.run();
    let warning = run
        .assert_code(0)
        .stderr
        .lines()
        .find(|line| line.contains("network is granted"));
    assert!(
        warning.is_some_and(|line| line.contains("wasi:http/outgoing-handler")),
        "{run}"
    );
    let call = thoth
        .call(tool("canary"))
        .args(["sing", r#"{"note":"a"}"#])
        .args(flags);
    let policy = thoth.file("policy.cedar", "permit (principal, action, resource);");
    let run = call.arg("--policy").arg(policy).run();
    assert_eq!(run.json(0)["outcome"], "completed");
    assert!(run.stderr.contains("network is granted"), "{run}");
}

#[test]
fn a_mistake_in_the_configuration_is_told_by_inspect_too() {
    let home = Home::new();
    let config = home.config("netwrok = []");
    let inspect = home.thoth.bare().arg("inspect").arg(&home.component);
    let run = inspect.arg("--config").arg(config).run();
    assert!(run.error(2).contains("thoth.toml:4:"), "{run}");
}
