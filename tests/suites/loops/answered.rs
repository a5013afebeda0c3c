//! `Session::dispatch`: a model's wish, a governed call, and the message that answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use thoth_host::toolbox::{Toolbox, Tools};
use thoth_host::{Dialect, Identity, Jail, Runtime, Session, grants::Config};
use thoth_tests::tool;

const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policy.cedar");

/// A session with some of the sample tools.
struct Bed {
    _state: tempfile::TempDir,
    tools: Tools,
    session: Session,
}

impl Bed {
    async fn new() -> Self {
        let components = ["docs-search", "ledger", "provider"].map(tool);
        Self::with(POLICY, &components).await
    }

    async fn with(policy: impl AsRef<Path>, components: &[PathBuf]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let runtime = Runtime::builder()
            .policy_file(policy.as_ref())
            .compiler(Jail::InProcess)
            .cache_dir(thoth_tests::tools::scratch().join("cache"))
            .state_dir(state.path())
            .build()
            .await
            .unwrap();
        let toolbox = Toolbox::new(Config::default());
        let toolbox = components.iter().fold(toolbox, Toolbox::place);
        let tools = toolbox.load(&runtime).await.unwrap();
        assert!(tools.refused().is_empty());
        Self {
            _state: state,
            tools,
            session: runtime.session(Identity::new("acme", "bot")),
        }
    }

    async fn dispatch(&self, dialect: Dialect, request: Value) -> Value {
        let wait = Duration::ZERO;
        self.session
            .dispatch(dialect, &self.tools, &request, wait)
            .await
    }

    /// The same call in the words of each API, and what came back as text.
    async fn each(&self, name: &str, arguments: Value) -> [Value; 3] {
        let text = arguments.to_string();
        let anthropic =
            json!({"type": "tool_use", "id": "toolu_1", "name": name, "input": arguments});
        let function = json!({"name": name, "arguments": text});
        let chat = json!({"type": "function", "id": "call_1", "function": function});
        let responses = json!({
            "type": "function_call", "call_id": "call_2", "name": name, "arguments": text,
        });
        [
            self.dispatch(Dialect::Anthropic, anthropic).await,
            self.dispatch(Dialect::OpenAi, chat).await,
            self.dispatch(Dialect::OpenAiResponses, responses).await,
        ]
    }
}

