//! A tool loop in the words of OpenAI's Chat Completions, against a model that is written down here:
//! `cargo run --example openai_loop`. No key and no network are needed. For Responses, name
//! `Dialect::OpenAiResponses` and dispatch the items of type `function_call`.

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
    let toolbox = Toolbox::new(Config::default()).place(thoth_tests::tool("ledger"));
    let tools = toolbox.load(&runtime).await?;
    let session = runtime.session(Identity::new("acme", "bot").user("sam"));

    let definitions: Vec<Value> = tools
        .iter()
        .map(|(tool, _)| Dialect::OpenAi.definition(tool))
        .collect::<Result<_, _>>()?;
    let mut messages = vec![json!({ "role": "user", "content": "Pay the suppliers 120.00." })];
    loop {
        // POST https://api.openai.com/v1/chat/completions
        let message = model(&definitions, &messages);
        messages.push(message.clone());
        let Some(calls) = message["tool_calls"].as_array() else {
            break;
        };
        for call in calls {
            let wait = Duration::from_secs(60);
            let result = session.dispatch(Dialect::OpenAi, &tools, call, wait);
            messages.push(result.await);
        }
    }
    runtime.close(Duration::from_secs(2)).await;
    Ok(messages)
}

/// A model with a script: it pays, then misspells an argument, and answers.
fn model(tools: &[Value], messages: &[Value]) -> Value {
    let call = |id: &str, arguments: Value| {
        json!({
            "role": "assistant",
            "content": format!("One of my {} tools does that.", tools.len()),
            "tool_calls": [{
                "id": id,
                "type": "function",
                "function": { "name": "transfer", "arguments": arguments.to_string() },
            }],
        })
    };
    match messages.len() {
        1 => call(
            "call_1",
            json!({ "from_account": "operations", "to_account": "suppliers", "amount_cents": 12000 }),
        ),
        3 => call(
            "call_2",
            json!({ "from_account": "operations", "to": "suppliers", "amount_cents": 1 }),
        ),
        _ => json!({ "role": "assistant", "content": "The suppliers are paid." }),
    }
}
