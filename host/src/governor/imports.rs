//! What a governor may ask of its host: keep an event, and run the one tool of this call, once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use thoth_core::{Cause, FailureCause, ToolFailure};
use thoth_outbox::AppendError;

use super::bindings::thoth::governance::{outbox, tool, types};
use super::convert;
use super::state::{Active, Dispatch, GivenUp, GovernorState, lock};
use crate::clock::Clock;

impl Active {
    pub(super) fn new(
        session: &thoth_core::Session,
        call: &thoth_core::ToolCall,
        dispatch: Dispatch,
        resumed: bool,
    ) -> Self {
        Self {
            notes: dispatch.notes.clone(),
            claim: dispatch.claim.clone(),
            taken: Arc::clone(&dispatch.taken),
            traced: dispatch.traced.clone(),
            dispatch: Some(dispatch),
            call_id: call.call_id.clone(),
            ran: Arc::default(),
            last: Arc::default(),
            recorded: Arc::new(resumed.into()),
            given_up: GivenUp::Ends,
            approval: None,
            // A held call runs on an approval only, whatever the mode.
            observe: !resumed && session.mode == thoth_core::Mode::Observe,
        }
    }
}

impl types::Host for GovernorState {}

impl outbox::Host for GovernorState {
    async fn append(&mut self, event: types::Event) -> Result<(), outbox::OutboxError> {
        self.append(convert::event_in(event))
            .await
            .map_err(|error| match error {
                AppendError::Full => outbox::OutboxError::Full,
                error => outbox::OutboxError::Unavailable(error.to_string()),
            })
    }
}

impl tool::Host for GovernorState {
    /// A governor decides by name; what the tools look like is the agent's business.
    async fn list_tools(&mut self) -> Vec<tool::Definition> {
        Vec::new()
    }

    /// The host's own check on the governor: it runs what the call names, once, after an event was
    /// kept and an answer of the policy service was seen, and nothing else.
    async fn call_tool(
        &mut self,
        name: String,
        arguments: String,
    ) -> wasmtime::Result<Result<String, types::ToolFailure>> {
        let answered = self.egress.answered();
        let dispatch = self.active.as_mut().and_then(|active| {
            let recorded = active.recorded.load(Ordering::Acquire);
            let sound = recorded && (answered || active.observe);
            let dispatch = active
                .dispatch
                .take_if(|dispatch| sound && dispatch.tool == name)?;
            // What was said before is not the end of what runs now.
            lock(&active.last).take();
            Some((dispatch, active.approval.take(), Arc::clone(&active.ran)))
        });
        // What is dispatched has its own limit.
        let _parked = self.clock.as_ref().map(Clock::park);
        let result = match dispatch {
            Some((dispatch, approval, ran)) => {
                // From here on the hold is used up, whatever happens.
                if dispatch.taken.swap(true, Ordering::AcqRel) {
                    return Err(Unusable::used().into());
                }
                self.keep(approval).await.map_err(Unusable::from)?;
                ran.store(true, Ordering::Release);
                (dispatch.run)(arguments).await
            }
            None => Err(ToolFailure {
                cause: FailureCause::HostFault,
                message: "the governor asked for a run that this call does not allow".into(),
                error: None,
            }),
        };
        Ok(result.map_err(convert::failure_out))
    }
}

/// The approval of a held call that cannot be used. Nothing ran, and no governor has a say in that.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct Unusable {
    pub(super) cause: Cause,
    pub(super) reason: String,
}

impl Unusable {
    fn used() -> Self {
        Self {
            cause: Cause::InvalidHold,
            reason: "an approval is for one run, and this one is used".into(),
        }
    }
}

impl From<AppendError> for Unusable {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict(_) => Self::used(),
            error => Self {
                cause: Cause::NotRecorded,
                reason: format!("the approval cannot be recorded: {error}"),
            },
        }
    }
}
