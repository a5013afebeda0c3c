//! Facts about what the store keeps, for how long and for whom.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Map;

use super::clock::Now;
use super::{ApprovalStatus, NewHold, Resolution, ResolveError, Store, StoredEvent};
use crate::binding::{Binding, Claim, Mismatch};

/// What the holds of the tests are for.
pub(super) fn binding() -> Binding {
    Binding {
        tenant_id: "acme".to_owned(),
        agent_id: "bot".to_owned(),
        user_id: "u1".to_owned(),
        session_id: "s-1".to_owned(),
        tool_name: "transfer".to_owned(),
        component: Some("c".repeat(64)),
        arguments: r#"{"amount":1}"#.to_owned(),
        asked: r#"{"amount":1}"#.to_owned(),
        policy: "p".to_owned(),
        nonce: "n".to_owned(),
    }
}

/// Opens a hold of a minute.
fn hold(store: &Store) -> String {
    hold_of(store, &binding(), false)
}

pub(super) fn hold_of(store: &Store, binding: &Binding, is_claimed: bool) -> String {
    let hold = NewHold {
        binding,
        is_claimed,
        context: &Map::new(),
        reason: "large",
        evidence: &Map::new(),
        violation_id: "vio_0",
        waits: Duration::from_secs(60),
    };
    store.hold(&hold).unwrap()
}

fn status(store: &Store, token: &str) -> ApprovalStatus {
    store.approval(token).unwrap().unwrap().status
}

/// A store whose clock stands at the seconds in the counter.
fn at(store: Store, seconds: &Arc<AtomicU64>) -> Store {
    let seconds = Arc::clone(seconds);
    store.with_clock(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
}

#[test]
fn holds_and_what_became_of_them_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enforcer.db");
    let store = Store::open(&path).unwrap();
    let (open, denied) = (hold(&store), hold(&store));
    store
        .resolve(&denied, Resolution::Deny, "ann", Some("too much"))
        .unwrap();
    drop(store);

    let store = Store::open(&path).unwrap();
    assert_eq!(status(&store, &open), ApprovalStatus::Pending);
    let denied = store.approval(&denied).unwrap().unwrap();
    assert_eq!(denied.status, ApprovalStatus::Denied);
    assert_eq!(denied.resolved_by.as_deref(), Some("ann"));
    assert_eq!(denied.resolution_reason.as_deref(), Some("too much"));
    let pending = store.approvals(Some(ApprovalStatus::Pending)).unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(store.approvals(None).unwrap().len(), 2);
}

