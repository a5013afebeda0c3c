//! One governed thing on its way through a trace: a call, or an effect of one.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::trace::{SpanKind, Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use thoth_core::{Evidence, Outcome, Session, ToolCall};

use super::{Place, Telemetry, cut, figures, parent};
use crate::calling::TraceParent;

/// Its span, over all of its resumptions, and what it counts for. Clones are the same one; the last of
/// them ends the span, if nothing did before.
#[derive(Clone)]
pub(crate) struct Traced(Arc<Inner>);

struct Inner {
    telemetry: Arc<Telemetry>,
    span: Context,
    kind: Kind,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Call,
    Effect,
}

struct State {
    /// The span of the waiting for a human, and when it began.
    approval: Option<(Context, Instant)>,
    judged: Judged,
    began: Instant,
    waited: Duration,
    ended: bool,
}

/// What the last event of something that ran says of its decision.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) verdict: Option<&'static str>,
    pub(crate) code: Option<String>,
    pub(crate) violation: Option<String>,
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traced")
    }
}

impl Traced {
    /// A call begins, in the trace that its caller names or in the one that is active here.
    pub(crate) fn call(
        telemetry: &Arc<Telemetry>,
        named: Option<&TraceParent>,
        session: &Session,
        call: &ToolCall,
    ) -> Self {
        let name = format!("execute_tool {}", cut(&call.tool));
        let span = telemetry.begin(&parent(named), name, SpanKind::Internal, || {
            vec![
                KeyValue::new("gen_ai.operation.name", "execute_tool"),
                KeyValue::new("gen_ai.tool.name", cut(&call.tool)),
                KeyValue::new("gen_ai.tool.type", "function"),
                KeyValue::new("gen_ai.tool.call.id", cut(&call.call_id)),
                KeyValue::new("gen_ai.agent.id", cut(&session.agent_id)),
                KeyValue::new("thoth.session_id", cut(&session.session_id)),
                KeyValue::new("thoth.tenant_id", cut(&session.tenant_id)),
                KeyValue::new("thoth.mode", session.mode.as_str()),
            ]
        });
        Self::new(Arc::clone(telemetry), span, Kind::Call)
    }

    /// An effect of it begins. `server` is the host and the port that a request goes to.
    pub(crate) fn effect(
        &self,
        name: &'static str,
        call_id: &str,
        server: Option<(&str, u16)>,
    ) -> Self {
        let kind = match server {
            Some(_) => SpanKind::Client,
            None => SpanKind::Internal,
        };
        let span = self.0.telemetry.begin(&self.0.span, name, kind, || {
            let mut attributes = vec![KeyValue::new("thoth.effect.id", cut(call_id))];
            if let Some((host, port)) = server {
                attributes.push(KeyValue::new("server.address", cut(host)));
                attributes.push(KeyValue::new("server.port", i64::from(port)));
            }
            attributes
        });
        Self::new(Arc::clone(&self.0.telemetry), span, Kind::Effect)
    }

    fn new(telemetry: Arc<Telemetry>, span: Context, kind: Kind) -> Self {
        Self(Arc::new(Inner {
            telemetry,
            span,
            kind,
            state: Mutex::new(State {
                approval: None,
                judged: Judged::default(),
                began: Instant::now(),
                waited: Duration::ZERO,
                ended: false,
            }),
        }))
    }

    /// Where it is in the trace, for what it sends.
    pub(crate) fn place(&self) -> Place {
        Place::of(self.0.span.span().span_context())
    }

    /// The policy service is asked: about the thing, or about its hold, which makes no span of its own.
    pub(crate) fn ask(&self) -> Asking {
        let telemetry = Arc::clone(&self.0.telemetry);
        let held = self
            .0
            .state()
            .approval
            .as_ref()
            .map(|(span, _)| span.clone());
        let is_first = held.is_none();
        let span = held.unwrap_or_else(|| {
            telemetry.begin(&self.0.span, "enforce", SpanKind::Client, Vec::new)
        });
        Asking {
            telemetry,
            span,
            is_first,
            began: Instant::now(),
        }
    }

    /// What its last event says of the decision.
    pub(crate) fn judged(&self, judged: Judged) {
        self.0.state().judged = judged;
    }

    /// It waits for a human, and has waited before: nothing is counted.
    pub(crate) fn held(&self) {
        let mut state = self.0.state();
        if state.approval.is_none() {
            let telemetry = &self.0.telemetry;
            let span = telemetry.begin(&self.0.span, "approval", SpanKind::Internal, Vec::new);
            state.approval = Some((span, Instant::now()));
        }
    }

