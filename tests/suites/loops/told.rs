//! `thoth tools`: definitions that the APIs take as they are.

use std::path::Path;

use serde_json::{Value, json};
use thoth_tests::{Thoth, python::Python, tool};

use crate::answered;

const SAMPLES: [&str; 5] = ["docs-search", "exporter", "ledger", "provider", "values"];

fn told(thoth: &Thoth, format: &str) -> Vec<Value> {
    let tools = thoth.bare().arg("tools").args(SAMPLES.map(tool));
    let run = tools.args(["--format", format]).run();
    run.assert_code(0);
    assert_eq!(run.stderr, "", "{run}");
    serde_json::from_str(&run.stdout).unwrap()
}

fn thoth() -> Thoth {
    Thoth::new(env!("CARGO_BIN_EXE_thoth"))
}

#[test]
fn each_api_is_told_of_the_same_tools_in_the_same_order() {
    let thoth = thoth();
    let names = |format: &str, at: &str| -> Vec<String> {
        let tools = told(&thoth, format);
        let names = tools
            .iter()
            .map(|tool| tool.pointer(at).unwrap().as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    let mcp = names("mcp", "/name");
    assert!(
        mcp.len() > 20 && mcp.contains(&"transfer".to_owned()),
        "{mcp:?}"
    );
    assert_eq!(names("anthropic", "/name"), mcp);
    assert_eq!(names("openai", "/function/name"), mcp);
    assert_eq!(names("openai-responses", "/name"), mcp);
    assert_eq!(names("mcp", "/name"), mcp);
}

#[test]
fn names_and_arguments_are_as_the_apis_want_them() {
    let thoth = thoth();
    let check = |name: &Value, schema: &Value| {
        let name = name.as_str().unwrap();
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(
            (1..=64).contains(&name.len()) && name.chars().all(fits),
            "{name}"
        );
        assert_eq!(schema["type"], "object", "{name}");
        for word in ["oneOf", "anyOf", "allOf", "not", "enum", "$schema"] {
            assert!(schema.get(word).is_none(), "{name}: {word}");
        }
    };
    for tool in told(&thoth, "anthropic") {
        check(&tool["name"], &tool["input_schema"]);
    }
    for tool in told(&thoth, "openai-responses") {
        check(&tool["name"], &tool["parameters"]);
        assert_eq!(tool["strict"], false);
        assert!(!tool.to_string().contains("prefixItems"), "{tool}");
    }
    let ledger = thoth
        .bare()
        .args(["tools", "--format", "openai"])
        .arg(tool("ledger"));
    let tools: Value = serde_json::from_str(&ledger.run().stdout).unwrap();
    let transfer = &tools[0]["function"];
    assert_eq!(tools[0]["type"], "function");
    assert_eq!(transfer["name"], "transfer");
    assert_eq!(
        transfer["description"],
        "Moves money from one account to another. Nothing is moved where it gives an error."
    );
    assert_eq!(
        transfer["parameters"]["required"],
        json!(["from_account", "to_account", "amount_cents"])
    );
}

#[test]
fn mcp_is_told_of_results_as_objects() {
    for tool in told(&thoth(), "mcp") {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        if let Some(schema) = tool.get("outputSchema") {
            assert_eq!(schema["type"], "object", "{tool}");
        }
    }
}

#[test]
fn a_name_that_two_components_offer_is_offered_by_neither() {
    let thoth = thoth();
    let copy = thoth.file("copy.wasm", std::fs::read(tool("exporter")).unwrap());
    let tools = thoth
        .bare()
        .arg("tools")
        .args([copy, tool("exporter"), tool("ledger")]);
    let run = tools.args(["--format", "anthropic"]).run();
    run.assert_code(0);
    assert!(!run.stdout.contains("export_text"), "{run}");
    assert!(run.stdout.contains("transfer"), "{run}");
    let told = "`export_text` is offered by `copy` and `exporter`: a name must stand for one tool";
    assert!(run.stderr.contains(told), "{run}");
}

#[test]
fn a_prefix_tells_two_components_apart_to_the_policy_too() {
    let thoth = thoth();
    thoth.file("copy.wasm", std::fs::read(tool("provider")).unwrap());
    thoth.file("exporter.wasm", std::fs::read(tool("exporter")).unwrap());
    let original = tool("provider");
    let config = thoth.file(
        "thoth.toml",
        format!(
            "policy = \"policy.cedar\"\n[tools.copy]\ncomponent = \"copy.wasm\"\nprefix = \"other\"\n\
             [tools.exporter]\ncomponent = \"exporter.wasm\"\nprefix = \"my\"\n\
             [tools.original]\ncomponent = \"{}\"\n",
            original.display()
        ),
    );
    thoth.file(
        "policy.cedar",
        "@id(\"one\") permit (principal, action == Action::\"call\", resource == Tool::\"other_shout\");\n\
         @id(\"two\") permit (principal, action == Action::\"call\", resource == Tool::\"my_export_text\");",
    );
    let tools = thoth.bare().args(["tools", "--format", "mcp", "--config"]);
    let run = tools.arg(&config).run();
    run.assert_code(0);
    let tools: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    let names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "other_shout",
            "other_give_up",
            "my_export_text",
            "shout",
            "give_up"
        ]
    );
    let call = |component: &str, name: &str, arguments: &str| {
        let call = thoth.call(thoth.path(component)).args([name, arguments]);
        call.arg("--config").arg(&config).run()
    };
    let text = r#"{"text": "hello"}"#;
    assert_eq!(
        call("copy.wasm", "other_shout", text).json(0)["result"],
        "HELLO"
    );
    let exported =
        r#"{"title": "Q3", "body": "Up", "format": "markdown", "include_internal": false}"#;
    assert_eq!(
        call("exporter.wasm", "my_export_text", exported).json(0)["tool"],
        "my_export_text"
    );
    let original = thoth
        .call(original)
        .args(["shout", text])
        .arg("--config")
        .arg(&config)
        .run();
    assert_eq!(original.json(3)["outcome"], "refused");
}

#[test]
fn a_list_for_people_has_each_tool_on_a_line() {
    let run = thoth().bare().arg("tools").arg(tool("ledger")).run();
    run.assert_code(0);
    let line = "  transfer(from_account, to_account, amount_cents, [memo])  Moves money from one";
    assert!(
        run.stdout.starts_with("ledger\n") && run.stdout.contains(line),
        "{run}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_and_answers_are_of_the_packages_own_types() {
    let Some(python) = Python::with("loops", include_str!("requirements.txt")) else {
        return;
    };
    let thoth = thoth();
    let answers = answered::all().await;
    let given = json!({
        "anthropic": told(&thoth, "anthropic"),
        "anthropic_answers": answers[0],
        "openai": told(&thoth, "openai"),
        "openai_answers": answers[1],
        "openai_responses": told(&thoth, "openai-responses"),
        "openai_responses_answers": answers[2],
    });
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/suites/loops/validate.py");
    let output = python.run(&program, &[], &given.to_string());
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stdout.starts_with("valid "), "{stdout}{stderr}");
}
