//! Governs one call of one component by a policy file: `cargo run --example govern`.

use thoth_host::{Identity, Jail, Outcome, Runtime};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
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
    let tool = runtime.load(thoth_tests::tool("docs-search")).await?;
    let session = runtime.session(Identity::new("acme", "bot").user("sam"));
    let call = session
        .call(&tool, "search_docs", r#"{"query": "parental leave"}"#)
        .await?;
    match call.outcome {
        Outcome::Completed(result) => println!("{result}"),
        Outcome::Failed(failure) => println!("the tool failed: {}", failure.message),
        Outcome::Refused(refusal) => println!("refused ({}): {}", refusal.cause, refusal.reason),
        Outcome::Pending(hold) => println!("a human is asked: {}", hold.reason),
    }
    runtime.close(std::time::Duration::from_secs(2)).await;
    Ok(())
}
