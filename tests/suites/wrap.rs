//! `thoth wrap` and `thoth inspect` of what it made.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;

use serde_json::{Value, json};
use thoth_tests::{Thoth, tool};

const HOST_ERROR: i32 = 1;
const USAGE: i32 = 2;

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

/// Wraps a sample tool; the report, and where the component is.
fn wrapped(thoth: &Thoth, name: &str, arguments: &[&str]) -> (Value, std::path::PathBuf) {
    let output = thoth.path(&format!("{name}.governed.wasm"));
    let run = thoth
        .bare()
        .arg("wrap")
        .arg(tool(name))
        .arg("-o")
        .arg(&output);
    let run = run.arg("--json").args(arguments).run();
    (
        serde_json::from_str(&run.assert_code(0).stdout).unwrap(),
        output,
    )
}

fn inspected(thoth: &Thoth, component: &std::path::Path) -> Value {
    let run = thoth
        .bare()
        .arg("inspect")
        .arg(component)
        .arg("--json")
        .run();
    serde_json::from_str(&run.assert_code(0).stdout).unwrap()
}

#[test]
fn a_report_says_what_is_governed_and_what_is_not() {
    let thoth = thoth();
    let errors = thoth.file(
        "errors.toml",
        "balance = { tag = 'unknown_account', val = 'refused: {refusal}' }\nclose_books = false\n",
    );
    let arguments = ["--errors", errors.to_str().unwrap(), "--keep-env", "LANG"];
    let (report, output) = wrapped(&thoth, "ledger", &arguments);
    let refusals: Vec<&Value> = report["functions"].as_array().unwrap().iter().collect();
    assert_eq!(
        refusals,
        [
            &json!({
                "name": "transfer",
                "export": "acme:ledger/accounts@0.1.0#transfer",
                "refusal": {
                    "returns": { "tag": "unknown_account", "val": "{refusal}" },
                    "guessed": true,
                },
            }),
            &json!({
                "name": "balance",
                "export": "acme:ledger/accounts@0.1.0#balance",
                "refusal": {
                    "returns": { "tag": "unknown_account", "val": "refused: {refusal}" },
                    "guessed": false,
                },
            }),
            &json!({
                "name": "close_books",
                "export": "acme:ledger/accounts@0.1.0#close-books",
                "refusal": { "traps": "thoth-refused" },
            }),
        ],
    );
    assert_eq!(report["sees_environment"], json!(["LANG"]));
    assert_eq!(report["bytes"], json!(fs::metadata(&output).unwrap().len()));
    let reaches = report["still_reaches_for"].as_array().unwrap();
    assert!(
        reaches
            .iter()
            .any(|import| import.as_str().unwrap().starts_with("wasi:cli/stderr@"))
    );
}

#[test]
fn inspect_knows_a_wrapped_component_and_whether_it_is_intact() {
    let thoth = thoth();
    let (report, output) = wrapped(&thoth, "docs-search", &[]);
    let seen = inspected(&thoth, &output);
    assert_eq!(seen["wrapped"]["integrity"], "intact");
    assert_eq!(seen["wrapped"]["governor"], report["parts"]["governor"]);
    assert_eq!(seen["wrapped"]["governor_is_built_in"], true);
    assert_eq!(seen["wrapped"]["adapter"], report["parts"]["adapter"]);
    assert_eq!(seen["sha256"], report["sha256"]);
    let names: Vec<&Value> = seen["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| &t["name"])
        .collect();
    assert_eq!(names, ["search_docs", "read_doc"]);

    let run = thoth.bare().arg("inspect").arg(&output).run();
    let page = &run.assert_code(0).stdout;
    assert!(
        page.contains("\nwrapped by thoth ") && page.contains("\n  intact\n"),
        "{page}"
    );
    let adapter = report["parts"]["adapter"]["sha256"].as_str().unwrap();
    assert!(
        page.contains(&format!("\n  adapter sha256:{adapter}\n")),
        "{page}"
    );

    // A seal that says something else: one letter of the version.
    let mut changed = fs::read(&output).unwrap();
    let at = changed
        .windows(9)
        .rposition(|bytes| bytes == b"\"thoth\":\"")
        .unwrap();
    changed[at + 9] = b'9';
    let changed = thoth.file("changed.wasm", changed);
    assert_eq!(
        inspected(&thoth, &changed)["wrapped"]["integrity"],
        "altered"
    );
    assert_eq!(
        inspected(&thoth, &tool("docs-search"))["wrapped"],
        Value::Null
    );
}

#[test]
fn a_governed_component_runs_in_this_host_too_and_refuses_without_configuration() {
    let thoth = thoth();
    let (_, output) = wrapped(&thoth, "docs-search", &[]);
    let policy = thoth.file("policy.cedar", "permit(principal, action, resource);\n");
    let call = thoth
        .call(&output)
        .args(["read_doc", r#"{"path":"hr/leave.md"}"#]);
    let run = call.arg("--policy").arg(policy).run();
    let answer = run.json(5);
    let error: Value = serde_json::from_str(answer["error"].as_str().unwrap()).unwrap();
    assert_eq!(error["outcome"], "refused", "{answer}");
    assert_eq!(error["cause"], "configuration", "{answer}");
}

#[test]
fn what_cannot_be_wrapped_is_one_line_and_leaves_no_file() {
    let thoth = thoth();
    let output = thoth.path("governed.wasm");
    let wrap = |component: &std::path::Path| {
        thoth
            .bare()
            .arg("wrap")
            .arg(component)
            .arg("-o")
            .arg(&output)
    };
    let values = wrap(&tool("values")).run();
    assert!(
        values
            .error(HOST_ERROR)
            .contains("counter` cannot be governed: it belongs to a resource")
    );
    let text = thoth.file("text.wasm", "hello");
    assert!(
        wrap(&text)
            .run()
            .error(HOST_ERROR)
            .contains("it is not a component")
    );
    let missing = wrap(&thoth.path("missing.wasm")).run();
    assert!(missing.error(HOST_ERROR).contains("cannot read"));
    let name = wrap(&tool("docs-search")).args(["--keep-env", "A=B"]).run();
    assert!(name.error(USAGE).contains("`A=B` is no name"));
    let map = thoth.file("errors.toml", "nothing = true");
    let errors = wrap(&tool("docs-search")).arg("--errors").arg(map).run();
    assert!(
        errors
            .error(HOST_ERROR)
            .contains("`nothing` is no function")
    );
    let http = wrap(&tool("docs-search")).arg("--http").run();
    assert!(http.error(HOST_ERROR).contains("export"));
    assert!(!output.exists());
}
