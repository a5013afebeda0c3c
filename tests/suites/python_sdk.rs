//! The real Python SDK (`atensec-thoth` from PyPI) against `thoth enforcer serve`. Where Python, pip or
//! PyPI is missing, it says on stderr that it is left out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use thoth_tests::{Thoth, client, tools};

const KEY: &str = "thoth_test_k";

const POLICY: &str = r#"
@id("search") permit (principal, action == Action::"call", resource == Tool::"search_docs");
@id("no-hr") @reason("personnel files are not for agents") @reason_code("hr_documents")
forbid (principal, action == Action::"call", resource == Tool::"read_doc");
@id("notes") @decision("MODIFY") @modify("{\"include_internal\": false}")
permit (principal, action == Action::"call", resource == Tool::"export_text");
@id("night") @decision("DEFER") @defer_seconds("3600") @reason("the ledger closes at night")
permit (principal, action == Action::"call", resource == Tool::"close_books");
@id("money") @decision("STEP_UP") @reason("a human looks at that")
permit (principal, action == Action::"call", resource)
when { [Tool::"transfer", Tool::"refund"].contains(resource) };
"#;

/// The folder with the SDK, fetched once.
fn sdk() -> Result<PathBuf, String> {
    let source = tools::workspace().join("tests/support/python_sdk/requirements.txt");
    let pins = fs::read(&source).unwrap();
    let folder = tools::scratch().join("python-sdk");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (stamp, packages) = (folder.join("installed"), folder.join("packages"));
    if fs::read(&stamp).is_ok_and(|before| before == pins) {
        return Ok(packages);
    }
    let _nothing_there = fs::remove_dir_all(&packages);
    // It asks for Python 3.12 and runs on 3.11.
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--ignore-requires-python",
    ];
    let output = Command::new("python3")
        .args(pip)
        .args(["--retries", "1", "--disable-pip-version-check", "--target"])
        .arg(&packages)
        .arg("--requirement")
        .arg(source)
        .output()
        .map_err(|error| format!("no python3: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(why.lines().last().unwrap_or("pip failed").to_owned());
    }
    fs::write(stamp, pins).unwrap();
    Ok(packages)
}

#[test]
fn the_python_sdk_gets_each_verdict_and_an_approval_of_the_page() {
    let packages = match sdk() {
        Ok(packages) => packages,
        Err(why) => {
            eprintln!("skipped: the real Python SDK ({why})");
            return;
        }
    };
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth")).env("THOTH_API_KEY", KEY);
    let policy = thoth.file("policy.cedar", POLICY);
    let serve = thoth
        .bare()
        .args(["enforcer", "serve", "--listen", "127.0.0.1:0", "--policy"]);
    let mut running = serve
        .arg(policy)
        .arg("--state-dir")
        .arg(thoth.state_dir())
        .spawn();
    let url = running.stdout_line(|line| line.starts_with("http://127.0.0.1:"));
    let link = running.stderr_line(|line| line.contains("/#key="));
    let bearer = format!("Bearer {}", link.split_once("#key=").unwrap().1);
    let opened = client::post(
        &url,
        "/page/session",
        &[("authorization", &bearer)],
        &json!({}),
    );
    let bearer = format!("Bearer {}", opened.json(200)["key"].as_str().unwrap());

    let mut agent = Command::new("python3")
        .arg(tools::workspace().join("tests/support/python_sdk/agent.py"))
        .args([&url, KEY])
        .env("PYTHONPATH", &packages)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };

    assert_eq!(next()["result"], "search_docs ran");
    let blocked = next();
    assert_eq!(blocked["refused"], "personnel files are not for agents");
    assert_eq!(blocked["code"], "hr_documents");
    assert_eq!(next()["result"], "export_text ran");
    let deferred = next();
    assert_eq!(
        deferred["refused"],
        "the ledger closes at night (retry in 3600s)"
    );
    // The agent waits now, and an approver decides as the page does.
    for decision in ["approve", "deny"] {
        let waiting = loop {
            let path = "/acme/thoth/approvals?status=pending";
            let list = client::get(&url, path, &[("authorization", &bearer)]).json(200);
            if let Some(row) = list["data"].get(0) {
                break row.clone();
            }
            std::thread::yield_now();
        };
        assert_eq!(waiting["context"]["purpose"], "prove that the SDK works");
        let path = format!(
            "/acme/thoth/approvals/{}/resolve",
            waiting["id"].as_str().unwrap()
        );
        let body = json!({
            "decision": decision, "reason": "looked at", "digest": waiting["digest"],
        });
        let credentials = [("authorization", bearer.as_str()), ("origin", url.as_str())];
        let resolved = client::post(&url, &path, &credentials, &body).json(200);
        assert_eq!(resolved["tool_name"], waiting["tool_name"]);
        let told = next();
        match decision {
            "approve" => assert_eq!(told["result"], "transfer ran"),
            _ => assert!(
                told["refused"].as_str().unwrap().contains("looked at"),
                "{told}"
            ),
        }
    }
    let ran = next();
    assert_eq!(
        ran["ran"],
        json!([
            ["search_docs", {"query": "leave"}],
            ["export_text", {"title": "Q3", "include_internal": false}],
            ["transfer", {"to_account": "suppliers", "amount_cents": 1_250_000}],
        ])
    );
    let output = agent.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    // Every call left its events, which the SDK delivers before it ends.
    let store = thoth_enforcer::Store::open(&thoth.state_dir().join("enforcer.db")).unwrap();
    let events = store.events(100).unwrap();
    let count = |kind: &str| events.iter().filter(|event| event.contains(kind)).count();
    assert_eq!(count("TOOL_CALL_PRE"), 6);
    assert_eq!(count("TOOL_CALL_POST"), 3);
    assert_eq!(count("TOOL_CALL_BLOCK"), 3);
}
