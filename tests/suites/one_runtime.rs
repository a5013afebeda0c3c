//! The fault matrix within one process: after each fault the same runtime, with its pooled
//! connections and its warm governors, makes the next call as if nothing had happened.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "matrix/mod.rs"]
mod matrix;
#[path = "matrix/random.rs"]
mod random;

use std::time::Duration;

use matrix::Row;
use thoth_host::{Call, Identity, Limits, Outcome, Runtime, Session, Tool};
use thoth_tests::{Answer, Faultd, Listener, Reply, Site, faultd::response, tool};

const ARGUMENTS: &str = r#"{"note":"hello"}"#;
const DEADLINE: Duration = Duration::from_secs(2);

/// One process's worth of everything.
struct Process {
    service: Faultd,
    runtime: Runtime,
    canary: Tool,
    state: tempfile::TempDir,
}

impl Process {
    async fn start() -> Self {
        let (service, state) = (Faultd::start(), tempfile::tempdir().unwrap());
        let mut limits = Limits::default();
        // The tool of a faulted call never returns: a call that ends has not run it.
        limits.time = Duration::from_secs(3600);
        let runtime = Runtime::builder()
            .compiler(thoth_host::Jail::InProcess)
            .enforcer_url(service.url())
            .state_dir(state.path())
            .timeout(DEADLINE)
            .limits(limits)
            .build()
            .await
            .unwrap();
        let canary = runtime.load(tool("canary")).await.unwrap();
        Self {
            service,
            runtime,
            canary,
            state,
        }
    }

    fn session(&self, id: &str) -> Session {
        let mut identity = Identity::new("acme", "bot");
        identity.session_id = id.to_owned();
        self.runtime.session(identity)
    }

    async fn call(&self, session: &Session, function: &str) -> Call {
        session
            .call(&self.canary, function, ARGUMENTS)
            .await
            .unwrap()
    }

    /// A call that is held, and approved for whoever asks about it.
    async fn held(&self, session: &Session) -> Call {
        let answers = &self.service;
        answers.next(Site::Enforce, Answer::step_up("hold-7"));
        answers.hold(Answer::resolved("hold-7", "ALLOW"));
        self.call(session, "sing").await
    }

