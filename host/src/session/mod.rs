//! A session: on whose behalf calls are made, and the history they leave.

mod held;
mod run;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use thoth_core::{Cause, Decision, Evidence, Hold, Outcome, Refusal, Session as Scope, ToolCall};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use uuid::Uuid;

use self::run::{Run, UnderWay};
use crate::budget::{Budget, Spent};
use crate::calling::{CallOptions, Held};
use crate::governor::Use;
use crate::identity::Identity;
use crate::outbox::Edge;
use crate::past::Past;
use crate::runtime::Runtime;
use crate::telemetry::Traced;
use crate::tool::{Tool, Traces};

/// Calls that a session remembers, and the policy service is told of.
pub const HISTORY: usize = 128;

/// How long a hold is waited for where the policy service does not say.
pub const HOLD_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// How long the end of a session waits for the last events of calls.
const GIVEN_UP_MAX: Duration = Duration::from_secs(1);

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

    /// Ends the session: the log says so, if it began, after what calls that were given up have to say.
    /// A session that is dropped ends without that.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the end recorded or not.
    pub async fn end(self) {
        self.record_end().await;
    }

    /// As [`Self::end`], where others have the session as well and make no call any more.
    pub(crate) async fn record_end(&self) {
        if self.begun.get().is_none() {
            return;
        }
        // Other sessions may have calls under way, and those are not waited for.
        let given_up = self.runtime.governors().recorder().all_ended();
        let _elapsed = tokio::time::timeout(GIVEN_UP_MAX, given_up).await;
        // An end that is not recorded is the same as a process that was killed.
        let scope = self.now(&CallOptions::default());
        let recorder = self.runtime.governors().recorder();
        let _ = recorder.session(&scope, Edge::End, json!({})).await;
    }

    /// Lets the log say that the session begins, before its first call. A call without that would not be
    /// found when the session is resumed, nor count, so it does not run.
    async fn begin(&self) -> Result<(), String> {
        let begun = self.begun.get_or_try_init(|| async {
            let told = json!({
                "resumed": self.resumed,
                "environment": self.scope.environment,
                "intent": self.scope.intent,
            });
            let scope = self.now(&CallOptions::default());
            let recorder = self.runtime.governors().recorder();
            recorder.session(&scope, Edge::Start, told).await
        });
        match begun.await {
            Ok(()) => Ok(()),
            Err(error) => Err(format!("the session's start cannot be recorded: {error}")),
        }
    }

    /// Refuses a call that nobody is asked about, and records that.
    async fn refuse(
        &self,
        tool: &Tool,
        call: ToolCall,
        cause: Cause,
        mut why: String,
        traced: Traced,
    ) -> Call {
        let recorder = self.runtime.governors().recorder();
        let event = recorder.refused(&self.now(&CallOptions::default()), &call, cause, &why);
        if let Err(error) = recorder.append(event, String::new()).await {
            why = format!("{why} (and that could not be recorded: {error})");
        }
        let outcome = refused(cause, why);
        traced.came_to(&outcome);
        let unused = Use::new(tool.sha256());
        self.report(tool, call, outcome, &Mutex::default(), (unused, traced))
    }

    /// Refuses a call of a session whose start is not recorded, so that it could not be recorded either.
    fn unrecorded(&self, tool: &Tool, call: ToolCall, why: String, traced: Traced) -> Call {
        let outcome = refused(Cause::NotRecorded, why);
        traced.came_to(&outcome);
        let unused = (Use::new(tool.sha256()), traced);
        self.report(tool, call, outcome, &Mutex::default(), unused)
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
    /// about to be decided stays in the log, and what the tool used is taken from the budget.
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
        let traced = self.traced(&options, &call);
        if let Err(why) = self.begin().await {
            return Ok(self.unrecorded(tool, call, why, traced));
        }
        if let Err(why) = self.spent.ask(&self.budget) {
            return Ok(self.refuse(tool, call, Cause::Budget, why, traced).await);
        }
        let scope = self.now(&options);
        let taken = Arc::default();
        let told = options.onlookers(traced.clone());
        let run = Run::new(&self.runtime, tool, &scope, &call, &value, taken, told);
        let under_way = UnderWay::new(self, &run);
        let governors = self.runtime.governors();
        let used = Use::new(tool.sha256());
        let dispatch = run.dispatch(used.announce());
        let outcome = governors.wrap_tool(&scope, &call, dispatch).await;
        traced.came_to(&outcome);
        Ok(self.report(tool, call, outcome, under_way.traces(), (used, traced)))
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

    /// A call's place in a trace, which begins here.
    fn traced(&self, options: &CallOptions, call: &ToolCall) -> Traced {
        let telemetry = &self.runtime.0.telemetry;
        Traced::call(telemetry, options.trace_parent.as_ref(), &self.scope, call)
    }

    /// What a caller gets. `kept` is what a held call comes back with.
    fn report(
        &self,
        tool: &Tool,
        call: ToolCall,
        outcome: Outcome,
        traces: &Mutex<Option<Traces>>,
        kept: (Use, Traced),
    ) -> Call {
        let (used, traced) = kept;
        let pending = match &outcome {
            Outcome::Pending(hold) => Some(Pending {
                tool: tool.clone(),
                call: call.clone(),
                held: Held {
                    sha256: tool.sha256().into(),
                    name: call.tool.clone(),
                    call_id: call.call_id.clone(),
                    hold: hold.clone(),
                    expires: Instant::now() + patience(hold),
                    taken: Arc::default(),
                    used,
                    traced,
                },
            }),
            Outcome::Completed(_) | Outcome::Failed(_) | Outcome::Refused(_) => None,
        };
        let traces = traces.lock().unwrap_or_else(PoisonError::into_inner).take();
        // There are some if the tool ran, well or not.
        if let Some(traces) = &traces {
            self.remember(&call.tool);
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

    /// Notes in the history that a tool ran.
    fn remember(&self, tool: &str) {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        remember(&mut history, tool);
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

/// Adds to a history, which keeps the last [`HISTORY`].
pub(crate) fn remember(history: &mut VecDeque<String>, tool: &str) {
    history.push_back(tool.to_owned());
    if history.len() > HISTORY {
        history.pop_front();
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

/// What comes of a call that the host refuses.
fn refused(cause: Cause, reason: String) -> Outcome {
    Outcome::Refused(Refusal {
        cause,
        reason,
        retry_after_seconds: None,
        evidence: Evidence::default(),
    })
}

/// How long a hold lasts from when it began.
pub(crate) fn patience(hold: &Hold) -> Duration {
    hold.timeout_seconds
        .map_or(HOLD_TIMEOUT, |seconds| Duration::from_secs(seconds.into()))
}
