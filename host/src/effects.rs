//! The effects of one running call: each is recorded before it happens, and is a governed call of its
//! own where the grant says so.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use thoth_core::events::Local;
use thoth_core::json::canonical;
use thoth_core::{Event, FailureCause, Outcome, Session as Scope, ToolCall, ToolFailure};
use thoth_outbox::AppendError;
use tokio::time::Instant;

use crate::calling::{Onlookers, Stage as CallStage};
use crate::clock::Clock;
use crate::governor::{Claim, Dispatch, GivenUp, Notes, Use};
use crate::outbox::{Open, quoted_digest};
use crate::runtime::Runtime;
use crate::session::{POLL_MAX, POLL_MIN, patience};
use crate::telemetry::Traced;
use crate::tool::{Act, Effect, Effects, Later};

/// The most effects of one call. Each is an event or two in the log, and a tool could otherwise fill it;
/// the last one that is recorded says that there were more.
const EFFECTS_MAX: u32 = 10_000;

/// Who decides about the effects of one call.
pub(crate) struct CallEffects(Arc<Parent>);

/// The call whose effects they are.
struct Parent {
    runtime: Runtime,
    scope: Arc<Scope>,
    call_id: String,
    tool: String,
    /// The SHA-256 of the tool's component.
    component: String,
    clock: Clock,
    told: Onlookers,
    effects: AtomicU32,
    masked: AtomicBool,
}

impl CallEffects {
    pub(crate) fn new(
        runtime: Runtime,
        scope: Arc<Scope>,
        call_id: String,
        tool: String,
        component: String,
        clock: Clock,
        told: Onlookers,
    ) -> Self {
        Self(Arc::new(Parent {
            runtime,
            scope,
            call_id,
            tool,
            component,
            clock,
            told,
            effects: AtomicU32::new(0),
            masked: AtomicBool::new(false),
        }))
    }
}

impl Effects for CallEffects {
    fn perform(&self, effect: Effect, act: Act) -> Later<Result<(), String>> {
        let parent = Arc::clone(&self.0);
        Box::pin(async move {
            let govern = effect.govern;
            let server = effect.server.clone();
            let (number, call, notes) = parent.next(effect);
            if number > EFFECTS_MAX {
                let why = format!("a call has at most {EFFECTS_MAX} effects");
                parent.refuse(number, &call, &notes, &why).await;
                return Err(why);
            }
            let traced = parent.traced(&call, server);
            let act = Arc::clone(&parent).watched(act);
            let done = if govern {
                parent.governed(&call, &notes, act, &traced).await
            } else {
                let done = parent.granted(&call, &notes, act, &traced).await;
                traced.done(done.is_err().then_some("effect_error"));
                done
            };
            let failed = done.as_ref().err();
            tracing::debug!(
                effect = call.tool,
                id = call.call_id,
                failed,
                "an effect ended"
            );
            done
        })
    }

    fn has_masked(&self) -> bool {
        self.0.masked.load(Ordering::Acquire)
    }

    fn refused(&self, effect: Effect, why: String) -> Later<()> {
        let parent = Arc::clone(&self.0);
        Box::pin(async move {
            let server = effect.server.clone();
            let (number, call, notes) = parent.next(effect);
            if number <= EFFECTS_MAX {
                parent.traced(&call, server).done(Some("not_granted"));
            }
            parent.refuse(number, &call, &notes, &why).await;
        })
    }
}

impl Parent {
    /// The effect as a call of its own, under its parent's id and a number.
    fn next(&self, effect: Effect) -> (u32, ToolCall, Notes) {
        let number = self.effects.fetch_add(1, Ordering::Relaxed) + 1;
        let mut arguments = effect.arguments;
        arguments.insert("tool".into(), self.tool.clone().into());
        arguments.insert("parent_call_id".into(), self.call_id.clone().into());
        arguments.insert("number".into(), number.into());
        let call = ToolCall {
            call_id: format!("{}.{number}", self.call_id),
            tool: effect.tool.into(),
            arguments: Value::Object(arguments.clone()).to_string(),
        };
        let notes = Notes::default();
        let asked = canonical(&Value::Object(arguments.clone()));
        notes.fact("arguments_sha256", quoted_digest(&asked));
        // A query can hold what nobody wants in a log.
        arguments.remove("query");
        notes.set("effect", canonical(&Value::Object(arguments)));
        (number, call, notes)
    }

