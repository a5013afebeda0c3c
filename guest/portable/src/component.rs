//! The world's export: each function one call into the core.

use alloc::format;
use alloc::string::{String, ToString};

use atomic_refcell::AtomicRefCell;
use thoth_core::time::uuid_v4;
use thoth_core::{Ended, Gate, Outside as _, Refused, Ruling, Settings};
use thoth_shell::Wasi;

use crate::bindings::Component;
use crate::bindings::exports::thoth::governance::gate;

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

/// What a caller is told. Where a function has no error to return, its caller sees a trap, and the reason
/// is nowhere but on stderr. It is JSON: nothing in it drives a terminal.
fn said(refused: Refused) -> String {
    thoth_shell::say(&format!("thoth: {}", refused.text));
    refused.text
}

impl gate::Guest for Component {
    fn check(tool: String, arguments: Result<String, String>) -> gate::Ruling {
        let arguments = arguments.as_deref().map_err(String::as_str);
        let ruling = with(|gate| {
            gate.close_abandoned(&mut Wasi::default());
            gate.check(&mut Wasi::default(), &tool, arguments)
        });
        match ruling {
            Ruling::Run(ticket, permit) if permit.is_modified() => {
                gate::Ruling::Modify(gate::Modified {
                    ticket,
                    arguments: permit.arguments().to_string(),
                })
            }
            Ruling::Run(ticket, _permit) => gate::Ruling::Allow(ticket),
            Ruling::Refuse(refused) => gate::Ruling::Refuse(said(refused)),
        }
    }

    fn reject(ticket: u64, why: String) -> String {
        said(with(|gate| gate.reject(&mut Wasi::default(), ticket, &why)))
    }

    fn done(ticket: u64, ended: gate::Ended) {
        let ended = match ended {
            gate::Ended::Completed(result) => Ended::Completed(result),
            gate::Ended::Failed(error) => Ended::Failed(error),
            gate::Ended::Untold(why) => Ended::Untold(why),
        };
        with(|gate| gate.done(&mut Wasi::default(), ticket, ended));
    }
}
