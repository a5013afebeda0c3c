//! A log that cannot be used is refused with one line, and a damaged one never brings anything down.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;

use support::{Running, child_folder, event, log, open};
use thoth_outbox::{OpenError, Options, Outbox};

/// Nobody, as whom root runs the children that must meet permissions.
const NOBODY: u32 = 65534;

fn refusal(path: &Path) -> OpenError {
    let error = Outbox::open(path, "embedded", Options::default()).unwrap_err();
    let message = error.to_string();
    assert!(
        !message.contains('\n') && message.starts_with(char::is_lowercase)
            || message.starts_with('`')
    );
    error
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test]
async fn what_is_made_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    outbox.append(event("s", 1)).await.unwrap();
    assert_eq!(mode(&folder.path().join("state")), 0o700);
    for file in ["log.db", "log.db-wal", "log.db-shm"] {
        assert_eq!(
            mode(&folder.path().join("state").join(file)),
            0o600,
            "{file}"
        );
    }
}

#[test]
fn a_log_that_others_can_read_is_closed_to_them() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    fs::set_permissions(log(folder.path()), Permissions::from_mode(0o644)).unwrap();
    drop(open(folder.path()));
    assert_eq!(mode(&log(folder.path())), 0o600);
}

#[test]
fn a_folder_that_everyone_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
    assert!(matches!(
        refusal(&folder.path().join("log.db")),
        OpenError::OpenFolder { .. }
    ));
}

#[test]
fn a_link_is_refused_and_its_target_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (target, link) = (folder.path().join("target"), folder.path().join("log.db"));
    fs::write(&target, "mine").unwrap();
    symlink(&target, &link).unwrap();
    assert!(matches!(refusal(&link), OpenError::NotAFile { .. }));
    fs::remove_file(&target).unwrap();
    assert!(matches!(refusal(&link), OpenError::NotAFile { .. }));
    assert!(!target.exists());
}

#[test]
fn a_link_among_the_folders_is_fine() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink(folder.path().join("real"), &link).unwrap();
    Outbox::open(&link.join("log.db"), "embedded", Options::default()).unwrap();
}

#[test]
fn a_path_that_cannot_be_a_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(
        refusal(&file.join("log.db")),
        OpenError::Folder { .. }
    ));
    let inner = folder.path().join("folder");
    fs::create_dir(&inner).unwrap();
    assert!(matches!(refusal(&inner), OpenError::NotAFile { .. }));
    assert!(matches!(
        refusal(Path::new("/")),
        OpenError::NotAFile { .. }
    ));
    assert!(matches!(
        refusal(Path::new("..")),
        OpenError::NotAFile { .. }
    ));
}

/// A child's part, as a user who has no special rights: tries to open and prints the refusal.
#[test]
fn child_opens_and_is_refused() {
    let Some(folder) = child_folder() else { return };
    let error = refusal(&folder.join("log.db"));
    println!("\nrefused {error}");
}

/// Opens `log.db` in a folder as a user whom permissions stop.
fn refused_by_permissions(folder: &Path) -> String {
    let root = fs::metadata(folder).unwrap().uid() == 0;
    let mut child = Running::start("child_opens_and_is_refused", folder, |mut command| {
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    });
    let refused = child.rest("refused ").pop();
    child.process.wait().unwrap();
    refused.unwrap()
}

#[test]
fn a_folder_that_cannot_be_written_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let refused = refused_by_permissions(folder.path());
    assert!(
        refused.ends_with("for writing; check its permissions"),
        "{refused}"
    );
}

#[test]
fn a_log_that_cannot_be_written_to_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let refused = refused_by_permissions(folder.path());
    assert!(
        refused.ends_with("for writing; check its permissions"),
        "{refused}"
    );
    assert_eq!(mode(&file), 0o444);
}

#[test]
fn a_file_that_is_not_a_log_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("log.db");
    let text = "not a database, but long enough to be taken for one\n".repeat(100);
    fs::write(&file, &text).unwrap();
    assert!(matches!(refusal(&file), OpenError::NotALog { .. }));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    let other = folder.path().join("other.db");
    let database = rusqlite::Connection::open(&other).unwrap();
    database.execute_batch("CREATE TABLE theirs (x)").unwrap();
    // Its owner has crashed: what it wrote last is not merged.
    let wrote = "PRAGMA journal_mode = WAL; INSERT INTO theirs VALUES (1)";
    database.execute_batch(wrote).unwrap();
    std::mem::forget(database);
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o644)).unwrap();
    let before = std::fs::read(&other).unwrap();
    assert!(matches!(refusal(&other), OpenError::NotALog { .. }));
    // It is left as it was.
    assert_eq!(std::fs::read(&other).unwrap(), before);
    assert_eq!(mode(&other), 0o644);
}

#[test]
fn a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let database = rusqlite::Connection::open(log(folder.path())).unwrap();
    database.pragma_update(None, "user_version", 7).unwrap();
    drop(database);
    let refused = refusal(&log(folder.path()));
    assert!(matches!(
        refused,
        OpenError::Newer {
            found: 7,
            known: 2,
            ..
        }
    ));
}

/// Every byte of the pages that hold the tables' definitions and counters, and a sample of the rest.
#[tokio::test]
async fn a_damaged_log_is_an_error_or_works_but_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = open(folder.path());
    for number in 0..40 {
        outbox.append(event("s", number)).await.unwrap();
    }
    let whole = folder.path().join("whole.db");
    let database = rusqlite::Connection::open(log(folder.path())).unwrap();
    database
        .execute("VACUUM INTO ?1", [whole.to_str().unwrap()])
        .unwrap();
    let whole = fs::read(whole).unwrap();
    let mut damages: Vec<Vec<u8>> = Vec::new();
    for at in (0..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << fastrand::u8(0..8);
        damages.push(damaged);
    }
    for length in (0..whole.len()).step_by(1021) {
        damages.push(whole[..length].to_vec());
    }
    let mut opened = 0;
    for (number, damaged) in damages.iter().enumerate() {
        let path = folder.path().join(format!("{number}.db"));
        fs::write(&path, damaged).unwrap();
        if let Ok(outbox) = Outbox::open(&path, "embedded", Options::default()) {
            opened += 1;
            let _ = outbox.append(event("t", number)).await;
            let _ = outbox.status().await;
            // The writer is still there to answer.
            if let Err(error) = outbox.append(event("u", number)).await {
                assert!(!error.to_string().contains("writer has stopped"), "{error}");
            }
        }
    }
    assert!(opened > 0 && opened < damages.len());
}