    /// The effect's place in the call's trace.
    fn traced(&self, call: &ToolCall, server: Option<(String, u16)>) -> Traced {
        let name = match call.tool.as_str() {
            "effect:file" => "effect:file",
            _ => "effect:http",
        };
        let server = server.as_ref().map(|(host, port)| (host.as_str(), *port));
        self.told.traced.effect(name, &call.call_id, server)
    }

    /// Records an effect that does not happen.
    async fn refuse(&self, number: u32, call: &ToolCall, notes: &Notes, why: &str) {
        if number > EFFECTS_MAX + 1 {
            return;
        }
        // A log that cannot be written says so for the call itself.
        let _ = self.record(call, notes, Local::Refused(why)).await;
    }

    /// The same, remembering whether a secret was masked in what came back.
    fn watched(self: Arc<Self>, act: Act) -> Act {
        Box::new(move |place| {
            Box::pin(async move {
                let done = act(place).await;
                let masked = |told: &Value| told.get("masked") == Some(&Value::Bool(true));
                if done.as_ref().is_ok_and(masked) {
                    self.masked.store(true, Ordering::Release);
                }
                done
            })
        })
    }

    /// An effect that the grant alone decides about.
    async fn granted(
        &self,
        call: &ToolCall,
        notes: &Notes,
        act: Act,
        traced: &Traced,
    ) -> Result<(), String> {
        let mut unfinished = self.unfinished(Stage::Announced, call, notes);
        if let Err(why) = self.record(call, notes, Local::Requested).await {
            unfinished.end();
            return Err(why);
        }
        unfinished.stage = Stage::UnderWay;
        let start = Instant::now();
        let done = act(traced.place()).await;
        let done = done.inspect(|told| notes.set("effect_result", canonical(told)));
        let failed = done.as_ref().err().map(String::as_str);
        let duration = start.elapsed();
        let last = self.event(call, notes, Local::Done { failed, duration });
        // Who gives up from here on gives up an effect that has this end.
        let (event, facts) = unfinished.last.insert(last).clone();
        let recorder = self.runtime.governors().recorder();
        let recorded = recorder.append_end(event, facts, true).await;
        unfinished.end();
        recorded.map_err(unrecorded)?;
        done.map(|_| ())
    }

    fn unfinished<'a>(
        &'a self,
        stage: Stage,
        call: &'a ToolCall,
        notes: &'a Notes,
    ) -> Unfinished<'a> {
        Unfinished {
            parent: self,
            call,
            notes,
            stage,
            last: None,
            open: Some(self.runtime.governors().recorder().open()),
        }
    }

    async fn record(&self, call: &ToolCall, notes: &Notes, local: Local<'_>) -> Result<(), String> {
        let (event, facts) = self.event(call, notes, local);
        let recorder = self.runtime.governors().recorder();
        recorder.append(event, facts).await.map_err(unrecorded)
    }

    /// The event of a step, and what only the log is to know of it.
    fn event(&self, call: &ToolCall, notes: &Notes, local: Local<'_>) -> (Event, String) {
        let recorder = self.runtime.governors().recorder();
        let event = recorder.local(&self.scope, call, local);
        (notes.annotate(event), notes.take_facts())
    }

    /// An effect that the enforcer decides about. One that is held parks the call here: until it is
    /// decided or its hold expires, the call's own time stands still.
    async fn governed(
        &self,
        call: &ToolCall,
        notes: &Notes,
        act: Act,
        traced: &Traced,
    ) -> Result<(), String> {
        let act: Arc<Mutex<Option<Act>>> = Arc::new(Mutex::new(Some(act)));
        let used = Use::new(&self.component);
        let asking = once(call, notes, &act, used.announce(), traced);
        let governors = self.runtime.governors();
        let mut outcome = governors.wrap_tool(&self.scope, call, asking).await;
        traced.came_to(&outcome);
        let parked = match &outcome {
            Outcome::Pending(hold) => {
                self.runtime.parked(call, hold);
                self.told.tell(CallStage::Parked);
                Some(self.clock.park())
            }
            Outcome::Completed(_) | Outcome::Failed(_) | Outcome::Refused(_) => None,
        };
        let mut pause = POLL_MIN;
        let mut expires = None;
        while let Outcome::Pending(hold) = outcome {
            let end = *expires.get_or_insert_with(|| Instant::now() + patience(&hold));
            // A question about the hold looks after its own end.
            let unfinished = self.unfinished(Stage::Held, call, notes);
            tokio::time::sleep_until((Instant::now() + pause).min(end)).await;
            unfinished.end();
            pause = (pause * 2).min(POLL_MAX);
            let mut hold = hold;
            if Instant::now() >= end {
                // The last question: who is still undecided then never will be.
                hold.timeout_seconds = Some(0);
            }
            let claim = used.claim(&self.scope, call);
            let asking = once(call, notes, &act, claim, traced);
            let resumed = governors.resume(&self.scope, call, &hold, asking, GivenUp::Ends);
            outcome = resumed.await;
            traced.came_to(&outcome);
        }
        if let Some(parked) = parked {
            drop(parked);
            self.told.tell(CallStage::Running);
        }
        match outcome {
            Outcome::Completed(_) => Ok(()),
            Outcome::Failed(failure) => Err(failure.message),
            Outcome::Refused(refusal) => Err(format!("{}: {}", refusal.cause, refusal.reason)),
            Outcome::Pending(_) => Err("the hold has expired".into()),
        }
    }
}

