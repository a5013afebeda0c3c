//! A session's history over many calls in one process, as the policy service and the events see it.
//! Numbers in brackets are the protocol's conformance vectors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use thoth_host::{Identity, Outcome, Runtime, Session, Tool};
use thoth_tests::{Answer, Faultd, Site, tool};

struct Process {
    service: Faultd,
    runtime: Runtime,
    canary: Tool,
    hostile: Tool,
    _state: tempfile::TempDir,
}

impl Process {
    async fn start() -> Self {
        let (service, state) = (Faultd::start(), tempfile::tempdir().unwrap());
        let builder = Runtime::builder()
            .compiler(thoth_host::Jail::InProcess)
            .enforcer_url(service.url())
            .state_dir(state.path());
        let runtime = builder.build().await.unwrap();
        let canary = runtime.load(tool("canary")).await.unwrap();
        let hostile = runtime.load(tool("hostile")).await.unwrap();
        Self {
            service,
            runtime,
            canary,
            hostile,
            _state: state,
        }
    }

    fn session(&self, id: &str) -> Session {
        let mut identity = Identity::new("acme", "bot");
        identity.session_id = id.to_owned();
        self.runtime.session(identity)
    }

    async fn sing(&self, session: &Session) -> Outcome {
        session
            .call(&self.canary, "sing", r#"{"note":"x"}"#)
            .await
            .unwrap()
            .outcome
    }

    fn last_history(&self) -> Value {
        self.service
            .requests_to(Site::Enforce)
            .last()
            .unwrap()
            .json()["session_tool_calls"]
            .clone()
    }
}

#[tokio::test]
async fn the_tool_that_is_asked_about_comes_last_and_repetitions_stay() {
    // [7] [8]
    let process = Process::start().await;
    let session = process.session("s");
    let _first = process.sing(&session).await;
    assert_eq!(process.last_history(), json!(["sing"]));
    let _second = process.sing(&session).await;
    assert_eq!(process.last_history(), json!(["sing", "sing"]));
}

#[tokio::test]
async fn a_refused_call_is_not_in_the_history_and_a_failed_one_is() {
    // [60]
    let process = Process::start().await;
    let session = process.session("s");
    process.service.next(Site::Enforce, Answer::block("no"));
    assert!(matches!(process.sing(&session).await, Outcome::Refused(_)));
    assert!(session.history().is_empty());
    let failed = session
        .call(&process.hostile, "panics", "{}")
        .await
        .unwrap();
    assert!(matches!(failed.outcome, Outcome::Failed(_)), "{failed:?}");
    assert_eq!(session.history(), ["panics"]);
    let _completed = process.sing(&session).await;
    assert_eq!(process.last_history(), json!(["panics", "sing"]));
}

#[tokio::test]
async fn at_most_the_last_128_names_go_on_the_wire() {
    // [9]
    let process = Process::start().await;
    let session = process.session("s");
    let _first = session
        .call(&process.hostile, "looks_around", "{}")
        .await
        .unwrap();
    for _ in 0..130 {
        let _completed = process.sing(&session).await;
    }
    assert_eq!(process.last_history(), json!(vec!["sing"; 128]));
    assert_eq!(session.history().len(), 128);
}

#[tokio::test]
async fn sessions_do_not_share_a_history() {
    // [68]
    let process = Process::start().await;
    let (one, other) = (process.session("one"), process.session("other"));
    let _completed = process.sing(&one).await;
    let _completed = process.sing(&other).await;
    assert_eq!(process.last_history(), json!(["sing"]));
    assert_eq!(one.history(), ["sing"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_the_same_time_lose_no_entry() {
    // [71]
    let process = Arc::new(Process::start().await);
    let session = Arc::new(process.session("s"));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (process, session) = (Arc::clone(&process), Arc::clone(&session));
        calls.spawn(async move { process.sing(&session).await });
    }
    while let Some(outcome) = calls.join_next().await {
        assert!(matches!(outcome.unwrap(), Outcome::Completed(_)));
    }
    assert_eq!(session.history().len(), 50);
    let process = Arc::into_inner(process).unwrap();
    drop(session);
    let left = process.runtime.close(Duration::from_secs(20)).await;
    assert_eq!((left.waiting, left.refused), (0, 0));
    assert_eq!(process.service.event_types("s").len(), 100);
}
