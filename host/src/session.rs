//! A session: on whose behalf calls are made, and the history they leave.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use thoth_core::arguments::Arguments;
use thoth_core::{
    Cause, Decision, Evidence, FailureCause, Outcome, Refusal, Session as Scope, ToolCall,
    ToolFailure,
};
use thoth_outbox::AppendError;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use uuid::Uuid;

use crate::budget::{Budget, Spent};
use crate::calling::{CallOptions, Held, Stage};
use crate::clock::Clock;
use crate::effects::CallEffects;
use crate::governor::{Claim, Dispatch, Notes, Use};
use crate::identity::Identity;
use crate::kept_hold::KeptHold;
use crate::outbox::{Note, quoted_digest};
use crate::past::Past;
use crate::runtime::Runtime;
use crate::tool::{Ran, Surroundings, Tool, Traces};

/// Calls that a session remembers, and the policy service is told of.
pub const HISTORY: usize = 128;

/// How long a hold is waited for where the policy service does not say.
pub const HOLD_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Between two questions about a hold: this long at first, then longer, up to [`POLL_MAX`].
pub(crate) const POLL_MIN: Duration = Duration::from_millis(250);
pub(crate) const POLL_MAX: Duration = Duration::from_secs(5);

/// One history of governed calls. Calls may run at the same time; history is kept in the order in
/// which they end.
///
/// ```no_run
/// # async fn example(runtime: thoth_host::Runtime, tool: thoth_host::Tool)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let session = runtime.session(thoth_host::Identity::new("acme", "bot").user("sam"));
/// let call = session.call(&tool, "read_doc", r#"{"path": "handbook/leave.md"}"#).await?;
/// // A call that a human must approve comes back at once, and can be waited for.
/// let call = session.wait(call, None).await;
/// println!("{:?}", call.outcome);
/// # Ok(()) }
/// ```
pub struct Session {
    runtime: Runtime,
    scope: Scope,
    history: Mutex<VecDeque<String>>,
    budget: Budget,
    spent: Spent,
    resumed: bool,
    /// Set once the log says that it began.
    begun: OnceCell<()>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("session_id", &self.scope.session_id)
            .finish_non_exhaustive()
    }
}

/// A governed call and what came of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Call {
    /// The call's id, the same over all resumptions.
    pub call_id: String,
    /// The session's id.
    pub session_id: String,
    /// The tool's name.
    pub tool: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What it used and said, if it ran.
    pub traces: Option<Traces>,
    pending: Option<Pending>,
}

/// What it takes to come back to a held call.
#[derive(Debug, Clone)]
struct Pending {
    tool: Tool,
    call: ToolCall,
    held: Held,
}

impl Call {
    /// What it takes to come back to the call, if it is held, for a caller that keeps its arguments.
    pub fn held(&self) -> Option<&Held> {
        self.pending.as_ref().map(|pending| &pending.held)
    }
}

/// A call that was not made: its arguments are the caller's mistake, and nobody was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The arguments are not JSON within the profile (RFC 7493), or not an object.
    #[error("the arguments are not usable JSON: {0}")]
    Json(String),
    /// The arguments do not fit the tool's parameters, and where.
    #[error("{0}")]
    Arguments(String),
    /// It came back to a hold that is for another tool.
    #[error("this hold is for another tool")]
    OtherTool,
    /// There is no held call to go on with, or it is another one.
    #[error("the hold cannot be used for this: {0}")]
    Hold(String),
}

impl Session {
    pub(crate) fn new(runtime: Runtime, identity: Identity, past: Past, resumed: bool) -> Self {
        Self {
            runtime,
            scope: identity.into_scope(),
            history: Mutex::new(past.history),
            budget: Budget::default(),
            spent: Spent::new(past.spent),
            resumed,
            begun: OnceCell::new(),
        }
    }

    /// The same with a budget over all of its calls. A call beyond it is refused with the cause
    /// `budget`.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Ends the session: the log says so, if it began. A session that is dropped ends without that.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the end recorded or not.
    pub async fn end(self) {
        if self.begun.get().is_some() {
            // An end that is not recorded is the same as a process that was killed.
            let _ = self.note("SESSION_END", json!({})).await;
        }
    }

    /// Lets the log say that the session begins, before its first call. If that cannot be recorded the
    /// call cannot be either, which refuses it.
    async fn begin(&self) {
        let begun = self.begun.get_or_try_init(|| async {
            let told = json!({
                "resumed": self.resumed,
                "environment": self.scope.environment,
                "intent": self.scope.intent,
            });
            self.note("SESSION_START", told).await
        });
        let _ = begun.await;
    }

