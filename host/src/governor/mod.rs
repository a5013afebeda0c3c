//! The governor component: kept warm, one instance for each call in flight.
//!
//! An instance goes back to the pool only after a call that ended well. After an error, a trap, a
//! time-out or a cancellation its store is dropped: it may be half way through something.

mod bindings;
mod claim;
mod convert;
mod egress;
mod imports;
mod judged;
mod members;
mod notes;
#[cfg(test)]
mod rogue_test;
mod state;
mod unfinished;

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use thoth_core::{
    Cause, Decision, EmitError, Event, Evidence, FailureCause, Hold, Outcome, Refusal, Retry,
    Session, ToolCall, ToolFailure, Verdict,
};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, Store};

use self::bindings::{Governor as Bindings, GovernorPre};
pub(crate) use self::claim::{Claim, Use};
pub(crate) use self::egress::Service;
use self::imports::Unusable;
pub(crate) use self::notes::Notes;
use self::state::{Active, GovernorState};
pub(crate) use self::state::{Dispatch, GivenUp};
use self::unfinished::Unfinished;
use crate::clock::Clock;
use crate::error::Error;
use crate::kept_hold::KeptHold;
use crate::outbox::{Note, Recorder};

/// The governor's component, built from `guest/` by the build script.
pub(crate) const COMPONENT: &[u8] = include_bytes!(env!("THOTH_GOVERNOR_WASM"));

/// Calls after which an instance is replaced: cheap, and whatever it may leak goes with it.
const CALLS_MAX: u32 = 1_000;

/// How much longer the host waits than the governor does, which keeps the same deadline itself.
pub(crate) const MARGIN: Duration = Duration::from_millis(100);

/// How long one event may wait for a log that other processes write as well.
const APPEND: Duration = Duration::from_secs(6);

/// Governors for one policy service and one outbox.
pub(crate) struct Governors {
    engine: Engine,
    pre: GovernorPre<GovernorState>,
    service: Service,
    recorder: Recorder,
    timeout: Duration,
    idle: Mutex<Vec<Warm>>,
}

struct Warm {
    store: Store<GovernorState>,
    bindings: Bindings,
    calls: u32,
}

impl fmt::Debug for Governors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Governors").finish_non_exhaustive()
    }
}

/// The governor failed. What it was about to allow does not run.
#[derive(Debug)]
struct Broken {
    cause: Cause,
    reason: String,
}

impl Broken {
    fn fault(reason: String) -> Self {
        Self {
            cause: Cause::GovernorFault,
            reason,
        }
    }
}

