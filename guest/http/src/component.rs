//! The world's exports: a request goes to the service inside, or is answered here.

use atomic_refcell::AtomicRefCell;
use thoth_core::time::uuid_v4;
use thoth_core::{Ended, Gate, Outside as _, Settings};
use thoth_shell::Wasi;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use crate::bindings::Component;
use crate::bindings::exports::thoth::http::{mcp, requests};
use crate::bindings::thoth::http::inside;
use crate::bindings::thoth::incoming::handing_on::{self, IncomingRequest as HandedOn};
use crate::{answer, calls, request};

/// The governor of this instance. Its environment is read once: it does not change.
static GATE: AtomicRefCell<Option<Gate>> = AtomicRefCell::new(None);

/// Only one call is ever in here: a component instance is not entered again before it has returned.
pub(crate) fn with<T>(act: impl FnOnce(&mut Gate, &mut Wasi) -> T) -> T {
    let mut slot = GATE.borrow_mut();
    let gate = slot.get_or_insert_with(|| {
        let fresh_id = uuid_v4(Wasi::default().random());
        Gate::new(Settings::from_vars(thoth_shell::vars(), fresh_id))
    });
    act(gate, &mut Wasi::default())
}

/// A request that may be handed on, and what was promised for it.
pub(crate) struct Cleared {
    /// The bytes that stand for its body; none where nobody has read it.
    pub(crate) body: Option<alloc::vec::Vec<u8>>,
    /// The calls that were let run.
    pub(crate) tickets: alloc::vec::Vec<u64>,
}

impl requests::Guest for Component {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        with(|gate, ports| gate.close_abandoned(ports));
        match request::cleared(&request) {
            Ok(cleared) => hand_on(request, cleared, response_out),
            Err(answer) => answer::send(&answer, response_out),
        }
    }
}

impl mcp::Guest for Component {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        with(|gate, ports| gate.close_abandoned(ports));
        match calls::cleared(&request) {
            Ok(cleared) => hand_on(request, cleared, response_out),
            Err(answer) => answer::send(&answer, response_out),
        }
    }
}

/// The service answers to the host itself: what it says is not seen here.
fn hand_on(request: IncomingRequest, cleared: Cleared, response_out: ResponseOutparam) {
    let request: HandedOn = match cleared.body {
        Some(body) => handing_on::with_body(request, &body),
        None => handing_on::unread(request),
    };
    inside::handle(request, response_out);
    for ticket in cleared.tickets {
        with(|gate, ports| gate.done(ports, ticket, Ended::Completed("null".into())));
    }
}