    async fn note(&self, kind: &'static str, told: Value) -> Result<(), AppendError> {
        let note = Note::new(kind, &self.scope, None, told);
        self.runtime.governors().recorder().keep(note).await
    }

    /// Refuses a call that the budget has no room for, and records that.
    async fn over_budget(&self, tool: &Tool, call: ToolCall, mut why: String) -> Call {
        let recorder = self.runtime.governors().recorder();
        let event = recorder.refused(
            &self.now(&CallOptions::default()),
            &call,
            Cause::Budget,
            &why,
        );
        if let Err(error) = recorder.append(event, String::new()).await {
            why = format!("{why} (and that could not be recorded: {error})");
        }
        let refusal = Refusal {
            cause: Cause::Budget,
            reason: why,
            retry_after_seconds: None,
            evidence: Evidence::default(),
        };
        let unused = Use::new(tool.sha256());
        self.report(
            tool,
            call,
            Outcome::Refused(refusal),
            &Mutex::default(),
            unused,
        )
    }

    /// The session's id.
    pub fn id(&self) -> &str {
        &self.scope.session_id
    }

    /// Tenant, agent and user, apart from each other.
    pub(crate) fn principal(&self) -> String {
        let scope = &self.scope;
        serde_json::json!([scope.tenant_id, scope.agent_id, scope.user_id]).to_string()
    }

    /// Names of the tools that ran in this session, oldest first, at most [`HISTORY`].
    pub fn history(&self) -> Vec<String> {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        history.iter().cloned().collect()
    }

    /// One governed call. `arguments` is a JSON object with a member for each parameter.
    ///
    /// # Errors
    /// The arguments are not JSON or do not fit the tool. Everything after that is an [`Outcome`].
    ///
    /// # Cancel safety
    /// Dropping the future stops the tool and discards the governor. The event that the call was
    /// about to be decided stays in the log.
    pub async fn call(&self, tool: &Tool, name: &str, arguments: &str) -> Result<Call, CallError> {
        self.call_as(tool, name, arguments, Uuid::new_v4().to_string())
            .await
    }