    /// What came of it, which for a hold is not the end.
    pub(crate) fn came_to(&self, outcome: &Outcome) {
        let inner = &*self.0;
        let figures = &inner.telemetry.figures;
        if let Outcome::Pending(hold) = outcome {
            if inner.state().approval.is_none() {
                figures.decided(inner.kind.word(), "step_up", outcome);
                self.held();
                // The token opens the hold to whoever has it.
                let digest = thoth_core::json::digest(&hold.token);
                let span = inner.span.span();
                span.set_attribute(KeyValue::new("thoth.hold.sha256", digest));
            }
            return;
        }
        let mut state = inner.state();
        if std::mem::replace(&mut state.ended, true) {
            return;
        }
        state.close_approval();
        let judged = std::mem::take(&mut state.judged);
        let took = state.began.elapsed().saturating_sub(state.waited);
        drop(state);
        let verdict = figures::verdict(outcome, judged.verdict);
        figures.decided(inner.kind.word(), verdict, outcome);
        let word = figures::word(outcome);
        if inner.kind == Kind::Call {
            figures.called(took, word);
        }
        let span = inner.span.span();
        if span.is_recording() {
            span.set_attribute(KeyValue::new("thoth.outcome", word));
            span.set_attribute(KeyValue::new("thoth.verdict", verdict));
            let (error, evidence) = match outcome {
                Outcome::Refused(refusal) => {
                    let cause = refusal.cause.as_str();
                    span.set_attribute(KeyValue::new("thoth.cause", cause));
                    (Some(cause), Some(&refusal.evidence))
                }
                Outcome::Failed(failure) => (Some(failure.cause.as_str()), None),
                Outcome::Completed(_) | Outcome::Pending(_) => (None, None),
            };
            let Evidence {
                reason_code,
                violation_id,
                ..
            } = evidence.cloned().unwrap_or_else(|| Evidence {
                reason_code: judged.code,
                violation_id: judged.violation,
                ..Evidence::default()
            });
            for (name, value) in [
                ("thoth.reason_code", reason_code),
                ("thoth.violation_id", violation_id),
            ] {
                if let Some(value) = value {
                    span.set_attribute(KeyValue::new(name, cut(&value)));
                }
            }
            inner.fail(error);
        }
        span.end();
    }

    /// An effect that the grant alone decides about has ended, with an error or not: it counts for no
    /// decision.
    pub(crate) fn done(&self, error: Option<&'static str>) {
        if !std::mem::replace(&mut self.0.state().ended, true) {
            let span = self.0.span.span();
            let outcome = error.map_or("completed", |_| "failed");
            span.set_attribute(KeyValue::new("thoth.outcome", outcome));
            self.0.fail(error);
            span.end();
        }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: Option<&'static str>) {
        if let Some(error) = error {
            let span = self.span.span();
            span.set_attribute(KeyValue::new("error.type", error));
            span.set_status(Status::error(error));
        }
    }
}

impl State {
    fn close_approval(&mut self) {
        if let Some((span, began)) = self.approval.take() {
            self.waited += began.elapsed();
            span.span().end();
        }
    }
}

impl Drop for Inner {
    /// It was given up, or nobody has come back to its hold.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return;
        }
        let outcome = match state.approval {
            Some(_) => "pending",
            None => "given_up",
        };
        state.close_approval();
        let span = self.span.span();
        span.set_attribute(KeyValue::new("thoth.outcome", outcome));
        span.end();
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Effect => "effect",
        }
    }
}

/// A question to the policy service that is under way.
pub(crate) struct Asking {
    telemetry: Arc<Telemetry>,
    span: Context,
    is_first: bool,
    began: Instant,
}

impl Asking {
    /// Where it is in the trace, for the request.
    pub(crate) fn place(&self) -> Place {
        Place::of(self.span.span().span_context())
    }

    /// It was answered with this status.
    pub(crate) fn answered(self, status: u16) {
        let span = self.span.span();
        if self.is_first {
            let status = KeyValue::new("http.response.status_code", i64::from(status));
            span.set_attribute(status);
        }
        let is_answer = status == 200;
        self.end((!is_answer).then_some("status"));
    }

    /// It was not answered.
    pub(crate) fn failed(self, why: &'static str) {
        self.end(Some(why));
    }

    fn end(self, error: Option<&'static str>) {
        if !self.is_first {
            return;
        }
        self.telemetry.figures.asked(self.began.elapsed(), error);
        let span = self.span.span();
        if let Some(error) = error {
            span.set_attribute(KeyValue::new("error.type", error));
            span.set_status(Status::error(error));
        }
        span.end();
    }
}
