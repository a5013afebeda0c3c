//! One run of a tool on behalf of a session, if the governor comes to that.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use thoth_core::{FailureCause, Session as Scope, ToolCall, ToolFailure};
use tokio::time::Instant;

use crate::calling::{Onlookers, Stage};
use crate::clock::Clock;
use crate::effects::CallEffects;
use crate::governor::{Claim, Dispatch, Notes};
use crate::outbox::quoted_digest;
use crate::runtime::Runtime;
use crate::session::Session;
use crate::tool::{Surroundings, Tool, Traces};

/// One run of a tool, if it comes to that.
pub(super) struct Run {
    tool: Tool,
    function: String,
    /// SHA-256 of the arguments as they were asked for, in quotes.
    asked: Arc<str>,
    /// What the log keeps of them.
    kept: Option<String>,
    /// Whether the call has run already, in another copy of it.
    taken: Arc<AtomicBool>,
    traces: Arc<Mutex<Option<Traces>>>,
    around: Surroundings,
    told: Onlookers,
}

impl Run {
    pub(super) fn new(
        runtime: &Runtime,
        tool: &Tool,
        scope: &Arc<Scope>,
        call: &ToolCall,
        asked: &Value,
        taken: Arc<AtomicBool>,
        told: Onlookers,
    ) -> Self {
        told.tell(Stage::Deciding);
        let clock = Clock::new(tool.time());
        let effects = Arc::new(CallEffects::new(
            runtime.clone(),
            Arc::clone(scope),
            call.call_id.clone(),
            call.tool.clone(),
            tool.sha256().to_owned(),
            clock.clone(),
            told.clone(),
        ));
        Self {
            tool: tool.clone(),
            function: call.tool.clone(),
            asked: quoted_digest(&thoth_core::json::canonical(asked)).into(),
            kept: tool.keeper().kept(asked),
            taken,
            traces: Arc::default(),
            around: Surroundings {
                clock,
                effects: Some(effects),
            },
            told,
        }
    }

    /// The way to run it, once, with the arguments that the governor hands over.
    pub(super) fn dispatch(mut self, claim: Claim) -> Dispatch {
        let notes = Notes::default();
        notes.fact("arguments_sha256", Arc::clone(&self.asked));
        notes.fact("tool", Arc::clone(self.tool.facts()));
        if let Some(kept) = self.kept.take() {
            notes.fact("arguments", kept);
        }
        let noted = notes.clone();
        Dispatch {
            tool: self.function.clone(),
            notes,
            claim: Some(claim),
            traced: Some(self.told.traced.clone()),
            taken: Arc::clone(&self.taken),
            run: Box::new(move |arguments| {
                Box::pin(async move { self.run(&arguments, &noted).await })
            }),
        }
    }

    async fn run(self, arguments: &str, notes: &Notes) -> Result<String, ToolFailure> {
        let failure = |cause, message: String| ToolFailure {
            cause,
            message,
            error: None,
        };
        let ran = quoted_digest(arguments);
        if *ran != *self.asked {
            notes.fact("ran_arguments_sha256", ran);
        }
        let arguments = thoth_core::json::parse_canonical(arguments).map_err(|error| {
            let why = format!("the arguments are not usable: {error}");
            failure(FailureCause::InvalidArguments, why)
        })?;
        let around = self.around;
        // Until now it waited for a decision, which has its own deadline.
        around.clock.restart(self.tool.time());
        self.told.tell(Stage::Running);
        let mut running = Running {
            begun: Instant::now(),
            entered: true,
            traces: Traces::default(),
            notes,
            left: &self.traces,
        };
        let result = (self.tool)
            .run(&self.function, &arguments, around, &mut running.traces)
            .await;
        running.entered = !result.as_ref().is_err_and(|failure| {
            matches!(
                failure.cause,
                FailureCause::UnknownTool | FailureCause::InvalidArguments
            )
        });
        drop(running);
        self.told.tell(Stage::Ended);
        let result = result?;
        if let Some(kept) = self.tool.keeper().kept(&result) {
            notes.fact("result", kept);
        }
        let result = result.to_string();
        notes.fact("result_sha256", quoted_digest(&result));
        Ok(result)
    }
}

/// A tool that runs. When it ends, and where its call is given up, it leaves what it used.
struct Running<'a> {
    begun: Instant,
    /// Not where the arguments did not fit: nothing of the tool was touched then.
    entered: bool,
    traces: Traces,
    notes: &'a Notes,
    left: &'a Mutex<Option<Traces>>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.entered {
            return;
        }
        let mut traces = std::mem::take(&mut self.traces);
        traces.usage.wall = self.begun.elapsed();
        self.notes.set("usage", traces.usage.canonical());
        tracing::debug!(usage = ?traces.usage, "the tool ended");
        if traces.masked {
            self.notes.set("masked", "true".into());
        }
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(traces);
    }
}

/// A call under way. Where it is given up, what its tool used counts all the same, and so does that it ran.
pub(super) struct UnderWay<'a> {
    session: &'a Session,
    tool: String,
    traces: Arc<Mutex<Option<Traces>>>,
}

impl<'a> UnderWay<'a> {
    /// To be made before the future of the call, which is then dropped first.
    pub(super) fn new(session: &'a Session, run: &Run) -> Self {
        Self {
            session,
            tool: run.function.clone(),
            traces: Arc::clone(&run.traces),
        }
    }

    /// What the tool used and said, if it ran, for the report of a call that has come to its end.
    pub(super) fn traces(&self) -> &Mutex<Option<Traces>> {
        &self.traces
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        // A report has taken them.
        if let Some(traces) = traces.take() {
            self.session.spent.add(&traces.usage);
            self.session.remember(&self.tool);
        }
    }
}
