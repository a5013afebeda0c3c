//! Thousands of attempts to use an approval for something else than it was given for. None may win.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::tests::{binding, hold_of};
use super::{Approval, ApprovalStatus, Resolution, ResolveError, Store};
use crate::binding::{Binding, Claim, Mismatch};

const ATTEMPTS: usize = 2000;

/// An approved hold, and the claim of the host that opened it.
fn approved(store: &Store) -> (Approval, Claim) {
    let token = hold_of(store, &binding(), true);
    let approval = store
        .resolve(&token, Resolution::Approve, "ann", None)
        .unwrap();
    let claim = Claim::for_test(&binding(), "a".repeat(32));
    (approval, claim)
}

fn redeem(store: &Store, approval: &Approval, claim: &Claim) -> Result<(), Mismatch> {
    store.redeem(approval, Some(claim)).unwrap()
}

/// Tries many claims of calls that differ from the one that was approved.
fn attack(expected: Mismatch, other: impl Fn(usize) -> Binding) {
    let store = Store::in_memory().unwrap();
    let (approval, own) = approved(&store);
    for attempt in 0..ATTEMPTS {
        let other = other(attempt);
        assert_ne!(other, binding());
        assert_ne!(other.digest(), approval.digest);
        let claim = Claim::for_test(&other, format!("{attempt:032x}"));
        assert_eq!(redeem(&store, &approval, &claim), Err(expected));
    }
    // They have not used it up either.
    assert_eq!(redeem(&store, &approval, &own), Ok(()));
}

#[test]
fn no_other_arguments_get_an_approval() {
    attack(Mismatch::Arguments, |attempt| {
        let bound = binding().asked;
        let asked = match attempt % 6 {
            0 => format!(r#"{{"amount":{}}}"#, attempt + 2),
            1 => format!(r#"{{"amount":1,"more":{attempt}}}"#),
            2 => format!(r#"{{"Amount":1,"n":{attempt}}}"#),
            3 => format!(r#"{{"amount":"1","n":{attempt}}}"#),
            4 => bound.replace('1', &format!("1.{}", attempt + 1)),
            _ => bound.replace("amount", &"amount ".repeat(attempt)),
        };
        Binding {
            arguments: asked.clone(),
            asked,
            ..binding()
        }
    });
}

#[test]
fn no_other_session_tool_version_or_caller_gets_an_approval() {
    attack(Mismatch::Session, |attempt| Binding {
        session_id: format!("s-{}", attempt + 2),
        ..binding()
    });
    attack(Mismatch::Tool, |attempt| Binding {
        tool_name: format!("transfer_{attempt}"),
        ..binding()
    });
    attack(Mismatch::Component, |attempt| Binding {
        component: Some(format!("{attempt:064x}")),
        ..binding()
    });
    attack(Mismatch::Caller, |attempt| {
        let mut other = binding();
        let name = match attempt % 3 {
            0 => &mut other.tenant_id,
            1 => &mut other.agent_id,
            _ => &mut other.user_id,
        };
        *name = format!("{name}{attempt}");
        other
    });
}

#[test]
fn names_that_only_look_the_same_when_joined_are_others() {
    let (mut one, mut other) = (binding(), binding());
    (one.tenant_id, one.agent_id) = ("a".into(), "bc".into());
    (other.tenant_id, other.agent_id) = ("ab".into(), "c".into());
    assert_ne!(one.digest(), other.digest());
    let (one, other) = (
        Claim::for_test(&one, String::new()),
        Claim::for_test(&other, String::new()),
    );
    assert_ne!(one, other);
}

#[test]
fn an_approval_is_used_once_however_often_it_is_replayed() {
    let store = Store::in_memory().unwrap();
    let (approval, own) = approved(&store);
    assert_eq!(redeem(&store, &approval, &own), Ok(()));
    for attempt in 0..ATTEMPTS {
        let again = Claim::for_test(&binding(), format!("{attempt:032x}"));
        assert_eq!(redeem(&store, &approval, &again), Err(Mismatch::Used));
    }
    let silent = store.redeem(&approval, None).unwrap();
    assert_eq!(silent, Err(Mismatch::Unclaimed));
    // Whoever has it may ask again, since an answer can be lost.
    assert_eq!(redeem(&store, &approval, &own), Ok(()));
}

#[test]
fn of_those_who_use_or_resolve_at_the_same_time_one_wins_each_time() {
    const THREADS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enforcer.db");
    let store = Store::open(&path).unwrap();
    let tokens: Vec<String> = (0..ATTEMPTS / 4)
        .map(|_| hold_of(&store, &binding(), true))
        .collect();
    let counts = || -> Vec<AtomicUsize> { tokens.iter().map(|_| AtomicUsize::new(0)).collect() };
    let (resolved, used) = (counts(), counts());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            // Each has a connection of its own, as another process would.
            let store = Store::open(&path).unwrap();
            let (tokens, resolved, used) = (&tokens, &resolved, &used);
            scope.spawn(move || {
                let claim = Claim::for_test(&binding(), format!("{thread:032x}"));
                for (at, token) in tokens.iter().enumerate() {
                    // Not all in the same order: some are resolved by this one, some by another.
                    let resolution = match (at + thread) % 3 {
                        0 => Resolution::Deny,
                        _ => Resolution::Approve,
                    };
                    match store.resolve(token, resolution, &thread.to_string(), None) {
                        Ok(_) => _ = resolved[at].fetch_add(1, Ordering::SeqCst),
                        Err(ResolveError::AlreadyResolved { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                    let approval = store.approval(token).unwrap().unwrap();
                    match redeem(&store, &approval, &claim) {
                        Ok(()) => _ = used[at].fetch_add(1, Ordering::SeqCst),
                        Err(mismatch) => assert_eq!(mismatch, Mismatch::Used),
                    }
                }
            });
        }
    });
    for (at, token) in tokens.iter().enumerate() {
        assert_eq!(resolved[at].load(Ordering::SeqCst), 1, "{token}");
        let is_approved =
            store.approval(token).unwrap().unwrap().status == ApprovalStatus::Approved;
        assert_eq!(used[at].load(Ordering::SeqCst), usize::from(is_approved));
    }
}