fn object(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

/// Answers of every kind, for each API.
pub(crate) async fn all() -> [Vec<Value>; 3] {
    let bed = Bed::new().await;
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    for (name, arguments) in [
        ("search_docs", json!({"query": "leave", "limit": 1})),
        ("read_doc", json!({"path": "hr/salaries.md"})),
        (
            "transfer",
            json!({"from_account": "operations", "to_account": "payroll", "amount_cents": 2500000}),
        ),
        ("search_docs", json!({"limit": "many"})),
        ("no_such_tool", json!({})),
    ] {
        let answers = bed.each(name, arguments).await;
        for (all, answer) in all.iter_mut().zip(answers) {
            all.push(answer);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_call_is_answered_with_its_result() {
    let bed = Bed::new().await;
    let [anthropic, chat, responses] = bed
        .each("search_docs", json!({"query": "leave", "limit": 1}))
        .await;
    assert_eq!(anthropic["type"], "tool_result");
    assert_eq!(anthropic["tool_use_id"], "toolu_1");
    assert_eq!(anthropic["is_error"], false);
    assert!(object(&anthropic["content"]).is_array(), "{anthropic}");
    assert_eq!(chat["role"], "tool");
    assert_eq!(chat["tool_call_id"], "call_1");
    assert_eq!(chat["content"], anthropic["content"]);
    assert_eq!(responses["type"], "function_call_output");
    assert_eq!(responses["call_id"], "call_2");
    assert_eq!(responses["output"], anthropic["content"]);
    assert_eq!(bed.session.history(), ["search_docs"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_is_answered_with_the_reason_and_what_to_do() {
    let bed = Bed::new().await;
    let [anthropic, chat, responses] = bed
        .each("read_doc", json!({"path": "hr/salaries.md"}))
        .await;
    assert_eq!(anthropic["is_error"], true);
    for text in [
        &anthropic["content"],
        &chat["content"],
        &responses["output"],
    ] {
        let told = object(text);
        assert_eq!(told["outcome"], "refused");
        assert_eq!(told["cause"], "policy");
        assert_eq!(told["reason"], "personnel files are not for agents");
        assert_eq!(told["decision_reason_code"], "hr_documents");
        assert!(
            told["next"]
                .as_str()
                .unwrap()
                .contains("do not repeat this call"),
            "{told}"
        );
    }
    assert_eq!(bed.session.history(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_call_is_answered_as_pending() {
    let bed = Bed::new().await;
    let arguments = json!({
        "from_account": "operations", "to_account": "payroll", "amount_cents": 2500000,
    });
    let [anthropic, ..] = bed.each("transfer", arguments).await;
    assert_eq!(anthropic["is_error"], true);
    let told = object(&anthropic["content"]);
    assert_eq!(told["outcome"], "pending");
    assert!(
        told["hold_token"].as_str().unwrap().starts_with("hold_"),
        "{told}"
    );
    assert_eq!(bed.session.history(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_s_own_error_is_told() {
    let bed = Bed::new().await;
    let arguments = json!({
        "from_account": "operations", "to_account": "nobody", "amount_cents": 100,
    });
    let [anthropic, ..] = bed.each("transfer", arguments).await;
    let told = object(&anthropic["content"]);
    assert_eq!(told["outcome"], "failed");
    assert_eq!(told["cause"], "tool_error");
    assert_eq!(told["error"]["tag"], "unknown_account");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_and_unknown_tools_are_told_and_nobody_is_asked() {
    let bed = Bed::new().await;
    let [anthropic, chat, _] = bed.each("search_docs", json!({"limit": "many"})).await;
    for text in [&anthropic["content"], &chat["content"]] {
        let told = object(text);
        assert_eq!(told["cause"], "invalid_arguments", "{told}");
    }
    let [anthropic, ..] = bed.each("no_such_tool", json!({})).await;
    let told = object(&anthropic["content"]);
    assert_eq!(told["cause"], "unknown_tool");
    assert!(
        told["reason"].as_str().unwrap().contains("search_docs"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_no_call_is_answered_with_an_error() {
    let bed = Bed::new().await;
    let half = json!({"id": "c", "type": "function", "function": {"name": "search_docs", "arguments": "{\"query\":"}});
    for (dialect, request) in [
        (Dialect::Anthropic, json!(null)),
        (Dialect::Anthropic, json!({"type": "text", "text": "hello"})),
        (
            Dialect::Anthropic,
            json!({"type": "tool_use", "id": "t", "name": "search_docs", "input": "leave"}),
        ),
        (
            Dialect::Anthropic,
            json!({"type": "tool_use", "id": "t", "name": "search_docs", "input": [1]}),
        ),
        (Dialect::OpenAi, half),
        (
            Dialect::OpenAi,
            json!({"id": "c", "type": "function", "function": 7}),
        ),
        (
            Dialect::OpenAi,
            json!({"id": "c", "type": "custom", "custom": {"name": "x", "input": "y"}}),
        ),
        (Dialect::OpenAiResponses, json!({"type": "message"})),
        (
            Dialect::OpenAiResponses,
            json!({"type": "function_call", "call_id": "c", "name": "search_docs", "arguments": "[]"}),
        ),
        (Dialect::Mcp, json!({"arguments": {}})),
    ] {
        let answer = bed.dispatch(dialect, request.clone()).await;
        let text = match dialect {
            Dialect::Anthropic | Dialect::OpenAi => &answer["content"],
            Dialect::OpenAiResponses => &answer["output"],
            _ => &answer["content"][0]["text"],
        };
        assert_eq!(object(text)["outcome"], "failed", "{request}: {answer}");
    }
    assert_eq!(bed.session.history(), [""; 0]);
}

/// A component with a function that gives its own name back.
fn named(folder: &Path, file: &str, name: &str) -> PathBuf {
    let (path, length) = (folder.join(file), name.len());
    let function = name.replace('_', "-");
    let text = format!(
        r#"(component
          (core module $m
            (memory (export "memory") 1)
            (data (i32.const 16) "{name}")
            (func (export "name") (result i32)
              (i32.store (i32.const 0) (i32.const 16))
              (i32.store (i32.const 4) (i32.const {length}))
              (i32.const 0)))
          (core instance $i (instantiate $m))
          (alias core export $i "memory" (core memory $memory))
          (func (export "{function}") (result string)
            (canon lift (core func $i "name") (memory $memory))))"#
    );
    std::fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_is_called_as_a_longer_one_is_told_does_not_get_its_calls() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.cedar");
    let all = r#"@id("all") permit (principal, action == Action::"call", resource);"#;
    std::fs::write(&policy, all).unwrap();
    // A part of a name in WIT begins with a letter, and a digest may not.
    let long = ('a'..='z')
        .map(|last| format!("pays_{}{last}", "x".repeat(70)))
        .find(|long| Dialect::Anthropic.name(long).as_bytes()[32].is_ascii_lowercase())
        .unwrap();
    let short = Dialect::Anthropic.name(&long);
    let components = [
        named(folder.path(), "long.wasm", &long),
        named(folder.path(), "short.wasm", &short),
    ];
    let bed = Bed::with(policy, &components).await;
    for dialect in [
        Dialect::Anthropic,
        Dialect::OpenAi,
        Dialect::OpenAiResponses,
    ] {
        assert_ne!(dialect.name(&long), dialect.name(&short));
    }
    for own in [&long, &short] {
        let told = Dialect::Anthropic.name(own);
        let [anthropic, chat, responses] = bed.each(&told, json!({})).await;
        for text in [
            &anthropic["content"],
            &chat["content"],
            &responses["output"],
        ] {
            assert_eq!(object(text), own.as_str(), "{told}");
        }
    }
}
