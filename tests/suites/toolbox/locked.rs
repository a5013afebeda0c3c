//! `thoth lock`: what it writes, and that what it wrote runs.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use thoth_tests::{Run, Thoth, tool};

use crate::adder::{Adder, HONEST};

/// A home with a configuration that names one component, and a policy that lets all of it run.
pub(crate) struct Home {
    pub(crate) thoth: Thoth,
    config: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    pub(crate) fn with(more: &str) -> Self {
        let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
        thoth.file("policy.cedar", "permit(principal, action, resource);\n");
        thoth.file("adder.wasm", HONEST.bytes());
        let config = thoth.file(
            "thoth.toml",
            format!(
                "policy = \"policy.cedar\"\n[tools.adder]\ncomponent = \"adder.wasm\"\n{more}\n"
            ),
        );
        Self { thoth, config }
    }

    pub(crate) fn put(&self, adder: &Adder) {
        self.thoth.file("adder.wasm", adder.bytes());
    }

    pub(crate) fn lock(&self, arguments: &[&str]) -> Run {
        let lock = self.thoth.bare().arg("lock").args(arguments);
        lock.arg("--config").arg(&self.config).run()
    }

    pub(crate) fn tools(&self, arguments: &[&str]) -> Run {
        let tools = self.thoth.bare().arg("tools").args(arguments);
        tools.arg("--config").arg(&self.config).run()
    }

    pub(crate) fn call(&self, component: &str) -> Run {
        let call = self.thoth.call(self.thoth.path(component));
        let call = call.args(["add", r#"{"a": 1, "b": 2}"#]);
        call.arg("--config").arg(&self.config).run()
    }

    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.thoth.path("tools.lock")).unwrap()
    }
}

#[test]
fn a_locked_component_runs() {
    let home = Home::new();
    assert_eq!(home.call("adder.wasm").json(0)["result"], 3);
    home.lock(&[]).assert_code(0);
    assert_eq!(home.call("adder.wasm").json(0)["result"], 3);
}

#[test]
fn the_lock_says_what_a_model_is_told() {
    let home = Home::new();
    let run = home.lock(&[]);
    run.assert_code(0);
    assert!(run.stdout.starts_with("new     adder · sha256:"), "{run}");
    let lock: Value = serde_json::from_str(&home.text()).unwrap();
    assert_eq!(lock["version"], 1);
    let pin = &lock["components"][0];
    assert_eq!(pin["name"], "adder");
    assert_eq!(pin["path"], "adder.wasm");
    assert_eq!(pin["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(pin["world"]["exports"], json!(["add"]));
    assert_eq!(pin["world"]["imports"], json!([]));
    assert_eq!(pin["tools"][0]["description"], "Adds two numbers.");
    let parameters = &pin["tools"][0]["input_schema"]["properties"];
    assert_eq!(parameters.as_object().unwrap().len(), 2);
}

#[test]
fn the_same_components_give_the_same_lock() {
    let home = Home::new();
    home.lock(&[]).assert_code(0);
    let first = home.text();
    let run = home.lock(&[]);
    assert!(run.stdout.starts_with("same    adder"), "{run}");
    fs::remove_file(home.thoth.path("tools.lock")).unwrap();
    home.lock(&[]).assert_code(0);
    assert_eq!(home.text(), first);
}

#[test]
fn a_check_says_what_changed_and_writes_nothing() {
    let home = Home::new();
    home.lock(&["--check"]).assert_code(1);
    assert!(!home.thoth.path("tools.lock").exists());
    home.lock(&[]).assert_code(0);
    home.lock(&["--check"]).assert_code(0);
    let before = home.text();
    home.put(&Adder {
        subtracts: true,
        ..HONEST
    });
    let object = home.lock(&["--check", "--json"]).json(1);
    assert_eq!(object["written"], false);
    let component = &object["components"][0];
    assert_eq!(component["status"], "changed");
    assert_eq!(component["tools"], json!(["add", "subtract"]));
    let changes = component["changes"].to_string();
    assert!(changes.contains("new tool `subtract`"), "{changes}");
    assert_eq!(home.text(), before);
}

#[test]
fn a_changed_component_runs_again_once_it_is_locked_again() {
    let home = Home::new();
    home.lock(&[]).assert_code(0);
    home.put(&Adder {
        subtracts: true,
        ..HONEST
    });
    home.call("adder.wasm").assert_code(1);
    let run = home.lock(&[]);
    assert!(run.stdout.starts_with("changed adder"), "{run}");
    assert_eq!(home.call("adder.wasm").json(0)["result"], 3);
}

#[test]
fn a_folder_is_locked_with_what_is_in_it_and_without_what_left_it() {
    let home = Home::new();
    let folder = home.thoth.path("box");
    fs::create_dir(&folder).unwrap();
    fs::copy(tool("ledger"), folder.join("ledger.wasm")).unwrap();
    fs::copy(tool("canary"), folder.join("canary.wasm")).unwrap();
    fs::write(folder.join("readme.txt"), "not a component").unwrap();
    home.lock(&["box"]).assert_code(0);
    let paths = || -> Vec<String> {
        let lock: Value = serde_json::from_str(&home.text()).unwrap();
        let components = lock["components"].as_array().unwrap().iter();
        let paths = components.map(|pin| pin["path"].as_str().unwrap().to_owned());
        paths.collect()
    };
    assert_eq!(paths(), ["box/canary.wasm", "box/ledger.wasm"]);
    fs::remove_file(folder.join("canary.wasm")).unwrap();
    let run = home.lock(&["box"]);
    assert!(run.stdout.contains("gone    canary"), "{run}");
    assert_eq!(paths(), ["box/ledger.wasm"]);
}

#[test]
fn a_provider_is_locked_with_what_it_lists() {
    let home = Home::new();
    home.thoth
        .file("provider.wasm", fs::read(tool("provider")).unwrap());
    let object = home.lock(&["provider.wasm", "--json"]).json(0);
    let tools = &object["components"][0]["tools"];
    assert_eq!(*tools, json!(["shout", "give_up"]));
}

#[test]
fn a_component_that_is_none_leaves_the_lock_as_it_was() {
    let home = Home::new();
    home.thoth.file("broken.wasm", b"\0asm\x0d\0\x01\0nonsense");
    let run = home.lock(&["broken.wasm", "adder.wasm"]);
    let error = run.error(1);
    assert!(
        error.contains("broken") && error.contains("nothing was locked"),
        "{error}"
    );
    assert!(!home.thoth.path("tools.lock").exists());
}
