//! A tool loop in the words of Anthropic's Messages API, against a model that is written down here:
//! `cargo run --example anthropic_loop`. No key and no network are needed.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON value gives null for what is not there"
)]

use std::time::Duration;

use serde_json::{Value, json};
use thoth_host::toolbox::Toolbox;
use thoth_host::{Dialect, Identity, Jail, Runtime, grants::Config};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    for message in conversation().await? {
        println!("{message}");
    }
    Ok(())
}

/// The messages of user, model and tools, in order.
pub(crate) async fn conversation() -> anyhow::Result<Vec<Value>> {
    let state = tempfile::tempdir()?;
    let runtime = Runtime::builder()
        .policy_file(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/examples/policy.cedar"
        ))
        .compiler(Jail::InProcess)
        .state_dir(state.path())
        .build()
        .await?;
    let toolbox = Toolbox::new(Config::default()).place(thoth_tests::tool("docs-search"));
    let tools = toolbox.load(&runtime).await?;
    let session = runtime.session(Identity::new("acme", "bot").user("sam"));

    let definitions: Vec<Value> = tools
        .iter()
        .map(|(tool, _)| Dialect::Anthropic.definition(tool))
        .collect::<Result<_, _>>()?;
    let mut messages =
        vec![json!({ "role": "user", "content": "What is said of parental leave?" })];
    loop {
        // POST https://api.anthropic.com/v1/messages
        let answer = model(&definitions, &messages);
        messages.push(json!({ "role": "assistant", "content": answer["content"] }));
        if answer["stop_reason"] != "tool_use" {
            break;
        }
        let mut results = Vec::new();
        for block in answer["content"].as_array().into_iter().flatten() {
            if block["type"] == "tool_use" {
                let wait = Duration::from_secs(60);
                let result = session.dispatch(Dialect::Anthropic, &tools, block, wait);
                results.push(result.await);
            }
        }
        messages.push(json!({ "role": "user", "content": results }));
    }
    runtime.close(Duration::from_secs(2)).await;
    Ok(messages)
}

/// A model with a script: it looks something up, tries what it must not, and answers.
fn model(tools: &[Value], messages: &[Value]) -> Value {
    let call = |id: &str, name: &str, input: Value| {
        json!({
            "stop_reason": "tool_use",
            "content": [
                { "type": "text", "text": format!("One of my {} tools will know.", tools.len()) },
                { "type": "tool_use", "id": id, "name": name, "input": input },
            ],
        })
    };
    match messages.len() {
        1 => call(
            "toolu_1",
            "search_docs",
            json!({ "query": "parental leave", "limit": 1 }),
        ),
        3 => call("toolu_2", "read_doc", json!({ "path": "hr/salaries.md" })),
        _ => json!({
            "stop_reason": "end_turn",
            "content": [{ "type": "text", "text": "I found the page, and may not read salaries." }],
        }),
    }
}