#[test]
fn of_many_who_resolve_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enforcer.db");
    let token = hold(&Store::open(&path).unwrap());
    // Half of them on a connection of their own, as another process would be.
    let shared = Store::open(&path).unwrap();
    let threads: Vec<_> = (0..16)
        .map(|index| {
            let (path, token, shared) = (path.clone(), token.clone(), shared.clone());
            std::thread::spawn(move || {
                let store = if index % 2 == 0 {
                    shared
                } else {
                    Store::open(&path).unwrap()
                };
                let resolution = if index % 3 == 0 {
                    Resolution::Deny
                } else {
                    Resolution::Approve
                };
                store.resolve(&token, resolution, &index.to_string(), None)
            })
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    let winners: Vec<_> = results.iter().filter_map(|r| r.as_ref().ok()).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(shared.approval(&token).unwrap().as_ref(), Some(winners[0]));
    for error in results.iter().filter_map(|r| r.as_ref().err()) {
        assert!(matches!(error, ResolveError::AlreadyResolved { status, .. }
            if *status == winners[0].status));
    }
}

#[test]
fn a_hold_expires_on_time_and_cannot_be_resolved_then() {
    let seconds = Arc::new(AtomicU64::new(1000));
    let store = at(Store::in_memory().unwrap(), &seconds);
    let (late, approved) = (hold(&store), hold(&store));
    seconds.store(1059, Ordering::SeqCst);
    store
        .resolve(&approved, Resolution::Approve, "ann", None)
        .unwrap();
    assert_eq!(status(&store, &late), ApprovalStatus::Pending);
    seconds.store(1060, Ordering::SeqCst);
    assert_eq!(status(&store, &late), ApprovalStatus::Expired);
    assert_eq!(status(&store, &approved), ApprovalStatus::Approved);
    let error = store.resolve(&late, Resolution::Approve, "ann", None);
    assert!(matches!(error, Err(ResolveError::Expired(_))));
    let error = store.resolve("hold_0", Resolution::Approve, "ann", None);
    assert!(matches!(error, Err(ResolveError::Unknown(_))));
    assert_eq!(status(&store, &late), ApprovalStatus::Expired);
}

#[test]
fn no_change_of_the_system_clock_makes_a_hold_last_longer_or_end_sooner() {
    let moment = Arc::new(Mutex::new((1_000_000, 50_000, "boot-1")));
    let set = |wall, uptime, boot| *moment.lock().unwrap() = (wall, uptime, boot);
    let told = Arc::clone(&moment);
    let store = Store::in_memory().unwrap().with_moments(move || {
        let (wall, uptime, boot) = *told.lock().unwrap();
        Now {
            wall,
            uptime,
            boot: boot.into(),
        }
    });
    let token = hold(&store);
    for (wall, uptime, boot, expected) in [
        // The clock is set forward and back while the machine runs.
        (9_000_000, 109_999, "boot-1", ApprovalStatus::Pending),
        (0, 109_999, "boot-1", ApprovalStatus::Pending),
        (1_000_001, 110_000, "boot-1", ApprovalStatus::Expired),
        // After a reboot there is only the wall's clock.
        (1_059_999, 7, "boot-2", ApprovalStatus::Pending),
        (1_060_000, 7, "boot-2", ApprovalStatus::Expired),
        (999_999, 7, "boot-2", ApprovalStatus::Expired),
    ] {
        set(wall, uptime, boot);
        let line = format!("{wall} {uptime} {boot}");
        assert_eq!(status(&store, &token), expected, "{line}");
        let resolved = store.resolve(&token, Resolution::Approve, "ann", None);
        if expected == ApprovalStatus::Pending {
            // The statement that resolves has the same idea of time; put it back for the next line.
            assert!(resolved.is_ok(), "{line}");
            let undo = "UPDATE holds SET status = 'pending'";
            store.connection().execute(undo, []).unwrap();
        } else {
            assert!(matches!(resolved, Err(ResolveError::Expired(_))), "{line}");
        }
        let latest = store.latest_approvals(1).unwrap();
        assert_eq!(latest[0].status, expected, "{line}");
    }
}

#[test]
fn which_holds_a_page_shows_is_told_by_an_index_alone() {
    let store = Store::in_memory().unwrap();
    let connection = store.connection();
    let explain = format!("EXPLAIN QUERY PLAN {}", super::listed::latest());
    let mut statement = connection.prepare(&explain).unwrap();
    let steps = statement.query_map(
        rusqlite::named_params! {":wall": 0, ":uptime": 0, ":boot": "", ":limit": 1},
        |row| row.get::<_, String>("detail"),
    );
    let steps: Vec<String> = steps.unwrap().map(Result::unwrap).collect();
    let scans: Vec<&String> = steps
        .iter()
        .filter(|step| step.contains("SCAN holds"))
        .collect();
    assert!(
        !scans.is_empty()
            && scans
                .iter()
                .all(|scan| scan.contains("COVERING INDEX holds_by_time")),
        "{steps:?}"
    );
}

#[test]
fn a_store_of_an_earlier_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enforcer.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "CREATE TABLE holds (token TEXT PRIMARY KEY, status TEXT NOT NULL DEFAULT 'pending',
             tenant_id TEXT NOT NULL, agent_id TEXT NOT NULL, user_id TEXT NOT NULL,
             session_id TEXT NOT NULL, tool_name TEXT NOT NULL, arguments TEXT NOT NULL,
             arguments_digest TEXT NOT NULL, reason TEXT NOT NULL, evidence TEXT NOT NULL,
             violation_id TEXT NOT NULL, requested_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
             resolved_by TEXT, resolved_at INTEGER, resolution_reason TEXT) STRICT;
         INSERT INTO holds VALUES ('hold_1', 'denied', 'acme', 'bot', 'u', 's', 't', '{}', '0', 'r',
             '{}', 'v', 9000000000000, 9000000900000, 'ann', 9000000000001, 'no');",
    )
    .unwrap();
    drop(old);
    for _ in 0..2 {
        let store = Store::open(&path).unwrap();
        let kept = store.approval("hold_1").unwrap().unwrap();
        assert_eq!(kept.status, ApprovalStatus::Denied);
        assert_eq!(kept.resolved_by.as_deref(), Some("ann"));
        assert_eq!(kept.digest, "");
        let new = hold(&store);
        assert_eq!(status(&store, &new), ApprovalStatus::Pending);
    }
}

#[test]
fn somebody_approves_what_they_were_shown_or_nothing() {
    let store = Store::in_memory().unwrap();
    let token = hold(&store);
    let digest = store.approval(&token).unwrap().unwrap().digest;
    let resolve =
        |shown: &str| store.resolve_shown(&token, Resolution::Approve, "ann", None, Some(shown));
    for other in ["", "0", &digest[..8], &digest.to_uppercase()] {
        let refused = resolve(other);
        assert!(matches!(refused, Err(ResolveError::NotTheOneShown(_))));
        assert_eq!(status(&store, &token), ApprovalStatus::Pending);
    }
    assert_eq!(resolve(&digest).unwrap().status, ApprovalStatus::Approved);
}

#[test]
fn a_status_of_a_later_version_is_not_an_approval() {
    let store = Store::in_memory().unwrap();
    let token = hold(&store);
    let change = "UPDATE holds SET status = 'Approved'";
    store.connection().execute(change, []).unwrap();
    assert_eq!(status(&store, &token), ApprovalStatus::Denied);
}

