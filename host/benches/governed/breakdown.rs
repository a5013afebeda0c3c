//! Where the time of a governed call goes: the same call with one part more each time, one caller, and
//! the differences.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http::{Request, header};
use serde_json::Value;
use tempfile::TempDir;
use thoth_host::{Cause, Identity, Outcome, Session, Verdict};
use thoth_outbox::{Carrier, Event, Outbox, Retry, Sent, deliver};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::bed::{ARGUMENTS, Bed, Caller, Governed, Mode, SESSION, TOOL};
use crate::measure::median;

/// One thing to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Native,
    Raw,
    Check,
    AppendPre,
    AppendPost,
    Idle,
    Asked,
    Recorded,
    Quiet,
    Long,
    Delivered,
    Policy,
    AskedInProcess,
}

impl Step {
    const ALL: [(Self, &'static str); 13] = [
        (Self::Native, "N: native question"),
        (Self::Raw, "R: raw fresh tool"),
        (Self::Check, "arguments parsed and checked, natively"),
        (Self::AppendPre, "append of a PRE event, log alone"),
        (Self::AppendPost, "append of a POST event, log alone"),
        (
            Self::Idle,
            "governor without io (`enforce`, unusable session)",
        ),
        (Self::Asked, "governor and question (`enforce`)"),
        (Self::Recorded, "governor and two appends (refused call)"),
        (Self::Quiet, "governed call, nothing delivered meanwhile"),
        (Self::Long, "the same with a history of 128 calls"),
        (Self::Delivered, "G: governed call, delivery beside it"),
        (Self::Policy, "policy in process, called natively"),
        (
            Self::AskedInProcess,
            "governor and policy in process (`enforce`)",
        ),
    ];
}

struct Bench {
    bed: Arc<Bed>,
    quiet: Governed,
    log: Outbox,
    events: [Event; 2],
    number: AtomicU64,
    question: Bytes,
    long: Session,
    _log_folder: TempDir,
    _turn: JoinHandle<()>,
}

/// Prints the table of parts and differences.
pub(crate) async fn run(bed: &Arc<Bed>, rounds: usize, calls: usize) -> Result<()> {
    let bench = Arc::new(Bench::new(bed).await?);
    let mut times: Vec<Vec<Took>> = Step::ALL.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for ((step, _), times) in Step::ALL.iter().zip(&mut times) {
            let bench = Arc::clone(&bench);
            let step = *step;
            let took = tokio::spawn(async move { bench.measure(step, calls).await });
            let took = took.await??;
            // The first round warms up.
            if round > 0 {
                times.push(took);
            }
        }
    }
    let over_rounds = |times: Vec<Took>| Took {
        median: median(times.iter().map(|took| took.median)),
        mean: median(times.iter().map(|took| took.mean)),
    };
    let times: Vec<Took> = times.into_iter().map(over_rounds).collect();
    println!("\none caller, microseconds, medians of {rounds} rounds");
    println!("{:<54} {:>8} {:>8}", "", "p50", "mean");
    for ((_, name), took) in Step::ALL.iter().zip(&times) {
        println!("{name:<54} {:>8.1} {:>8.1}", took.median, took.mean);
    }
    println!("\ndifferences");
    let differences = |figure: fn(&Took) -> f64| {
        let of = |wanted: Step| {
            let mut pairs = Step::ALL.iter().zip(&times);
            let found = pairs.find(|((step, _), _)| *step == wanted);
            found.map_or(f64::NAN, |(_, took)| figure(took))
        };
        let appends = of(Step::Recorded) - of(Step::Idle);
        [
            of(Step::Asked) - of(Step::Idle) - of(Step::Native),
            appends / 2.0,
            of(Step::Quiet) - of(Step::Asked) - appends - of(Step::Raw),
            of(Step::Delivered) - of(Step::Quiet),
            of(Step::Long) - of(Step::Quiet),
            (of(Step::AppendPre) + of(Step::AppendPost)) / of(Step::Delivered) * 100.0,
        ]
    };
    let medians = differences(|took| took.median);
    let means = differences(|took| took.mean);
    let names = [
        "wasi:http over the native question",
        "one append and its event inside a call",
        "tool call over the raw one (dispatch, JSON, values)",
        "delivery beside the call",
        "a history of 128 calls",
        "both appends, in percent of a governed call",
    ];
    for ((name, median), mean) in names.iter().zip(medians).zip(means) {
        println!("{name:<54} {median:>8.1} {mean:>8.1}");
    }
    Ok(())
}