    /// As [`Self::call`], with a call id of the caller's: `action_attestation_id` on the wire.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_as(
        &self,
        tool: &Tool,
        name: &str,
        arguments: &str,
        call_id: String,
    ) -> Result<Call, CallError> {
        let options = CallOptions::new().call_id(call_id);
        self.call_with(tool, name, arguments, options).await
    }

    /// As [`Self::call`], with what the caller says about it.
    ///
    /// # Errors
    /// As [`Self::call`].
    ///
    /// # Cancel safety
    /// As [`Self::call`].
    pub async fn call_with(
        &self,
        tool: &Tool,
        name: &str,
        arguments: &str,
        mut options: CallOptions,
    ) -> Result<Call, CallError> {
        let call_id = options.call_id.take();
        let (call, value) = checked(tool, name, arguments, call_id)?;
        self.begin().await;
        if let Err(why) = self.spent.ask(&self.budget) {
            return Ok(self.over_budget(tool, call, why).await);
        }
        let scope = self.now(&options);
        let taken = Arc::default();
        let run = Run::new(&self.runtime, tool, &scope, &call, &value, taken, options);
        let traces = Arc::clone(&run.traces);
        let governors = self.runtime.governors();
        let used = Use::new(tool.sha256());
        let dispatch = run.dispatch(used.announce());
        let outcome = governors.wrap_tool(&scope, &call, dispatch).await;
        Ok(self.report(tool, call, outcome, &traces, used))
    }

    /// Asks the policy service about a call without making it, and without an event.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn enforce(
        &self,
        tool: &Tool,
        name: &str,
        arguments: &str,
    ) -> Result<Decision, CallError> {
        let (call, _) = checked(tool, name, arguments, None)?;
        let scope = self.now(&CallOptions::default());
        Ok(self.runtime.governors().enforce(&scope, &call).await)
    }

    /// Goes on with a call that this session's log has as held, made by a process that has ended: asks
    /// once about it, as [`Self::resume`] does. Tool and arguments must be those that were held.
    ///
    /// An enforcer that knows claims, as the embedded one does, gives an approval to one process only;
    /// with another one, two processes must not pick up the same call at the same time.
    ///
    /// # Errors
    /// As [`Self::call`], and if the log has no such hold, it is for another call, or that has ended.
    pub async fn pick_up(
        &self,
        tool: &Tool,
        name: &str,
        arguments: &str,
        token: &str,
    ) -> Result<Call, CallError> {
        let (outbox, session, wanted) = (
            self.runtime.0.outbox.clone(),
            self.id().to_owned(),
            token.to_owned(),
        );
        let found = crate::tool::blocking(move || {
            let archive = outbox.archive().map_err(|error| error.to_string());
            Ok(archive.and_then(|archive| KeptHold::find(&archive, &session, &wanted)))
        });
        let found = found.await.map_err(|error| error.to_string());
        let kept = found.and_then(|found| found).map_err(CallError::Hold)?;
        if kept.tool != name {
            let why = format!("it is for the tool `{}`", kept.tool);
            return Err(CallError::Hold(why));
        }
        let hold = kept.hold;
        let (call, _) = checked(tool, name, arguments, Some(hold.call_id.clone()))?;
        let digest = Arguments::parse(arguments).map(|read| read.digest(&self.scope, &call));
        if digest.as_ref() != Ok(&hold.digest) {
            return Err(CallError::Hold("it is for other arguments".into()));
        }
        self.begin().await;
        let used = Use::new(tool.sha256());
        let pending = Outcome::Pending(hold);
        Ok(self
            .resume(self.report(tool, call, pending, &Mutex::default(), used))
            .await)
    }

    /// Asks once about a held call, and runs it if it was approved. A call that is not pending
    /// comes back as it is.
    pub async fn resume(&self, call: Call) -> Call {
        match call.pending.clone() {
            Some(pending) => self.ask(pending, CallOptions::default()).await,
            None => call,
        }
    }

    /// Asks once about a held call of this session, and runs it if it was approved. The arguments must
    /// be those that were held: a hold is for their digest, and anything else is refused.
    ///
    /// # Errors
    /// As [`Self::call`], and if the tool is not the one that was held.
    ///
    /// # Cancel safety
    /// As [`Self::call`]; a hold whose run had begun is used up.
    pub async fn resume_held(
        &self,
        tool: &Tool,
        name: &str,
        arguments: &str,
        held: &Held,
        options: CallOptions,
    ) -> Result<Call, CallError> {
        if held.sha256 != tool.sha256() || held.name != name {
            return Err(CallError::OtherTool);
        }
        let (call, _) = checked(tool, name, arguments, Some(held.call_id.clone()))?;
        let mut held = held.clone();
        if Instant::now() >= held.expires {
            // The last question: who is still undecided then never will be.
            held.hold.timeout_seconds = Some(0);
        }
        let tool = tool.clone();
        Ok(self.ask(Pending { tool, call, held }, options).await)
    }

    /// Asks about a held call until it is decided, its hold expires, or `limit` is over: then it
    /// comes back as pending still. `None` waits for as long as the hold lasts, after which the
    /// call is refused as expired.
    pub async fn wait(&self, mut call: Call, limit: Option<Duration>) -> Call {
        let given_up = limit.map(|limit| Instant::now() + limit);
        let mut pause = POLL_MIN;
        while let Some(mut pending) = call.pending.clone() {
            let now = Instant::now();
            if given_up.is_some_and(|end| now >= end) {
                break;
            }
            let expires = pending.held.expires;
            if now >= expires {
                // The last question: who is still undecided then never will be.
                pending.held.hold.timeout_seconds = Some(0);
                call = self.ask(pending, CallOptions::default()).await;
                break;
            }
            let end = given_up.map_or(expires, |end| end.min(expires));
            tokio::time::sleep_until((now + pause).min(end)).await;
            pause = (pause * 2).min(POLL_MAX);
            call = self.ask(pending, CallOptions::default()).await;
        }
        call
    }

    async fn ask(&self, pending: Pending, options: CallOptions) -> Call {
        let Pending { tool, call, held } = pending;
        let scope = self.now(&options);
        // As they were held: the governor refuses others.
        let asked = thoth_core::json::parse(call.arguments.as_bytes()).unwrap_or_default();
        let taken = Arc::clone(&held.taken);
        let run = Run::new(&self.runtime, &tool, &scope, &call, &asked, taken, options);
        let traces = Arc::clone(&run.traces);
        let governors = self.runtime.governors();
        let dispatch = run.dispatch(held.used.claim(&scope, &call));
        let outcome = governors.resume(&scope, &call, &held.hold, dispatch).await;
        let mut report = self.report(&tool, call, outcome, &traces, held.used);
        if let Some(again) = &mut report.pending {
            again.held.expires = held.expires;
            again.held.taken = held.taken;
        }
        report
    }

    fn report(
        &self,
        tool: &Tool,
        call: ToolCall,
        outcome: Outcome,
        traces: &Mutex<Option<Traces>>,
        used: Use,
    ) -> Call {
        if ran(&outcome) {
            let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
            history.push_back(call.tool.clone());
            while history.len() > HISTORY {
                history.pop_front();
            }
        }
        let pending = match &outcome {
            Outcome::Pending(hold) => Some(Pending {
                tool: tool.clone(),
                call: call.clone(),
                held: Held {
                    sha256: tool.sha256().into(),
                    name: call.tool.clone(),
                    call_id: call.call_id.clone(),
                    hold: hold.clone(),
                    expires: Instant::now()
                        + hold
                            .timeout_seconds
                            .map_or(HOLD_TIMEOUT, |seconds| Duration::from_secs(seconds.into())),
                    taken: Arc::default(),
                    used,
                },
            }),
            Outcome::Completed(_) | Outcome::Failed(_) | Outcome::Refused(_) => None,
        };
        let traces = traces.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(traces) = &traces {
            self.spent.add(&traces.usage);
        }
        Call {
            call_id: call.call_id,
            session_id: self.scope.session_id.clone(),
            tool: call.tool,
            outcome,
            traces,
            pending,
        }
    }

    /// The session as it is now, with its history and the call's trace.
    fn now(&self, options: &CallOptions) -> Arc<Scope> {
        let mut scope = self.scope.clone();
        scope.history = self.history();
        if let Some(parent) = &options.trace_parent {
            scope.metadata = parent.within(scope.metadata);
        }
        Arc::new(scope)
    }
}