    async fn assert_healthy(&self, session: &Session) {
        match self.call(session, "sing").await.outcome {
            Outcome::Completed(result) => assert_eq!(result, r#""canary-sang-41c7f0:hello""#),
            other => panic!("the next call: {other:?}"),
        }
    }
}

fn refused(call: &Call, causes: &[&str]) -> Result<(), String> {
    match &call.outcome {
        Outcome::Refused(refusal) if causes.contains(&refusal.cause.as_str()) => Ok(()),
        other => Err(format!("expected one of {causes:?}, got {other:?}")),
    }
}

#[tokio::test]
async fn after_every_faulty_decision_the_next_call_runs() {
    let process = Process::start().await;
    let session = process.session("s");
    let rows = matrix::replies();
    let mut failures = Vec::new();
    for row in &rows {
        // Said every time: a connection that had been used before may be replaced, and the question
        // asked again on another.
        process.service.enforce(row.reply.clone());
        let call = process.call(&session, "tarpit").await;
        process.service.heal(Listener::Plain);
        if let Err(failure) = refused(&call, row.causes) {
            failures.push(format!("{}: {failure}", row.name()));
        }
        process.assert_healthy(&session).await;
    }
    assert!(
        failures.is_empty(),
        "{} of {} rows:\n{}",
        failures.len(),
        rows.len(),
        failures.join("\n")
    );
    assert_eq!(session.history(), vec!["sing"; rows.len().min(128)]);
}

#[tokio::test]
async fn after_every_faulty_resolution_the_next_call_runs() {
    let process = Process::start().await;
    let session = process.session("s");
    let rows = matrix::replies()
        .into_iter()
        .filter(|row| !row.hold_causes.is_empty());
    let rows: Vec<Row> = rows.chain(matrix::resolutions()).collect();
    let mut failures = Vec::new();
    for row in &rows {
        process
            .service
            .next(Site::Enforce, Answer::step_up("hold-7"));
        process.service.hold(row.reply.clone());
        let pending = process.call(&session, "tarpit").await;
        assert!(
            matches!(pending.outcome, Outcome::Pending(_)),
            "{pending:?}"
        );
        let call = session.resume(pending).await;
        process.service.heal(Listener::Plain);
        let judged = match &call.outcome {
            Outcome::Pending(_) if row.hold_causes == matrix::UNDECIDED => Ok(()),
            _ => refused(&call, row.hold_causes),
        };
        if let Err(failure) = judged {
            failures.push(format!("{}: {failure}", row.name()));
        }
        process.assert_healthy(&session).await;
    }
    assert!(
        failures.is_empty(),
        "{} of {} rows:\n{}",
        failures.len(),
        rows.len(),
        failures.join("\n")
    );
}

#[tokio::test]
async fn what_is_odd_but_clear_runs_the_call() {
    let process = Process::start().await;
    let session = process.session("s");
    for row in matrix::allowed() {
        process.service.next(Site::Enforce, row.reply.clone());
        process.assert_healthy(&session).await;
    }
}

/// A second response behind the first one must not answer the next question.
#[tokio::test]
async fn bytes_behind_an_answer_never_answer_the_next_question() {
    let process = Process::start().await;
    let session = process.session("s");
    let json = [("content-type", "application/json")];
    let allow = response(200, &json, br#"{"decision":"ALLOW"}"#);
    let block = response(200, &json, br#"{"decision":"BLOCK"}"#);
    for behind in [allow.clone(), [allow.clone(), allow.clone()].concat()] {
        for _ in 0..8 {
            process.service.next(
                Site::Enforce,
                Reply::Complete([block.clone(), behind.clone()].concat()),
            );
            process
                .service
                .next(Site::Enforce, Answer::block("still no"));
            let first = process.call(&session, "tarpit").await;
            assert!(matches!(first.outcome, Outcome::Refused(_)), "{first:?}");
            let second = process.call(&session, "tarpit").await;
            match second.outcome {
                Outcome::Refused(refusal) => assert_eq!(refusal.reason, "still no"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_dropped_call_leaves_nothing_running_and_the_next_one_runs() {
    let process = Process::start().await;
    let session = process.session("s");
    for site in [Site::Enforce, Site::Other] {
        if site == Site::Enforce {
            process.service.next(site, vec![thoth_tests::Step::Hold]);
        }
        // Dropped while it asks the first time, and while the tool runs the second.
        let call = process.call(&session, "tarpit");
        assert!(
            tokio::time::timeout(Duration::from_millis(300), call)
                .await
                .is_err()
        );
        process.assert_healthy(&session).await;
    }
}

#[tokio::test]
async fn an_approved_hold_runs_the_call_once_and_for_the_call_that_was_held() {
    let process = Process::start().await;
    let session = process.session("s");
    let pending = process.held(&session).await;
    let done = session.resume(pending).await;
    assert!(matches!(done.outcome, Outcome::Completed(_)), "{done:?}");
    let again = session.resume(done.clone()).await;
    assert_eq!(again.call_id, done.call_id);
    assert_eq!(
        process.service.requests_to(Site::Hold).len(),
        1,
        "what is over is not asked about"
    );
}

/// What a resumed session counts and remembers is what comes after its start.
#[tokio::test]
async fn a_call_of_a_session_whose_start_is_not_recorded_does_not_run() {
    let process = Process::start().await;
    let session = process.session("s");
    let log = rusqlite::Connection::open(process.state.path().join("events.db")).unwrap();
    log.execute_batch(
        "CREATE TRIGGER no BEFORE INSERT ON event WHEN new.event_type = 'SESSION_START'
         BEGIN SELECT raise(ABORT, 'no'); END",
    )
    .unwrap();
    let call = process.call(&session, "sing").await;
    refused(&call, &["not_recorded"]).unwrap();
    assert_eq!(process.service.requests_to(Site::Enforce).len(), 0);
    log.execute_batch("DROP TRIGGER no").unwrap();
    process.assert_healthy(&session).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_a_hold_that_is_given_up_leaves_the_call_held() {
    let process = Process::start().await;
    let session = process.session("s");
    process
        .service
        .next(Site::Hold, vec![thoth_tests::Step::Hold]);
    let pending = process.held(&session).await;
    let asked = tokio::time::timeout(Duration::from_millis(300), session.resume(pending.clone()));
    assert!(asked.await.is_err());
    let done = session.resume(pending).await;
    assert!(matches!(done.outcome, Outcome::Completed(_)), "{done:?}");
    process
        .service
        .wait_until(|service| service.event_types("s").len() >= 2);
    assert_eq!(
        process.service.event_types("s"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"],
        "one end, and not that of the question"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_given_up_while_its_approval_is_used_uses_up_the_hold() {
    let process = Process::start().await;
    let session = process.session("s");
    let pending = process.held(&session).await;
    let log = rusqlite::Connection::open(process.state.path().join("events.db")).unwrap();
    log.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = session.resume(pending.clone());
    let given_up = tokio::time::timeout(Duration::from_millis(500), asked).await;
    assert!(given_up.is_err());
    log.execute_batch("ROLLBACK").unwrap();
    let again = session.resume(pending).await;
    refused(&again, &["invalid_hold"]).unwrap();
    process
        .service
        .wait_until(|service| service.event_types("s").len() >= 2);
    let types = process.service.event_types("s");
    assert!(!types.contains(&"TOOL_CALL_POST".into()), "{types:?}");
    assert_eq!(session.history(), Vec::<String>::new());
}

/// The seed of the run that is the same every time; another with `THOTH_SEED`.
const SEED: u64 = 0x5eed;

#[tokio::test]
async fn of_ten_thousand_random_replies_only_well_formed_allows_run() {
    let process = Process::start().await;
    let session = process.session("s");
    let seed = std::env::var("THOTH_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut allowed, mut refused) = (0, 0);
    for number in 0..10_000 {
        let reply = random::generate(&mut rng);
        process.service.enforce(Reply::bytes(reply.wire.clone()));
        let call = process.call(&session, "sing").await;
        let ran = matches!(call.outcome, Outcome::Completed(_));
        assert_eq!(
            ran,
            reply.allows,
            "seed {seed}, reply {number}: {:?} to {}",
            call.outcome,
            String::from_utf8_lossy(&reply.wire)
        );
        *(if ran { &mut allowed } else { &mut refused }) += 1;
    }
    println!("seed {seed}: {allowed} well-formed and run, {refused} refused");
    assert!(allowed > 1_000 && refused > 1_000);
}