/// What a call of one step took, in microseconds.
struct Took {
    median: f64,
    /// With what was still to be delivered afterwards, if anything was.
    mean: f64,
}

impl Bench {
    async fn new(bed: &Arc<Bed>) -> Result<Self> {
        let state = tempfile::tempdir()?;
        let url = bed.server.url();
        let turn = hold_turn(&state, &url).await?;
        let quiet = Governed::new(state, |builder| builder.enforcer_url(url)).await?;
        let long = quiet.session();
        for _ in 0..thoth_host::HISTORY {
            quiet.call(&long).await?;
        }
        let folder = tempfile::tempdir()?;
        let options = thoth_outbox::Options {
            max_waiting: u64::MAX,
            max_waiting_bytes: u64::MAX,
            ..Default::default()
        };
        Ok(Self {
            bed: Arc::clone(bed),
            quiet,
            log: Outbox::open(&folder.path().join("log.db"), "bench", options)?,
            events: events(&bed.events().await?)?,
            number: AtomicU64::new(0),
            question: bed.question(),
            long,
            _log_folder: folder,
            _turn: turn,
        })
    }

    async fn measure(&self, step: Step, calls: usize) -> Result<Took> {
        let mut callers = [Mode::Native, Mode::Raw, Mode::Governed]
            .map(|mode| Caller::new(Arc::clone(&self.bed), mode));
        let [native, raw, governed] = &mut callers;
        let mut times = Vec::with_capacity(calls);
        let mut sum = Duration::ZERO;
        let mut session = self.quiet.session();
        let mut unusable = self.unusable();
        for nth in (0..SESSION).cycle().take(calls) {
            // A session's first call has one event more to append.
            if nth == 0 {
                (session, unusable) = (self.quiet.session(), self.unusable());
            }
            governed.prepare();
            let start = Instant::now();
            match step {
                Step::Native => native.call().await?,
                Step::Raw => raw.call().await?,
                Step::Check => {
                    let value = thoth_core::json::parse(ARGUMENTS)?;
                    if let Err(misfit) = self.quiet.tool.check(TOOL, &value) {
                        bail!("{misfit}");
                    }
                }
                Step::AppendPre => self.append(0).await?,
                Step::AppendPost => self.append(1).await?,
                Step::Idle => refused_unasked(&self.quiet, &unusable).await?,
                Step::Asked => allowed(&self.quiet, &session).await?,
                Step::Recorded => self.recorded(&unusable).await?,
                Step::Quiet => self.quiet.call(&session).await?,
                Step::Long => self.quiet.call(&self.long).await?,
                Step::Delivered => governed.call().await?,
                Step::Policy => self.policy()?,
                Step::AskedInProcess => allowed(&self.bed.local, &self.bed.local.session()).await?,
            }
            let time = start.elapsed();
            times.push(time.as_secs_f64() * 1e6);
            sum += time;
        }
        if step == Step::Delivered {
            let start = Instant::now();
            self.bed.remote.drain().await?;
            sum += start.elapsed();
        }
        Ok(Took {
            median: median(times),
            mean: sum.as_secs_f64() * 1e6 / calls as f64,
        })
    }

    /// A session that the governor refuses to ask about, before anything leaves.
    fn unusable(&self) -> Session {
        let mut identity = Identity::new("acme", "bot").user("sam");
        identity.metadata = Some("not JSON".into());
        self.quiet.runtime.session(identity)
    }