/// A call whose arguments fit the tool, and those.
fn checked(
    tool: &Tool,
    name: &str,
    arguments: &str,
    call_id: Option<String>,
) -> Result<(ToolCall, Value), CallError> {
    let value = thoth_core::json::parse(arguments.as_bytes())
        .map_err(|error| CallError::Json(error.to_string()))?;
    tool.check(name, &value).map_err(CallError::Arguments)?;
    let call = ToolCall {
        call_id: call_id.unwrap_or_else(|| Uuid::new_v4().to_string()),
        tool: name.into(),
        arguments: arguments.into(),
    };
    Ok((call, value))
}

/// Whether the tool ran, well or not: that is what history records.
fn ran(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Completed(_) => true,
        Outcome::Failed(failure) => !matches!(
            failure.cause,
            FailureCause::UnknownTool | FailureCause::InvalidArguments
        ),
        Outcome::Refused(_) | Outcome::Pending(_) => false,
    }
}

/// One run of a tool, if it comes to that.
struct Run {
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
    options: CallOptions,
}

impl Run {
    fn new(
        runtime: &Runtime,
        tool: &Tool,
        scope: &Arc<Scope>,
        call: &ToolCall,
        asked: &Value,
        taken: Arc<AtomicBool>,
        options: CallOptions,
    ) -> Self {
        options.tell(Stage::Deciding);
        let clock = Clock::new(tool.time());
        let effects = Arc::new(CallEffects::new(
            runtime.clone(),
            Arc::clone(scope),
            call.call_id.clone(),
            call.tool.clone(),
            tool.sha256().to_owned(),
            clock.clone(),
            options.clone(),
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
            options,
        }
    }

    /// The way to run it, once, with the arguments that the governor hands over.
    fn dispatch(mut self, claim: Claim) -> Dispatch {
        let notes = Notes::default();
        notes.fact("arguments_sha256", Arc::clone(&self.asked));
        notes.fact("tool", Arc::clone(self.tool.facts()));
        if let Some(kept) = self.kept.take() {
            notes.fact("arguments", kept);
        }
        let told = notes.clone();
        Dispatch {
            tool: self.function.clone(),
            notes,
            claim: Some(claim),
            run: Box::new(move |arguments| {
                Box::pin(async move { self.run(&arguments, &told).await })
            }),
        }
    }

    async fn run(self, arguments: &str, notes: &Notes) -> Result<String, ToolFailure> {
        let failure = |cause, message: String| ToolFailure {
            cause,
            message,
            error: None,
        };
        if self.taken.swap(true, Ordering::AcqRel) {
            let again = "this held call has run already".into();
            return Err(failure(FailureCause::HostFault, again));
        }
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
        self.options.tell(Stage::Running);
        let Ran { result, traces } = self.tool.run(&self.function, &arguments, around).await;
        self.options.tell(Stage::Ended);
        notes.set("usage", traces.usage.to_json());
        tracing::debug!(tool = self.function, usage = ?traces.usage, "the tool ended");
        if traces.masked {
            notes.set("masked", true.into());
        }
        *self.traces.lock().unwrap_or_else(PoisonError::into_inner) = Some(traces);
        let result = result?;
        if let Some(kept) = self.tool.keeper().kept(&result) {
            notes.fact("result", kept);
        }
        let result = result.to_string();
        notes.fact("result_sha256", quoted_digest(&result));
        Ok(result)
    }
}
