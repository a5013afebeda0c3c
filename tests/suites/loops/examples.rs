//! The examples of loops do what they say: a result, a refusal or a misfit, and an end.

use std::path::Path;

use serde_json::Value;
use thoth_tests::{python::Python, tool};

use crate::{anthropic_loop, openai_loop};

/// What was found, and what was refused, in the words of Anthropic's API.
fn looked_up_and_was_refused(messages: &[Value]) {
    assert_eq!(messages.len(), 6, "{messages:?}");
    let result = &messages[2]["content"][0];
    assert_eq!(result["tool_use_id"], "toolu_1");
    assert_eq!(result["is_error"], false);
    let found = result["content"].as_str().unwrap();
    assert!(found.contains("Parental leave is"), "{found}");
    let refusal = &messages[4]["content"][0];
    assert_eq!(refusal["tool_use_id"], "toolu_2");
    assert_eq!(refusal["is_error"], true);
    let why = refusal["content"].as_str().unwrap();
    assert!(why.contains("personnel files are not for agents"), "{why}");
    assert_eq!(messages[5]["role"], "assistant");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_anthropic_gets_a_result_and_a_refusal() {
    looked_up_and_was_refused(&anthropic_loop::conversation().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_openai_pays_and_is_told_of_its_mistake() {
    let messages = openai_loop::conversation().await.unwrap();
    assert_eq!(messages.len(), 6, "{messages:?}");
    let content = |at: usize| -> Value {
        assert_eq!(messages[at]["role"], "tool");
        serde_json::from_str(messages[at]["content"].as_str().unwrap()).unwrap()
    };
    assert_eq!(content(2)["to_account"], "suppliers");
    let mistake = content(4);
    assert_eq!(mistake["cause"], "invalid_arguments");
    assert!(
        mistake["reason"].as_str().unwrap().contains("`to`"),
        "{mistake}"
    );
    assert_eq!(messages[5]["content"], "The suppliers are paid.");
}

#[test]
fn the_example_in_python_gets_a_result_and_a_refusal_through_mcp() {
    let requirements = include_str!("../../clients/python/requirements.txt");
    let Some(python) = Python::with("mcp-loop", requirements) else {
        return;
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let state = tempfile::tempdir().unwrap();
    let (component, policy) = (tool("docs-search"), here.join("examples/policy.cedar"));
    let arguments = [
        env!("CARGO_BIN_EXE_thoth").as_ref(),
        "serve".as_ref(),
        component.as_os_str(),
        "--policy".as_ref(),
        policy.as_os_str(),
        "--state-dir".as_ref(),
        state.path().as_os_str(),
    ];
    let output = python.run(&here.join("examples/mcp_loop.py"), &arguments, "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let messages = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    looked_up_and_was_refused(&messages.collect::<Vec<Value>>());
}
