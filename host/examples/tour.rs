//! Every verdict in one minute: real tools, a real policy, and the events they leave.
//!
//! `cargo run --example tour`

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use thoth_enforcer::{ApprovalStatus, Resolution, Store};
use thoth_host::{Call, Identity, Jail, Outcome, Runtime, Session, Tool};

#[tokio::main]
async fn main() -> Result<()> {
    eprintln!("building the sample tools (once) …");
    let path = |name: &str| thoth_tests::tool(name);
    let (docs, ledger, exporter) = (path("docs-search"), path("ledger"), path("exporter"));
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policy.cedar");
    let state = tempfile::tempdir()?;
    let runtime = Runtime::builder()
        .policy_file(policy)
        .compiler(Jail::InProcess)
        .state_dir(state.path())
        .build()
        .await?;
    let docs = runtime.load(docs).await?;
    let ledger = runtime.load(ledger).await?;
    let exporter = runtime.load(exporter).await?;
    let session = runtime.session(Identity::new("acme", "bot").user("sam"));

    show(
        &session,
        "allow",
        &docs,
        "search_docs",
        r#"{"query": "parental leave", "limit": 1}"#,
    )
    .await?;
    show(
        &session,
        "block",
        &docs,
        "read_doc",
        r#"{"path": "hr/salaries.md"}"#,
    )
    .await?;
    show(
        &session,
        "modify",
        &exporter,
        "export_text",
        r#"{"title": "Q3", "body": "Up 4 %.\n[internal] Do not tell.", "format": "markdown", "include_internal": true}"#,
    )
    .await?;
    show(
        &session,
        "defer",
        &ledger,
        "close_books",
        r#"{"month": "2026-10"}"#,
    )
    .await?;
    let payment =
        r#"{"from_account": "operations", "to_account": "suppliers", "amount_cents": 1250000}"#;
    let held = show(&session, "step up", &ledger, "transfer", payment).await?;

    // A person says yes: `thoth approvals approve TOKEN`, or this.
    let store = Store::open(&state.path().join("enforcer.db"))?;
    for waiting in store.approvals(Some(ApprovalStatus::Pending))? {
        store.resolve(
            &waiting.token,
            Resolution::Approve,
            "treasurer",
            Some("invoice 4711"),
        )?;
        println!("           the treasurer approves");
    }
    print(
        "approved",
        &session.wait(held, Some(Duration::from_secs(30))).await,
    );

    // The enforcer is away: nothing runs.
    let away = tempfile::tempdir()?;
    let alone = Runtime::builder()
        .enforcer_url("http://127.0.0.1:9")
        .compiler(Jail::InProcess)
        .state_dir(away.path())
        .build()
        .await?;
    let docs = alone.load(thoth_tests::tool("docs-search")).await?;
    let session = alone.session(Identity::new("acme", "bot"));
    show(
        &session,
        "outage",
        &docs,
        "search_docs",
        r#"{"query": "leave"}"#,
    )
    .await?;
    let kept = alone.close(Duration::ZERO).await.waiting;

    runtime.close(Duration::from_secs(5)).await;
    println!("\nevents, as the enforcer received them");
    for event in store.events(100)? {
        let event: Value = serde_json::from_str(&event)?;
        let text = |key: &str| {
            event
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let metadata = |key: &str| {
            let value = event.pointer(&format!("/metadata/{key}"));
            value.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        println!(
            "  {:<16} {:<12} {:<8} {}",
            text("event_type"),
            text("tool_name"),
            metadata("authorization_decision"),
            metadata("decision_reason_code")
        );
    }
    println!("  and {kept} in the log of the one whose enforcer is away, until it is back");
    Ok(())
}

async fn show(
    session: &Session,
    what: &str,
    tool: &Tool,
    name: &str,
    arguments: &str,
) -> Result<Call> {
    let call = session.call(tool, name, arguments).await?;
    println!("\n{what:<10} {name} {arguments}");
    print("", &call);
    Ok(call)
}

fn print(what: &str, call: &Call) {
    let text = match &call.outcome {
        Outcome::Completed(result) => format!("ran: {result}"),
        Outcome::Failed(failure) => format!("failed ({}): {}", failure.cause, failure.message),
        Outcome::Refused(refusal) => format!("did not run ({}): {}", refusal.cause, refusal.reason),
        Outcome::Pending(hold) => format!("has not run, a human is asked: {}", hold.reason),
    };
    println!("{what:<10} {text}");
}