fn unrecorded(error: AppendError) -> String {
    format!("the effect cannot be recorded: {error}")
}

/// An effect on its way. If the tool gives it up, or ends before it, an event says that.
struct Unfinished<'a> {
    parent: &'a Parent,
    call: &'a ToolCall,
    notes: &'a Notes,
    stage: Stage,
    /// Its last event, once that is known. To append an event twice is to append it once.
    last: Option<(Event, String)>,
    /// None once it has ended.
    open: Option<Open>,
}

/// How far an effect has come.
#[derive(Clone, Copy)]
enum Stage {
    /// The log may have that it is about to happen.
    Announced,
    /// Nobody has decided, so it does not happen.
    Held,
    /// It may have happened.
    UnderWay,
}

impl Unfinished<'_> {
    fn end(mut self) {
        self.open = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let recorded = !matches!(self.stage, Stage::Announced);
        if let Some((event, facts)) = self.last.take() {
            open.end_later(event, facts, recorded);
            return;
        }
        let recorder = self.parent.runtime.governors().recorder();
        let scope = &self.parent.scope;
        let event = match self.stage {
            Stage::Announced => {
                let why = "it was given up before it happened";
                recorder.broken(scope, self.call, why, None)
            }
            Stage::Held => {
                let why = "it was given up while it was held";
                recorder.broken(scope, self.call, why, None)
            }
            Stage::UnderWay => {
                let given_up = Local::Done {
                    failed: Some("the tool gave it up; it may have happened"),
                    duration: Duration::ZERO,
                };
                recorder.local(scope, self.call, given_up)
            }
        };
        let event = self.notes.annotate(event);
        open.end_later(event, self.notes.take_facts(), recorded);
    }
}

/// The way to do an effect, once, if what was decided on is what was asked.
fn once(
    call: &ToolCall,
    notes: &Notes,
    act: &Arc<Mutex<Option<Act>>>,
    claim: Claim,
    traced: &Traced,
) -> Dispatch {
    let expected = thoth_core::json::parse(call.arguments.as_bytes())
        .map(|arguments| thoth_core::json::canonical(&arguments));
    let act = Arc::clone(act);
    let told = notes.clone();
    let place = traced.place();
    Dispatch {
        tool: call.tool.clone(),
        notes: notes.clone(),
        claim: Some(claim),
        traced: Some(traced.clone()),
        taken: Arc::default(),
        run: Box::new(move |arguments| {
            Box::pin(async move {
                // A request that was sent otherwise than the guest sees would be a lie to it.
                if expected.as_ref() != Ok(&arguments) {
                    return Err(failure(
                        FailureCause::InvalidArguments,
                        "an effect cannot be modified".into(),
                    ));
                }
                let act = act.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(act) = act else {
                    let again = "this effect has happened already".into();
                    return Err(failure(FailureCause::HostFault, again));
                };
                match act(place).await {
                    Ok(result) => {
                        told.set("effect_result", canonical(&result));
                        Ok(result.to_string())
                    }
                    Err(why) => Err(failure(FailureCause::ToolError, why)),
                }
            })
        }),
    }
}

fn failure(cause: FailureCause, message: String) -> ToolFailure {
    ToolFailure {
        cause,
        message,
        error: None,
    }
}
