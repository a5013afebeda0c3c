//! A model of a hold with everybody who may touch it at once, searched through to its end, and the
//! proof that the store does in each step what the model does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use stateright::{Checker as _, Model, Property};

use super::clock::Now;
use super::tests::{binding, hold_of};
use super::{ApprovalStatus, Resolution, Store};
use crate::binding::{Binding, Claim, Mismatch};

/// The row of a hold, as far as it decides anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Row {
    status: ApprovalStatus,
    used_by: Option<u8>,
    /// For a decision and, the same in the model, for the use of one.
    has_time_left: bool,
}

const NEW: Row = Row {
    status: ApprovalStatus::Pending,
    used_by: None,
    has_time_left: true,
};

impl Row {
    /// The statement with which a human decides: whether it changed the row.
    fn resolve(&mut self, to: ApprovalStatus) -> bool {
        let won = self.status == ApprovalStatus::Pending && self.has_time_left;
        if won {
            self.status = to;
        }
        won
    }

    /// What a poll reads first.
    fn seen(self) -> ApprovalStatus {
        match self.status {
            ApprovalStatus::Pending if !self.has_time_left => ApprovalStatus::Expired,
            status => status,
        }
    }

    /// The statement with which a host takes an approval.
    fn redeem(&mut self, use_id: u8, fits: bool) -> bool {
        let is_free = self
            .used_by
            .map_or(self.has_time_left, |used_by| used_by == use_id);
        let won = fits && self.status == ApprovalStatus::Approved && is_free;
        if won {
            self.used_by = Some(use_id);
        }
        won
    }
}

/// Somebody, and how far they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Actor {
    /// A human who is about to decide so, or has: whether it was their word that counted.
    Human(ApprovalStatus, Option<bool>),
    /// A host that comes back to the hold, for the call that was held or for another one.
    Host { use_id: u8, fits: bool, at: At },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Asking,
    /// It was read as approved; between that and the next step anything may happen.
    Read,
    /// The enforcer said yes; the answer may still be lost.
    Granted,
    Ran,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    row: Row,
    actors: Vec<Actor>,
    /// Times that the tool ran.
    runs: u8,
    /// The next use that is nobody's.
    next_use: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Step(usize),
    /// The answer to a host is lost, and it asks again.
    Lose(usize),
    /// The host ends and begins anew, without what it had in memory.
    Restart(usize),
    TimeIsOver,
}

struct Hold;

