//! Request states: only the very state that was sealed, for the very call, in its time, comes back to a
//! hold, and only once. Whatever else is done to one, nothing is found.
#![no_main]

/// As much of a hold as its keeper asks for.
mod calling {
    use tokio::time::Instant;

    #[derive(Debug, Clone)]
    pub struct Held {
        pub id: String,
        pub expires: Instant,
        pub taken: bool,
    }

    impl Held {
        pub fn call_id(&self) -> &str {
            &self.id
        }

        pub fn expires(&self) -> Instant {
            self.expires
        }

        pub fn is_taken(&self) -> bool {
            self.taken
        }
    }
}

mod error {
    #[derive(Debug)]
    #[allow(dead_code, reason = "it is shown if it comes")]
    pub enum Error {
        Setting { what: String, why: String },
    }
}

#[path = "../../../src/mcp/held.rs"]
#[allow(dead_code, reason = "the server asks more")]
mod held;

use std::time::Duration;

use arbitrary::Arbitrary;
use calling::Held;
use held::{Binding, Holds};
use libfuzzer_sys::fuzz_target;
use tokio::time::Instant;

/// What a call is for.
#[derive(Arbitrary, Debug, Clone, PartialEq, Eq)]
struct Call {
    principal: String,
    session: String,
    tool: String,
    component: String,
    arguments: String,
}

impl Call {
    fn binding(&self) -> Binding {
        Binding::new([
            &self.principal,
            &self.session,
            &self.tool,
            &self.component,
            &self.arguments,
        ])
    }
}

/// What somebody does to a state before it comes back.
#[derive(Arbitrary, Debug)]
enum Change {
    Nothing,
    Byte { at: u16, to: u8 },
    Insert { at: u16, byte: u8 },
    Cut { at: u16 },
    Else(String),
    OtherServer,
}

#[derive(Arbitrary, Debug)]
struct Input {
    call: Call,
    other: Call,
    /// The retry is for the other call.
    is_foreign: bool,
    change: Change,
    lasts: u16,
    waits: u16,
    taken: bool,
    /// Whether somebody calls anew first, and gives up or goes on.
    anew: Option<bool>,
}

fuzz_target!(|input: Input| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(resumed(input));
});

async fn resumed(input: Input) {
    let holds = Holds::new().expect("random bytes");
    let held = Held {
        id: "0b5a0d3c-7a54-4f3c-9a51-0d7f0a2d8a11".into(),
        expires: Instant::now() + Duration::from_secs(input.lasts.into()),
        taken: input.taken,
    };
    let binding = input.call.binding();
    let other_server = Holds::new().expect("random bytes");
    let sealed = {
        let sealer = match input.change {
            Change::OtherServer => &other_server,
            _ => &holds,
        };
        let claim = sealer.claim(held.clone(), binding.clone());
        let sealed = claim.seal().expect("it is held");
        drop(claim);
        // The hold is known here in any case.
        drop(holds.claim(held.clone(), binding.clone()));
        sealed
    };
    let state = changed(&sealed, &input.change);
    tokio::time::advance(Duration::from_secs(input.waits.into())).await;
    let call = if input.is_foreign {
        &input.other
    } else {
        &input.call
    };
    let is_same = *call == input.call;
    let is_over = input.waits >= input.lasts || input.taken;
    let mut used = false;
    if let Some(goes_on) = input.anew {
        match holds.of_same_call(&call.binding()) {
            Some(claim) => {
                assert!(is_same && !is_over, "a call anew found what is not its own");
                if goes_on {
                    claim.done();
                    used = true;
                }
            }
            None => assert!(!is_same || is_over),
        }
    }
    let is_whole = state == sealed && !matches!(input.change, Change::OtherServer);
    let found = holds.open(&state, &call.binding());
    let is_found = found.is_some();
    if is_found {
        assert!(
            is_whole && is_same && !is_over && !used,
            "{input:?}: {state}"
        );
    } else {
        // Whoever has the right one in time is not turned away.
        assert!(
            !(is_whole && is_same && !is_over && !used),
            "{input:?}: {state}"
        );
    }
    if let Some(claim) = found {
        assert!(
            holds.open(&state, &call.binding()).is_none(),
            "while somebody is at it"
        );
        claim.done();
        assert!(holds.open(&state, &call.binding()).is_none(), "once");
    }
}

fn changed(sealed: &str, change: &Change) -> String {
    let mut bytes = sealed.as_bytes().to_vec();
    let within = |at: u16| usize::from(at) % sealed.len();
    match change {
        Change::Nothing | Change::OtherServer => {}
        Change::Byte { at, to } => bytes[within(*at)] = *to,
        Change::Insert { at, byte } => bytes.insert(within(*at), *byte),
        Change::Cut { at } => bytes.truncate(within(*at)),
        Change::Else(text) => bytes = text.as_bytes().to_vec(),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
