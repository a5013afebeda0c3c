//! `thoth.toml` from one end to the other.

use std::path::PathBuf;

use serde_json::{Value, json};
use thoth_tests::{Faultd, Thoth, Web, thoth::Invocation, tool};

/// A home with the tool `hostile`, a server and an enforcer.
pub(crate) struct Home {
    pub(crate) thoth: Thoth,
    pub(crate) service: Faultd,
    pub(crate) web: Web,
    pub(crate) component: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
        let component = thoth.file("hostile.wasm", std::fs::read(tool("hostile")).unwrap());
        Self {
            thoth,
            service: Faultd::start(),
            web: Web::start(),
            component,
        }
    }

    /// A configuration that grants the server's `/v1/`, with more lines after it.
    pub(crate) fn config(&self, more: &str) -> PathBuf {
        let url = format!("{}/v1/*", self.web.origin());
        self.thoth.file(
            "thoth.toml",
            format!(
                "enforcer_url = \"{}\"\n[tools.probe]\ncomponent = \"hostile.wasm\"\n{more}\n\
             [[tools.probe.network]]\nurl = \"{url}\"\nmethods = [\"GET\", \"POST\"]\n\
             headers = [\"authorization\"]\nallow_private = true\n",
                self.service.url(),
            ),
        )
    }

    pub(crate) fn sends(&self, headers: Value) -> Invocation {
        let request = json!({"request": {
            "method": "GET", "scheme": "http", "authority": self.web.authority(),
            "path": "/v1/items.json", "headers": headers, "body": 0,
        }});
        self.thoth
            .call(&self.component)
            .args(["sends", &request.to_string()])
    }

    pub(crate) fn with(&self, config: PathBuf, headers: Value) -> Invocation {
        self.sends(headers).arg("--config").arg(config)
    }
}

#[test]
fn a_component_gets_what_its_table_grants() {
    let home = Home::new();
    let run = home.with(home.config(""), json!([])).run();
    assert_eq!(run.json(0)["result"], 200, "{run}");
    assert_eq!(home.web.connections(), 1);
    assert_eq!(
        home.service
            .event_types(run.json(0)["session_id"].as_str().unwrap())
            .len(),
        4
    );
}

#[test]
fn another_component_gets_nothing_of_it() {
    let home = Home::new();
    let config = home.config("");
    let other = home
        .thoth
        .file("other.wasm", std::fs::read(&home.component).unwrap());
    let request = json!({"request": {
        "method": "GET", "scheme": "http", "authority": home.web.authority(),
        "path": "/v1/items.json", "headers": [], "body": 0,
    }});
    let call = home.thoth.call(other).args(["sends", &request.to_string()]);
    let run = call.arg("--config").arg(config).run();
    assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
    assert_eq!(home.web.connections(), 0);
}

#[test]
fn a_component_is_the_same_by_another_name() {
    let home = Home::new();
    let config = home.config("");
    let link = home.thoth.path("link.wasm");
    std::os::unix::fs::symlink(&home.component, &link).unwrap();
    let request = json!({"request": {
        "method": "GET", "scheme": "http", "authority": home.web.authority(),
        "path": "/v1/items.json", "headers": [], "body": 0,
    }});
    let call = home.thoth.call(link).args(["sends", &request.to_string()]);
    assert_eq!(
        call.arg("--config").arg(config).run().json(0)["result"],
        200
    );
}

#[test]
fn a_component_with_another_digest_does_not_run() {
    let home = Home::new();
    let run = home
        .with(
            home.config(&format!("sha256 = \"{}\"", "0".repeat(64))),
            json!([]),
        )
        .run();
    let error = run.error(1);
    assert!(
        error.contains("is not the component that the configuration grants"),
        "{run}"
    );
    assert_eq!(home.web.connections(), 0);
    let inspect = home
        .thoth
        .bare()
        .arg("inspect")
        .arg(&home.component)
        .arg("--json")
        .run();
    let digest = inspect.json(0)["sha256"].as_str().unwrap().to_owned();
    let run = home
        .with(home.config(&format!("sha256 = \"{digest}\"")), json!([]))
        .run();
    assert_eq!(run.json(0)["result"], 200, "{run}");
}

#[test]
fn limits_hold_and_a_flag_wins_over_them() {
    let home = Home::new();
    let config = || home.config("limits = { requests = 0 }");
    let run = home.with(config(), json!([])).run();
    assert_eq!(run.json(5)["cause"], "tool_error", "{run}");
    let run = home
        .with(config(), json!([]))
        .args(["--max-requests", "1"])
        .run();
    assert_eq!(run.json(0)["result"], 200, "{run}");
    let run = home
        .with(config(), json!([]))
        .args(["--limit", "requests=1"])
        .run();
    assert_eq!(run.json(0)["result"], 200, "{run}");
}

#[test]
fn settings_are_taken_and_a_flag_wins_over_them() {
    let home = Home::new();
    let other = Faultd::start();
    let run = home
        .with(home.config(""), json!([]))
        .args(["--enforcer-url", &other.url()])
        .run();
    assert_eq!(run.json(0)["result"], 200, "{run}");
    assert_eq!(home.service.requests().len(), 0);
    assert!(!other.requests().is_empty());
}

#[test]
fn a_secret_is_named_in_one_place_and_granted_in_another() {
    let home = Home::new();
    let _key = home.thoth.file("key", "vault-canary-2718281828\n");
    let secret = "\n[secrets.key]\nfile = \"key\"\n";
    let headers = json!([["authorization", "Bearer {{secret:key}}"]]);
    let config = home.config("");
    let text = std::fs::read_to_string(&config).unwrap() + secret;
    let defined = home.thoth.file("defined.toml", &text);
    let run = home.with(defined, headers.clone()).run();
    assert_eq!(
        run.json(5)["cause"],
        "tool_error",
        "defined, and not granted: {run}"
    );
    assert_eq!(home.web.connections(), 0);
    let granted = text.replace("component =", "secrets = [\"key\"]\ncomponent =");
    let granted = home.thoth.file("granted.toml", granted);
    let run = home.with(granted, headers).run();
    assert_eq!(run.json(0)["result"], 200, "{run}");
    assert!(home.web.heads()[0].contains("Bearer vault-canary-2718281828"));
    assert!(!format!("{run}").contains("vault-canary"), "{run}");
}

#[test]
fn an_environment_variable_is_shown_by_its_name_only() {
    let home = Home::new();
    let config = home.config("environment = [\"COLOUR\"]");
    let call = home
        .thoth
        .call(&home.component)
        .args(["looks_around", "{}"]);
    let call = call.env("COLOUR", "green").env("TASTE", "sweet");
    let run = call.arg("--config").arg(config).run();
    assert_eq!(run.json(0)["result"], json!(["env COLOUR"]), "{run}");
}

#[test]
fn the_usual_place_is_read_and_the_current_folder_is_not() {
    let home = Home::new();
    // The home is the current folder of the command.
    let config = home.config("");
    let run = home.sends(json!([])).run();
    assert!(run.error(2).contains("--policy"), "no enforcer: {run}");
    let usual = home.thoth.path("xdg-config/thoth");
    std::fs::create_dir_all(&usual).unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("hostile.wasm", home.component.to_str().unwrap());
    std::fs::write(usual.join("thoth.toml"), text).unwrap();
    assert_eq!(home.sends(json!([])).run().json(0)["result"], 200);
}
