//! The world's export: one question to the core for each request, and the service or a refusal.

use atomic_refcell::AtomicRefCell;
use thoth_core::time::uuid_v4;
use thoth_core::{Ended, Gate, Outside as _, Ruling, Settings};
use thoth_shell::Wasi;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use crate::bindings::Component;
use crate::bindings::wasi::http::incoming_handler;
use crate::question::{self, TOOL};
use crate::refusal;

/// The governor of this instance. Its environment is read once: it does not change.
static GATE: AtomicRefCell<Option<Gate>> = AtomicRefCell::new(None);

/// Only one call is ever in here: a component instance is not entered again before it has returned.
fn with<T>(act: impl FnOnce(&mut Gate) -> T) -> T {
    let mut slot = GATE.borrow_mut();
    let gate = slot.get_or_insert_with(|| {
        let fresh_id = uuid_v4(Wasi::default().random());
        Gate::new(Settings::from_vars(thoth_shell::vars(), fresh_id))
    });
    act(gate)
}

impl Guest for Component {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let arguments = question::arguments(&request);
        let ruling = with(|gate| {
            gate.close_abandoned(&mut Wasi::default());
            gate.check(&mut Wasi::default(), TOOL, Ok(&arguments))
        });
        match ruling {
            Ruling::Run(ticket, permit) if permit.is_modified() => {
                let why = "a request passes as it came or not at all";
                let refused = with(|gate| gate.reject(&mut Wasi::default(), ticket, why));
                refusal::answer(&refused, response_out);
            }
            Ruling::Run(ticket, _permit) => {
                incoming_handler::handle(request, response_out);
                // The service answers to the host itself: what it said is not seen here.
                let ended = Ended::Completed("null".into());
                with(|gate| gate.done(&mut Wasi::default(), ticket, ended));
            }
            Ruling::Refuse(refused) => refusal::answer(&refused, response_out),
        }
    }
}
