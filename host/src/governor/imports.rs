//! What a governor may ask of its host: keep an event, and run the one tool of this call, once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use thoth_core::{FailureCause, ToolFailure};
use thoth_outbox::AppendError;

use super::bindings::thoth::governance::{outbox, tool, types};
use super::convert;
use super::state::{Active, Dispatch, GovernorState, lock};
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
            traced: dispatch.traced.clone(),
            dispatch: Some(dispatch),
            call_id: call.call_id.clone(),
            ran: Arc::default(),
            last: Arc::default(),
            recorded: Arc::new(resumed.into()),
            ends: Arc::new(true.into()),
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
    ) -> Result<String, types::ToolFailure> {
        let answered = self.egress.answered();
        let dispatch = self.active.as_mut().and_then(|active| {
            let recorded = active.recorded.load(Ordering::Acquire);
            let sound = recorded && (answered || active.observe);
            let dispatch = active
                .dispatch
                .take_if(|dispatch| sound && dispatch.tool == name)?;
            active.ends.store(true, Ordering::Release);
            // What was said before is not the end of what runs now.
            lock(&active.last).take();
            Some((dispatch, active.approval.take(), Arc::clone(&active.ran)))
        });
        // What is dispatched has its own limit.
        let _parked = self.clock.as_ref().map(Clock::park);
        let result = match dispatch {
            Some((dispatch, approval, ran)) => match self.keep(approval).await {
                Ok(()) => {
                    ran.store(true, Ordering::Release);
                    (dispatch.run)(arguments).await
                }
                Err(error) => Err(unusable(&error)),
            },
            None => Err(ToolFailure {
                cause: FailureCause::HostFault,
                message: "the governor asked for a run that this call does not allow".into(),
                error: None,
            }),
        };
        result.map_err(convert::failure_out)
    }
}

/// Nothing ran: the approval of a held call cannot be recorded, so it cannot be used.
fn unusable(error: &AppendError) -> ToolFailure {
    let (cause, message) = match error {
        AppendError::Conflict(_) => (
            FailureCause::ApprovalUsed,
            "an approval is for one run, and this one is used".into(),
        ),
        error => (
            FailureCause::NotRecorded,
            format!("the approval cannot be recorded: {error}"),
        ),
    };
    ToolFailure {
        cause,
        message,
        error: None,
    }
}
