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
    // A section behind the seal: its id, its length, an empty name.
    let mut longer = fs::read(&output).unwrap();
    longer.extend([0, 1, 0]);
    let longer = thoth.file("longer.wasm", longer);
    assert_eq!(
        inspected(&thoth, &longer)["wrapped"]["integrity"],
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
fn a_report_says_what_the_requests_of_a_service_are() {
    let thoth = thoth();
    for (argument, kind, said) in [
        ("--http", "service", "as a call of `http_request`"),
        ("--http=service", "service", "as a call of `http_request`"),
        ("--http=mcp", "mcp", "every `tools/call` of MCP is governed"),
    ] {
        let (report, output) = wrapped(&thoth, "mcp-canary", &[argument]);
        assert_eq!(report["http"], kind);
        assert_eq!(report["parts"]["adapter"], Value::Null);
        assert!(report["parts"]["incoming"]["bytes"].is_u64(), "{report}");
        let seen = inspected(&thoth, &output);
        assert_eq!(seen["wrapped"]["integrity"], "intact", "{argument}");
        assert_eq!(seen["wrapped"]["http"], kind);
        assert_eq!(seen["wrapped"]["governor_is_built_in"], true);

        // A seal that says that it is the other kind, in a section that is whole: blanks count for nothing.
        let other = if kind == "mcp" { "service" } else { "mcp" };
        let mut changed = fs::read(&output).unwrap();
        let claim = format!("\"kind\":\"{kind}\"");
        let lie = format!("\"kind\":\"{other}\"");
        if lie.len() <= claim.len() {
            let mut windows = changed.windows(claim.len());
            let at = windows
                .rposition(|window| window == claim.as_bytes())
                .unwrap();
            let lie = format!("{lie:claim$}", claim = claim.len());
            changed[at..at + claim.len()].copy_from_slice(lie.as_bytes());
            let changed = thoth.file("changed.wasm", changed);
            let seen = inspected(&thoth, &changed);
            assert_eq!(seen["wrapped"]["integrity"], "altered", "{argument}");
        }

        let page = thoth.bare().arg("wrap").arg(tool("mcp-canary"));
        let page = page.arg("-o").arg(&output).arg(argument).run();
        assert!(page.assert_code(0).stdout.contains(said), "{argument}");
    }
    let kind = thoth.bare().arg("wrap").arg(tool("mcp-canary"));
    let kind = kind.arg("-o").arg(thoth.path("x.wasm")).arg("--http=grpc");
    kind.run().assert_code(USAGE);
}

#[test]
fn one_that_is_for_another_host_is_told_to_be_intact_all_the_same() {
    let thoth = thoth();
    let component = wat::parse_str(
        r#"(component
            (import "example:store/keys" (instance (export "count" (func (result u32)))))
            (core module $f (func (export "f")))
            (core instance $i (instantiate $f))
            (func $f (canon lift (core func $i "f")))
            (export "f" (func $f)))"#,
    );
    let component = thoth.file("store.wasm", component.unwrap());
    let output = thoth.path("governed.wasm");
    let wrap = thoth.bare().arg("wrap").arg(component);
    wrap.arg("-o").arg(&output).run().assert_code(0);
    let run = thoth.bare().arg("inspect").arg(&output).run();
    run.assert_code(HOST_ERROR);
    assert!(run.stderr.contains("example:store/keys"), "{run}");
    assert!(run.stdout.contains("\n  intact\n"), "{run}");
    let run = thoth.bare().args(["inspect", "--json"]).arg(&output).run();
    run.assert_code(HOST_ERROR);
    let seen: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(seen["wrapped"]["integrity"], "intact");
}

#[test]
fn what_is_no_file_is_not_replaced_and_a_link_stays_one() {
    let thoth = thoth();
    let wrap_to = |output: &std::path::Path| {
        let wrap = thoth.bare().arg("wrap").arg(tool("choir"));
        wrap.arg("-o").arg(output).run()
    };
    let socket = thoth.path("socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let refused = wrap_to(&socket);
    assert!(
        refused.error(HOST_ERROR).contains("no regular file"),
        "{refused}"
    );
    assert!(!socket.metadata().unwrap().is_file());

    let (link, target) = (thoth.path("link.wasm"), thoth.file("target.wasm", "old"));
    std::os::unix::fs::symlink(&target, &link).unwrap();
    wrap_to(&link).assert_code(0);
    assert!(link.is_symlink());
    assert!(fs::read(target).unwrap().starts_with(b"\0asm"));
}

#[test]
fn a_variable_of_the_governor_s_that_the_component_keeps_is_told() {
    let thoth = thoth();
    let output = thoth.path("kept.wasm");
    let wrap = thoth.bare().arg("wrap").arg(tool("docs-search"));
    let wrap = wrap.arg("-o").arg(&output);
    let run = wrap.args(["--keep-env", "THOTH_API_KEY"]).run();
    run.assert_code(0);
    assert!(run.stderr.contains("will see THOTH_API_KEY"), "{run}");
    let page = thoth.bare().arg("inspect").arg(&output).run();
    assert!(
        page.stdout
            .contains("it sees of the environment: THOTH_API_KEY\n"),
        "{page}"
    );
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

#[test]
fn a_component_is_not_wrapped_over_itself() {
    let thoth = thoth();
    let bytes = fs::read(tool("canary")).unwrap();
    let component = thoth.file("canary.wasm", &bytes);
    let wrap = thoth.bare().arg("wrap").arg(&component);
    let run = wrap.arg("-o").arg(&component).run();
    assert!(run.error(USAGE).contains("name another file"), "{run}");
    assert_eq!(fs::read(&component).unwrap(), bytes);
}