#[test]
fn an_event_is_kept_once_for_each_tenant() {
    let event = |tenant: &str, id: &str| StoredEvent {
        tenant_id: tenant.to_owned(),
        event_id: id.to_owned(),
        session_id: "s".to_owned(),
        event_type: "TOOL_CALL_PRE".to_owned(),
        body: "{}".to_owned(),
    };
    let store = Store::in_memory().unwrap();
    let batch = [event("a", "1"), event("a", "2"), event("a", "1")];
    assert_eq!(store.keep_events(&batch).unwrap(), 2);
    assert_eq!(store.keep_events(&batch).unwrap(), 0);
    assert_eq!(store.keep_events(&[event("b", "1")]).unwrap(), 1);
    assert_eq!(store.event_count().unwrap(), 3);
}

#[test]
fn what_is_older_than_ninety_days_is_forgotten_and_nothing_else() {
    let store = Store::in_memory().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seconds = Arc::new(AtomicU64::new(now.as_secs() - 91 * 86_400));
    let store = at(store, &seconds);
    hold(&store);
    seconds.store(now.as_secs() - 88 * 86_400, Ordering::SeqCst);
    let kept = hold(&store);
    seconds.store(now.as_secs(), Ordering::SeqCst);
    store.keep_events(&[]).unwrap();
    assert_eq!(store.approvals(None).unwrap().len(), 2, "a day later");
    seconds.store(now.as_secs() + 86_401, Ordering::SeqCst);
    store.keep_events(&[]).unwrap();
    let left = store.approvals(None).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].token, kept);
}

#[test]
fn an_approval_that_nobody_used_in_time_is_none() {
    let seconds = Arc::new(AtomicU64::new(1_000));
    let store = at(Store::in_memory().unwrap(), &seconds);
    let token = hold_of(&store, &binding(), true);
    let approval = store
        .resolve(&token, Resolution::Approve, "ann", None)
        .unwrap();
    let redeem = |at: u64, use_id: &str| {
        seconds.store(at, Ordering::SeqCst);
        let claim = Claim::for_test(&binding(), use_id.repeat(32));
        store.redeem(&approval, Some(&claim)).unwrap()
    };
    // A minute of the hold, and one more.
    assert_eq!(redeem(1_120, "a"), Err(Mismatch::Late));
    assert_eq!(redeem(1_119, "a"), Ok(()));
    // Whoever used it may ask again, since an answer can be lost.
    assert_eq!(redeem(9_000, "a"), Ok(()));
    assert_eq!(redeem(9_000, "b"), Err(Mismatch::Used));
}

#[test]
fn many_open_a_new_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // Who comes first differs from round to round.
    for round in 0..50 {
        let path = folder.path().join(format!("{round}.db"));
        let start = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    hold(&Store::open(&path).unwrap())
                });
            }
        });
        let store = Store::open(&path).unwrap();
        assert_eq!(store.approvals(None).unwrap().len(), 8);
    }
}

#[test]
fn a_file_that_is_no_store_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enforcer.db");
    std::fs::write(
        &path,
        "not a database, but long enough to be read as a header".repeat(20),
    )
    .unwrap();
    let error = Store::open(&path).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot open the enforcer's store `"),
        "{error}"
    );
    assert!(Store::open(&folder.path().join("no/such/folder/x.db")).is_err());
}

#[test]
fn a_database_of_another_program_or_a_later_version_is_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for (name, sql, refused) in [
        (
            "tables",
            "CREATE TABLE notes (body TEXT)",
            "another program's",
        ),
        (
            "holds",
            "CREATE TABLE holds (token TEXT)",
            "another program's",
        ),
        ("number", "PRAGMA user_version = 1", "another program's"),
        ("mark", "PRAGMA application_id = 7", "another program's"),
        (
            "later",
            "PRAGMA application_id = 0x54484F45; PRAGMA user_version = 2; CREATE TABLE holds (a)",
            "of a later version (format 2, and this program knows 1)",
        ),
    ] {
        let path = folder.path().join(name);
        rusqlite::Connection::open(&path)
            .and_then(|other| other.execute_batch(sql))
            .unwrap();
        // Its owner has crashed: what it wrote last is not merged.
        let owner = rusqlite::Connection::open(&path).unwrap();
        if name == "tables" {
            let wrote = "PRAGMA journal_mode = WAL; INSERT INTO notes VALUES ('a')";
            owner.execute_batch(wrote).unwrap();
        }
        std::mem::forget(owner);
        let before = std::fs::read(&path).unwrap();
        let error = Store::open(&path).unwrap_err().to_string();
        assert!(error.contains(refused), "{name}: {error}");
        assert!(error.contains("move"), "{name}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name}");
    }
}

#[test]
fn tokens_fit_the_alphabet_that_clients_extract() {
    let store = Store::in_memory().unwrap();
    let (first, second) = (hold(&store), hold(&store));
    assert_ne!(first, second);
    assert_eq!(first.len(), "hold_".len() + 32);
    assert!(first.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
}