impl Governors {
    pub(crate) fn new(
        engine: &Engine,
        component: &Component,
        service: Service,
        recorder: Recorder,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let pre = link(engine, component)
            .map_err(|error| Error::Governor(crate::tool::one_line(&error)))?;
        Ok(Self {
            engine: engine.clone(),
            pre,
            service,
            recorder,
            timeout,
            idle: Mutex::default(),
        })
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// One governed call. The policy call has its own deadline, and so has what is dispatched.
    ///
    /// # Cancel safety
    /// Dropping the future ends the call; an event says so.
    pub(crate) async fn wrap_tool(
        &self,
        session: &Session,
        call: &ToolCall,
        dispatch: Dispatch,
    ) -> Outcome {
        let component = dispatch.claim.as_ref().and_then(Claim::component);
        let component = component.map(str::to_owned);
        let active = Active::new(session, call, dispatch, false);
        let unfinished = Unfinished::new(&self.recorder, session, call, &active);
        let (wit_session, wit_call) = (convert::session(session), convert::call(call));
        let outcome = self
            .with(Some(active), async |warm| {
                let wrapping = warm.bindings.thoth_governance_wrapping();
                wrapping
                    .call_wrap_tool(&mut warm.store, &wit_session, &wit_call)
                    .await
            })
            .await;
        let outcome = match outcome.map(convert::outcome) {
            Ok(outcome) => {
                if let Outcome::Pending(hold) = &outcome {
                    self.held(session, call, hold, component.as_deref()).await;
                }
                outcome
            }
            Err(broken) => self.broken(session, call, broken, &unfinished).await,
        };
        unfinished.end();
        outcome
    }

    /// Records that a call waits for a human. A log that cannot be written now does not let it run
    /// later either.
    async fn held(&self, session: &Session, call: &ToolCall, hold: &Hold, component: Option<&str>) {
        let told = KeptHold::record(hold, component);
        let note = Note::new("HOLD", session, Some(call), told);
        let _ = self.recorder.keep(note).await;
    }

    /// Asks once about a held call, and runs it if it was approved.
    ///
    /// # Cancel safety
    /// Dropping the future before the call is let run ends it or not, as `given_up` has it; after that it ends.
    pub(crate) async fn resume(
        &self,
        session: &Session,
        call: &ToolCall,
        hold: &Hold,
        dispatch: Dispatch,
        given_up: GivenUp,
    ) -> Outcome {
        let approval = Note::approval(session, call, hold, dispatch.claim.as_ref());
        let mut active = Active::new(session, call, dispatch, true);
        active.approval = Some(approval);
        active.given_up = given_up;
        let unfinished = Unfinished::new(&self.recorder, session, call, &active);
        let (wit_session, wit_call, wit_hold) = (
            convert::session(session),
            convert::call(call),
            convert::hold_out(hold),
        );
        let outcome = self
            .with(Some(active), async |warm| {
                let wrapping = warm.bindings.thoth_governance_wrapping();
                wrapping
                    .call_resume(&mut warm.store, &wit_session, &wit_call, &wit_hold)
                    .await
            })
            .await;
        let outcome = match outcome {
            Ok(outcome) => convert::outcome(outcome),
            Err(broken) => self.broken(session, call, broken, &unfinished).await,
        };
        unfinished.end();
        outcome
    }

    /// The end of a call whose governor failed: the host writes the event that the governor owes,
    /// and says whether the tool ran.
    async fn broken(
        &self,
        session: &Session,
        call: &ToolCall,
        Broken { cause, mut reason }: Broken,
        unfinished: &Unfinished<'_>,
    ) -> Outcome {
        let ended = unfinished.ended();
        let failure = ended.ran.then(|| ToolFailure {
            cause: FailureCause::HostFault,
            message: format!("the tool was started, and then: {reason}"),
            error: None,
        });
        let (event, facts) = unfinished.last(|| {
            let event = match &failure {
                Some(failure) => (self.recorder).broken(session, call, &reason, Some(failure)),
                None => self.recorder.refused(session, call, cause, &reason),
            };
            (ended.notes.annotate(event), ended.notes.take_facts())
        });
        let kept = self.recorder.append_end(event, facts, ended.recorded);
        if let Err(error) = kept.await {
            reason = format!("{reason} (and that could not be recorded: {error})");
        }
        match failure {
            Some(failure) => Outcome::Failed(failure),
            None => Outcome::Refused(Refusal {
                cause,
                reason,
                retry_after_seconds: None,
                evidence: Evidence::default(),
            }),
        }
    }

    /// Decides about a call without running it.
    pub(crate) async fn enforce(&self, session: &Session, call: &ToolCall) -> Decision {
        let (session, call) = (convert::session(session), convert::call(call));
        let decision = self
            .with(None, async |warm| {
                let policy = warm.bindings.thoth_governance_policy();
                policy.call_enforce(&mut warm.store, &session, &call).await
            })
            .await;
        match decision {
            Ok(decision) => convert::decision(decision),
            Err(Broken { cause, reason }) => Decision {
                verdict: Verdict::Block(cause),
                reason,
                evidence: Evidence::default(),
            },
        }
    }

    /// Delivers a batch of events.
    pub(crate) async fn emit(&self, events: &[Event]) -> Result<u32, EmitError> {
        let events: Vec<_> = events.iter().map(convert::event_out).collect();
        let receipt = self
            .with(None, async |warm| {
                let interface = warm.bindings.thoth_governance_events();
                interface.call_emit_events(&mut warm.store, &events).await
            })
            .await;
        match receipt {
            Ok(Ok(receipt)) => Ok(receipt.accepted),
            Ok(Err(error)) => Err(convert::emit_error(error)),
            Err(Broken { cause, reason }) => Err(EmitError {
                cause,
                status: None,
                retry: Retry::Later,
                retry_after_seconds: None,
                message: reason,
            }),
        }
    }

    /// Runs one call of a governor and keeps the instance only if it ended well.
    async fn with<T>(
        &self,
        active: Option<Active>,
        run: impl AsyncFnOnce(&mut Warm) -> wasmtime::Result<T>,
    ) -> Result<T, Broken> {
        let mut warm = self.take().await.map_err(Broken::from)?;
        warm.calls += 1;
        let state = warm.store.data_mut();
        let claim = active.as_ref().and_then(|active| active.claim.clone());
        let traced = active.as_ref().and_then(|active| active.traced.clone());
        state.egress.reset(claim, traced);
        // A governor asks once and has as long again for everything else, and each of two events may
        // wait for the log's lock. While a tool runs its own limit counts.
        let limit = (self.timeout + MARGIN + APPEND) * 2;
        let clock = Clock::new(limit);
        state.clock = Some(clock.clone());
        state.active = active;
        let result = match clock.limit(run(&mut warm)).await {
            Some(result) => result.map_err(Broken::from),
            None => Err(Broken::fault(format!(
                "the governor took longer than {limit:?}"
            ))),
        }?;
        let state = warm.store.data_mut();
        state.active = None;
        // The last of its clones ends a span.
        state.egress.reset(None, None);
        if warm.calls < CALLS_MAX {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(warm);
        }
        Ok(result)
    }

    async fn take(&self) -> wasmtime::Result<Warm> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(warm) = idle {
            return Ok(warm);
        }
        let state = GovernorState::new(&self.service, self.timeout, self.recorder.clone());
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(8 << 20);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let bindings = self.pre.instantiate_async(&mut store).await?;
        Ok(Warm {
            store,
            bindings,
            calls: 0,
        })
    }
}

fn link(engine: &Engine, component: &Component) -> wasmtime::Result<GovernorPre<GovernorState>> {
    let mut linker: Linker<GovernorState> = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    Bindings::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    let pre: InstancePre<GovernorState> = linker.instantiate_pre(component)?;
    GovernorPre::new(pre)
}

impl From<wasmtime::Error> for Broken {
    fn from(error: wasmtime::Error) -> Self {
        match error.downcast_ref::<Unusable>() {
            Some(Unusable { cause, reason }) => Self {
                cause: *cause,
                reason: reason.clone(),
            },
            None => Self::fault(format!(
                "the governor failed: {}",
                crate::tool::one_line(&error)
            )),
        }
    }
}