    async fn append(&self, which: usize) -> Result<()> {
        let mut event = self.events.get(which).context("no event")?.clone();
        // Ids are random in practice, so they land all over their index.
        let number = self.number.fetch_add(1, Relaxed);
        event.id = format!(
            "acme:{:016x}-{number:016x}",
            number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        );
        Ok(self.log.append(event).await?)
    }

    async fn recorded(&self, session: &Session) -> Result<()> {
        match session
            .call(&self.quiet.tool, TOOL, ARGUMENTS)
            .await?
            .outcome
        {
            Outcome::Refused(refusal) if refusal.cause == Cause::Configuration => Ok(()),
            other => bail!("not refused: {other:?}"),
        }
    }

    fn policy(&self) -> Result<()> {
        let enforcer = self.bed.local.runtime.enforcer().context("no enforcer")?;
        let request = Request::post("/v1/enforce")
            .header(header::CONTENT_TYPE, "application/json")
            .body(self.question.clone())?;
        let answer = enforcer.handle(request);
        ensure!(answer.status() == 200, "status {}", answer.status());
        Ok(())
    }
}

async fn allowed(governed: &Governed, session: &Session) -> Result<()> {
    let decision = session.enforce(&governed.tool, TOOL, ARGUMENTS).await?;
    ensure!(
        decision.verdict == Verdict::Allow,
        "not allowed: {decision:?}"
    );
    Ok(())
}

async fn refused_unasked(governed: &Governed, session: &Session) -> Result<()> {
    let decision = session.enforce(&governed.tool, TOOL, ARGUMENTS).await?;
    let refused = decision.verdict == Verdict::Block(Cause::Configuration);
    ensure!(refused, "not refused: {decision:?}");
    Ok(())
}

/// A PRE and a POST event as they were on the wire.
fn events(batch: &[u8]) -> Result<[Event; 2]> {
    let batch: Value = serde_json::from_slice(batch)?;
    let find = |kind: &str| {
        let events = batch.get("events").and_then(Value::as_array);
        let mut events = events.into_iter().flatten();
        let body = events
            .find(|event| event.get("event_type").and_then(Value::as_str) == Some(kind))
            .with_context(|| format!("no {kind} event"))?;
        anyhow::Ok(Event {
            id: String::new(),
            session_id: "2b9e3f3c-6f0c-4b6a-9a3d-1c5b8f0e7d21".into(),
            call_id: "5e8d11c0-0d0e-4a53-8ad4-4ff5e6a0b6ff".into(),
            event_type: kind.into(),
            body: body.to_string(),
            facts: String::new(),
        })
    };
    Ok([find("TOOL_CALL_PRE")?, find("TOOL_CALL_POST")?])
}

/// Takes the turn to deliver what is logged in a folder, and never delivers anything.
async fn hold_turn(state: &TempDir, destination: &str) -> Result<JoinHandle<()>> {
    struct Never(Arc<Notify>);
    impl Carrier for Never {
        async fn send(&self, _: &[Event]) -> Sent {
            self.0.notify_one();
            pending().await
        }
    }
    let log = Outbox::open(
        &state.path().join("events.db"),
        destination,
        Default::default(),
    )?;
    let taken = Arc::new(Notify::new());
    let retry = Retry {
        attempt: Duration::from_secs(24 * 3600),
        ..Retry::default()
    };
    let carrier = Never(Arc::clone(&taken));
    let turn = tokio::spawn(deliver(log.clone(), carrier, retry, pending()));
    log.append(Event {
        id: "bench".into(),
        session_id: "bench".into(),
        call_id: "bench".into(),
        event_type: "TOOL_CALL_PRE".into(),
        body: "{}".into(),
        facts: String::new(),
    })
    .await?;
    taken.notified().await;
    Ok(turn)
}
