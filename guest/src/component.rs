//! The world's exports: each one call into the core.

use alloc::boxed::Box;
use alloc::vec::Vec;

use once_cell::race::OnceBox;
use thoth_core::{Config, Governor};

use crate::bindings::Component;
use crate::bindings::exports::thoth::governance::{events, policy, wrapping};
use crate::bindings::thoth::governance::types::{
    Decision, Event, Hold, Outcome, Session, ToolCall,
};
use crate::outside::Outside;

/// The governor of this instance. Its environment is read once: it does not change.
fn governor() -> &'static Governor {
    static GOVERNOR: OnceBox<Governor> = OnceBox::new();
    GOVERNOR.get_or_init(|| Box::new(Governor::new(Config::from_vars(thoth_shell::vars()))))
}

impl policy::Guest for Component {
    fn enforce(session: Session, call: ToolCall) -> Decision {
        governor()
            .enforce(&mut Outside::default(), &session.into(), &call.into())
            .into()
    }

    fn resolve(session: Session, call: ToolCall, hold: Hold) -> Decision {
        let (session, call, hold) = (session.into(), call.into(), hold.into());
        governor()
            .resolve(&mut Outside::default(), &session, &call, &hold)
            .into()
    }
}

impl events::Guest for Component {
    fn emit_events(events: Vec<Event>) -> Result<events::Receipt, events::EmitError> {
        let events: Vec<thoth_core::Event> = events.into_iter().map(Into::into).collect();
        match governor().emit_events(&mut Outside::default(), &events) {
            Ok(receipt) => Ok(receipt.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl wrapping::Guest for Component {
    fn wrap_tool(session: Session, call: ToolCall) -> Outcome {
        governor()
            .wrap_tool(&mut Outside::default(), &session.into(), &call.into())
            .into()
    }

    fn resume(session: Session, call: ToolCall, hold: Hold) -> Outcome {
        let (session, call, hold) = (session.into(), call.into(), hold.into());
        governor()
            .resume(&mut Outside::default(), &session, &call, &hold)
            .into()
    }
}
