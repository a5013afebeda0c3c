//! Holds a call for a human, who approves it while the session waits:
//! `cargo run --example step_up`.

use std::time::Duration;

use thoth_enforcer::{ApprovalStatus, Resolution, Store};
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
    let tool = runtime.load(thoth_tests::tool("ledger")).await?;
    let session = runtime.session(Identity::new("acme", "bot").user("sam"));

    let arguments =
        r#"{"from_account": "operations", "to_account": "payroll", "amount_cents": 2500000}"#;
    let call = session.call(&tool, "transfer", arguments).await?;
    if let Outcome::Pending(hold) = &call.outcome {
        println!("held: {}", hold.reason);
    }

    // Somewhere else, a person: `thoth approvals approve TOKEN`, or this.
    let approvals = Store::open(&state.path().join("enforcer.db"))?;
    for waiting in approvals.approvals(Some(ApprovalStatus::Pending))? {
        println!("approving {} {}", waiting.tool_name, waiting.arguments);
        approvals.resolve(
            &waiting.token,
            Resolution::Approve,
            "treasurer",
            Some("invoice 4711"),
        )?;
    }

    let call = session.wait(call, Some(Duration::from_secs(60))).await;
    println!("{:?}", call.outcome);
    runtime.close(Duration::from_secs(2)).await;
    Ok(())
}
