//! A governor that rules as its environment says, and writes down on stderr what it was asked and told.
//!
//! `GATE` is `allow`, `echo` (modify to the same arguments), `modify` (to `GATE_ARGUMENTS`), or `refuse`
//! (with `GATE_REFUSAL`); anything else, or nothing, refuses.

use std::cell::Cell;
use std::env::var;

use exports::thoth::governance::gate::{Ended, Guest, Modified, Ruling};

wit_bindgen::generate!({ path: "../../../wit", world: "portable-governor" });

struct Gate;

thread_local! {
    static TICKETS: Cell<u64> = const { Cell::new(1 << 40) };
}

impl Guest for Gate {
    fn check(tool: String, arguments: Result<String, String>) -> Ruling {
        let rule = var("GATE").unwrap_or_default();
        if var("GATE_QUIET").is_err() {
            match &arguments {
                Ok(json) => eprintln!("check {tool} {json}"),
                Err(why) => eprintln!("check {tool} !{why}"),
            }
        }
        let ticket = TICKETS.get();
        TICKETS.set(ticket + 1);
        match (rule.as_str(), arguments) {
            ("allow", _) => Ruling::Allow(ticket),
            ("echo", Ok(arguments)) => Ruling::Modify(Modified { ticket, arguments }),
            ("modify", _) => Ruling::Modify(Modified {
                ticket,
                arguments: var("GATE_ARGUMENTS").unwrap_or_default(),
            }),
            _ => Ruling::Refuse(
                var("GATE_REFUSAL").unwrap_or_else(|_| r#"{"outcome":"refused"}"#.to_owned()),
            ),
        }
    }

    fn reject(ticket: u64, why: String) -> String {
        eprintln!("reject {} {why}", ticket - (1 << 40));
        format!(r#"{{"outcome":"refused","cause":"invalid_modify","reason":{why:?}}}"#)
    }

    fn done(ticket: u64, ended: Ended) {
        if var("GATE_QUIET").is_ok() {
            return;
        }
        let ticket = ticket - (1 << 40);
        match ended {
            Ended::Completed(json) => eprintln!("done {ticket} {json}"),
            Ended::Failed(json) => eprintln!("failed {ticket} {json}"),
            Ended::Untold(why) => eprintln!("untold {ticket} {why}"),
        }
    }
}

export!(Gate);
