//! What a governor's store holds: the policy service, the outbox, and the call it is governing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thoth_core::{Event, EventType, ToolFailure};
use wasmtime::StoreLimits;
use wasmtime::StoreLimitsBuilder;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::claim::Claim;
use super::egress::{Egress, Service};
use super::judged;
use super::members::Written;
use super::notes::Notes;
use crate::clock::Clock;
use crate::outbox::{Note, Recorder};
use crate::telemetry::Traced;

/// A governor is our own code, and small; these limits only catch a broken one.
const MEMORY_MAX: usize = 256 << 20;
const RESOURCES_MAX: usize = 1_024;

/// The tool of one governed call: its name, and the way to run it. It can be run once, by type.
pub(crate) struct Dispatch {
    pub(crate) tool: String,
    /// What the host adds to the call's events.
    pub(crate) notes: Notes,
    /// What the host adds to the questions about it.
    pub(crate) claim: Option<Claim>,
    /// Where it is in a trace.
    pub(crate) traced: Option<Traced>,
    /// Whether it was let run, in this dispatch or another of the same held call.
    pub(crate) taken: Arc<AtomicBool>,
    pub(crate) run: Box<dyn FnOnce(String) -> RunFuture + Send>,
}

pub(crate) type RunFuture =
    std::pin::Pin<Box<dyn Future<Output = Result<String, ToolFailure>> + Send>>;

/// The last event of a call, once it is known, with its facts. To append an event twice is to append it once.
pub(super) type Last = Arc<Mutex<Option<(Event, String)>>>;

pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The call that a governor is busy with.
pub(super) struct Active {
    pub(super) dispatch: Option<Dispatch>,
    pub(super) call_id: String,
    pub(super) notes: Notes,
    pub(super) claim: Option<Claim>,
    pub(super) traced: Option<Traced>,
    /// Whether the tool was started.
    pub(super) ran: Arc<AtomicBool>,
    pub(super) last: Last,
    /// Whether the log has that it began: at a resumption from before the question was first asked.
    pub(super) recorded: Arc<AtomicBool>,
    /// Whether it was let run.
    pub(super) taken: Arc<AtomicBool>,
    /// What becomes of it when it is given up before that.
    pub(super) given_up: GivenUp,
    /// What is recorded before a held call runs.
    pub(super) approval: Option<Note>,
    /// The operator's choice to run whatever the answer.
    pub(super) observe: bool,
}

/// What becomes of a held call whose question is given up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// It ends: nobody comes back to it.
    Ends,
    /// Its caller has the hold and may come back.
    StaysHeld,
}

/// The data of a governor's store.
pub(crate) struct GovernorState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    pub(super) limits: StoreLimits,
    pub(super) egress: Egress,
    pub(super) recorder: Recorder,
    pub(super) active: Option<Active>,
    /// The time limit of the call in flight.
    pub(super) clock: Option<Clock>,
}

impl GovernorState {
    pub(super) fn new(service: &Service, timeout: Duration, recorder: Recorder) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(64 << 10);
        let wasi = WasiCtx::builder()
            .env("THOTH_API_URL", service.url())
            .env("THOTH_TIMEOUT", format!("{}ms", timeout.as_millis()))
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        Self {
            wasi,
            http,
            table,
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_MAX).build(),
            egress: Egress::new(service.clone(), timeout + super::MARGIN),
            recorder,
            active: None,
            clock: None,
        }
    }

    /// Keeps an event, and remembers that the call in flight has one.
    pub(super) async fn append(
        &mut self,
        mut event: Event,
    ) -> Result<(), thoth_outbox::AppendError> {
        let active = self.active.as_mut();
        let Some(active) = active.filter(|active| active.call_id == event.call_id) else {
            return self.recorder.append(event, String::new()).await;
        };
        let written = Written::read(&event.body);
        if let (Some(traced), EventType::ToolCallPost) = (&active.traced, event.event_type) {
            traced.judged(written.as_ref().map(judged::of).unwrap_or_default());
        }
        if let Some(annotated) = active.notes.annotated(&event.body, written.as_ref()) {
            event.body = annotated;
        }
        let facts = active.notes.take_facts();
        if event.event_type == EventType::ToolCallPre {
            self.recorder.append(event, facts).await?;
        } else {
            // Who gives up from here on gives up a call that has this end.
            let last = lock(&active.last).replace((event.clone(), facts.clone()));
            // There is always room for the one end of what has begun.
            let is_first = last.is_none_or(|(last, _)| last.event_id == event.event_id);
            let began = active.recorded.load(Ordering::Acquire);
            let kept = self.recorder.append_end(event, facts, began && is_first);
            kept.await?;
        }
        active.recorded.store(true, Ordering::Release);
        Ok(())
    }
}

impl GovernorState {
    /// Records the approval of a held call before it runs.
    pub(super) async fn keep(
        &mut self,
        approval: Option<Note>,
    ) -> Result<(), thoth_outbox::AppendError> {
        match approval {
            Some(approval) => self.recorder.keep(approval).await,
            None => Ok(()),
        }
    }
}

impl WasiView for GovernorState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for GovernorState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.egress,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}
