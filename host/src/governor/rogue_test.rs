//! A governor that breaks its promises runs nothing, and the next call is as good as ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use thoth_core::{Cause, FailureCause, Hold, Mode, Outcome, Session, ToolCall};
use thoth_enforcer::{Enforcer, Policy, Store};
use wasmtime::component::Component;

use super::{Dispatch, GivenUp, Governors, Service};
use crate::outbox::Recorder;

const ALLOWS_ALL: &str = "permit (principal, action, resource);";

/// A governor's surroundings, with a tool that counts its runs.
struct Bed {
    governors: Governors,
    runs: Arc<AtomicU32>,
    _state: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        Self::with_room(1_000)
    }

    /// With a log in which no call begins once so many events wait.
    fn with_room(max_waiting: u64) -> Self {
        let state = tempfile::tempdir().unwrap();
        let options = thoth_outbox::Options {
            max_waiting,
            ..Default::default()
        };
        let log = state.path().join("events.db");
        let outbox = thoth_outbox::Outbox::open(&log, "test", options).unwrap();
        let policy = Policy::parse("all.cedar", ALLOWS_ALL).unwrap();
        let enforcer =
            Enforcer::new(policy, Store::in_memory().unwrap(), Default::default()).unwrap();
        let engine = thoth_engine::governor_engine().unwrap();
        let bytes = std::fs::read(thoth_tests::tool("rogue-governor")).unwrap();
        let component = Component::from_binary(&engine, &bytes).unwrap();
        let governors = Governors::new(
            &engine,
            &component,
            Service::Embedded(Arc::new(enforcer)),
            Recorder::new(outbox),
            Duration::from_millis(200),
        )
        .unwrap();
        Self {
            governors,
            runs: Arc::default(),
            _state: state,
        }
    }

    fn dispatch(&self) -> Dispatch {
        let runs = Arc::clone(&self.runs);
        Dispatch {
            tool: "sing".into(),
            notes: Default::default(),
            claim: None,
            traced: None,
            taken: Arc::default(),
            run: Box::new(move |_| {
                runs.fetch_add(1, Ordering::SeqCst);
                Box::pin(async { Ok("\"ran\"".into()) })
            }),
        }
    }

    /// Events in the log.
    async fn events(&self) -> u64 {
        self.governors
            .recorder
            .outbox
            .status()
            .await
            .unwrap()
            .waiting
    }

    async fn call(&self, how: &str, mode: Mode) -> (Outcome, u32) {
        let session = Session {
            session_id: "s".into(),
            intent: Some(how.into()),
            mode,
            ..Session::default()
        };
        let call = ToolCall {
            call_id: format!("call-{how}"),
            tool: "sing".into(),
            arguments: "{}".into(),
        };
        let before = self.runs.load(Ordering::SeqCst);
        let outcome = self
            .governors
            .wrap_tool(&session, &call, self.dispatch())
            .await;
        (outcome, self.runs.load(Ordering::SeqCst) - before)
    }
}

fn is_fault(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused(refusal) if refusal.cause == Cause::GovernorFault)
}

fn is_not_allowed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(failure) if failure.cause == FailureCause::HostFault)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_governor_that_traps_spins_or_eats_is_a_refusal() {
    let bed = Bed::new();
    for how in ["traps", "spins", "eats"] {
        let (started, before) = (Instant::now(), bed.events().await);
        let (outcome, runs) = bed.call(how, Mode::Block).await;
        assert_eq!(bed.events().await, before + 1, "the host's event, {how}");
        assert!(is_fault(&outcome), "{how}: {outcome:?}");
        assert_eq!(runs, 0, "{how}");
        assert!(started.elapsed() < Duration::from_secs(20), "{how}");
        let (outcome, _) = bed.call("ends well", Mode::Block).await;
        assert!(
            matches!(outcome, Outcome::Completed(_)),
            "after {how}: {outcome:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_governor_that_asked_nobody_runs_nothing() {
    let bed = Bed::new();
    for how in ["invents", "forgets", "misfiles"] {
        let (outcome, runs) = bed.call(how, Mode::Block).await;
        assert!(is_not_allowed(&outcome), "{how}: {outcome:?}");
        assert_eq!(runs, 0, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn even_in_observe_mode_a_run_needs_a_record() {
    let bed = Bed::new();
    for how in ["forgets", "misfiles"] {
        let (outcome, runs) = bed.call(how, Mode::Observe).await;
        assert!(is_not_allowed(&outcome), "{how}: {outcome:?}");
        assert_eq!(runs, 0, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_governor_runs_the_tool_of_the_call_and_once() {
    let bed = Bed::new();
    let (outcome, runs) = bed.call("strays", Mode::Observe).await;
    assert!(is_not_allowed(&outcome), "{outcome:?}");
    assert_eq!(runs, 0);
    let (outcome, runs) = bed.call("repeats", Mode::Observe).await;
    assert!(is_not_allowed(&outcome), "{outcome:?}");
    assert_eq!(runs, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_call_does_not_run_unasked() {
    let bed = Bed::new();
    let call = ToolCall {
        call_id: "held".into(),
        tool: "sing".into(),
        arguments: "{}".into(),
    };
    for mode in [Mode::Block, Mode::Observe] {
        let session = Session {
            mode,
            ..Session::default()
        };
        let outcome = bed
            .governors
            .resume(
                &session,
                &call,
                &Hold::default(),
                bed.dispatch(),
                GivenUp::StaysHeld,
            )
            .await;
        assert!(is_not_allowed(&outcome), "{mode}: {outcome:?}");
        assert_eq!(bed.runs.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_ran_under_a_governor_that_fails_is_not_said_to_be_refused() {
    let bed = Bed::new();
    let (outcome, runs) = bed.call("runs and traps", Mode::Observe).await;
    assert!(is_not_allowed(&outcome), "{outcome:?}");
    assert_eq!(runs, 1);
    assert_eq!(bed.events().await, 2, "the governor's event and the host's");
    let (outcome, runs) = bed.call("ends, runs and traps", Mode::Observe).await;
    assert!(is_not_allowed(&outcome), "{outcome:?}");
    assert_eq!(runs, 1);
    assert_eq!(
        bed.events().await,
        5,
        "two of the governor's and the host's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_governor_fails_after_its_end_has_one_end() {
    let bed = Bed::new();
    let (outcome, runs) = bed.call("ends and traps", Mode::Block).await;
    assert!(is_fault(&outcome), "{outcome:?}");
    assert_eq!(runs, 0);
    assert_eq!(bed.events().await, 2, "the governor's own, and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_the_end_of_what_began_and_for_nothing_else() {
    let bed = Bed::with_room(1);
    let (_, runs) = bed.call("runs and traps", Mode::Observe).await;
    assert_eq!((runs, bed.events().await), (1, 2));
    for how in ["traps", "ends and traps"] {
        let (outcome, runs) = bed.call(how, Mode::Observe).await;
        assert!(is_fault(&outcome), "{how}: {outcome:?}");
        assert_eq!((runs, bed.events().await), (0, 2), "{how}");
    }
}