impl Model for Hold {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let host = |use_id, fits| Actor::Host {
            use_id,
            fits,
            at: At::Asking,
        };
        vec![State {
            row: NEW,
            actors: vec![
                Actor::Human(ApprovalStatus::Approved, None),
                Actor::Human(ApprovalStatus::Approved, None),
                Actor::Human(ApprovalStatus::Denied, None),
                host(1, true),
                host(2, true),
                host(3, false),
            ],
            runs: 0,
            next_use: 4,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, actor) in state.actors.iter().enumerate() {
            match actor {
                Actor::Human(_, None) => actions.push(Action::Step(index)),
                Actor::Host { at, .. } if !matches!(at, At::Ran | At::Refused) => {
                    actions.push(Action::Step(index));
                    if *at == At::Granted {
                        actions.push(Action::Lose(index));
                    }
                    if state.next_use < 6 {
                        actions.push(Action::Restart(index));
                    }
                }
                Actor::Human(..) | Actor::Host { .. } => {}
            }
        }
        if state.row.has_time_left {
            actions.push(Action::TimeIsOver);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut state = state.clone();
        let row = &mut state.row;
        match action {
            Action::TimeIsOver => row.has_time_left = false,
            Action::Step(index) => match &mut state.actors[index] {
                Actor::Human(to, won) => *won = Some(row.resolve(*to)),
                Actor::Host { use_id, fits, at } => {
                    *at = match *at {
                        At::Asking => match row.seen() {
                            ApprovalStatus::Pending => At::Asking,
                            ApprovalStatus::Approved => At::Read,
                            ApprovalStatus::Denied | ApprovalStatus::Expired => At::Refused,
                        },
                        At::Read if row.redeem(*use_id, *fits) => At::Granted,
                        At::Read => At::Refused,
                        At::Granted => {
                            state.runs += 1;
                            At::Ran
                        }
                        ended @ (At::Ran | At::Refused) => ended,
                    }
                }
            },
            Action::Lose(index) => {
                if let Actor::Host { at, .. } = &mut state.actors[index] {
                    *at = At::Asking;
                }
            }
            Action::Restart(index) => {
                if let Actor::Host { use_id, at, .. } = &mut state.actors[index] {
                    (*use_id, *at) = (state.next_use, At::Asking);
                    state.next_use += 1;
                }
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn won(state: &State, wanted: ApprovalStatus) -> usize {
            let won =
                |actor: &&Actor| matches!(actor, Actor::Human(to, Some(true)) if *to == wanted);
            state.actors.iter().filter(won).count()
        }
        fn hosts(state: &State, wanted: At, fitting: bool) -> bool {
            let is = |actor: &Actor| matches!(actor, Actor::Host { at, fits, .. } if *at == wanted && *fits == fitting);
            state.actors.iter().any(is)
        }
        use ApprovalStatus::{Approved, Denied};
        vec![
            Property::always("one human's word counts", |_, state: &State| {
                won(state, Approved) + won(state, Denied) <= 1
            }),
            Property::always("it runs once", |_, state: &State| state.runs <= 1),
            Property::always("it runs on an approval only", |_, state: &State| {
                state.runs == 0 || won(state, Approved) == 1
            }),
            Property::always("what does not fit does not run", |_, state: &State| {
                !hosts(state, At::Ran, false) && !hosts(state, At::Granted, false)
            }),
            Property::always("a status that was decided stays", |_, state: &State| {
                let decided = state.row.status != ApprovalStatus::Pending;
                decided == (won(state, Approved) + won(state, Denied) == 1)
            }),
            Property::sometimes("it runs", |_, state: &State| state.runs == 1),
            Property::sometimes(
                "it is refused though it was approved",
                |_, state: &State| won(state, Approved) == 1 && hosts(state, At::Refused, true),
            ),
            Property::sometimes("nobody decided in time", |_, state: &State| {
                won(state, Approved) + won(state, Denied) == 0 && hosts(state, At::Refused, true)
            }),
        ]
    }
}

#[test]
fn whatever_the_order_a_call_runs_at_most_once_and_on_an_approval_only() {
    let checker = Hold.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.unique_state_count() > 1000);
    println!("{} states", checker.unique_state_count());
}

/// What the model and the store are both told to do.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Resolve(Resolution),
    Redeem { use_id: u8, fits: bool },
    TimeIsOver,
}

#[test]
fn the_store_does_what_the_model_does_in_every_order_of_four_steps() {
    use Operation::{Redeem, Resolve, TimeIsOver};
    let operations = [
        Resolve(Resolution::Approve),
        Resolve(Resolution::Deny),
        Redeem {
            use_id: 1,
            fits: true,
        },
        Redeem {
            use_id: 2,
            fits: true,
        },
        Redeem {
            use_id: 3,
            fits: false,
        },
        TimeIsOver,
    ];
    let clock = Arc::new(AtomicI64::new(1));
    let told = Arc::clone(&clock);
    let store = Store::in_memory().unwrap().with_moments(move || {
        let now = told.load(Ordering::SeqCst);
        Now {
            wall: now,
            uptime: now,
            boot: "".into(),
        }
    });
    let other = Binding {
        session_id: "another".to_owned(),
        ..binding()
    };
    for order in 0..operations.len().pow(4) {
        let token = hold_of(&store, &binding(), true);
        let mut row = NEW;
        let steps =
            (0..4u32).map(|at| operations[order / operations.len().pow(at) % operations.len()]);
        for operation in steps {
            let line = format!("{order}: {operation:?} on {row:?}");
            match operation {
                TimeIsOver => {
                    row.has_time_left = false;
                    // The hold's minute, and the one in which an approval may still be used.
                    clock.fetch_add(120_000, Ordering::SeqCst);
                }
                Resolve(resolution) => {
                    let to = match resolution {
                        Resolution::Approve => ApprovalStatus::Approved,
                        Resolution::Deny => ApprovalStatus::Denied,
                    };
                    let won = store.resolve(&token, resolution, "ann", None).is_ok();
                    assert_eq!(won, row.resolve(to), "{line}");
                }
                Redeem { use_id, fits } => {
                    let bound = if fits { &binding() } else { &other };
                    let claim = Claim::for_test(bound, format!("{use_id:032x}"));
                    let approval = store.approval(&token).unwrap().unwrap();
                    let redeemed = store.redeem(&approval, Some(&claim)).unwrap();
                    assert_eq!(redeemed.is_ok(), row.redeem(use_id, fits), "{line}");
                    if !fits {
                        assert_eq!(redeemed, Err(Mismatch::Session), "{line}");
                    }
                }
            }
            let seen = store.approval(&token).unwrap().unwrap().status;
            assert_eq!(seen, row.seen(), "{line}");
        }
    }
}
