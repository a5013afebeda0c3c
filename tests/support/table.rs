//! Runs the rows of a table side by side and tells of every row that failed, not of the first.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Most rows wait for something, so more of them run at once than there are cores.
const AT_ONCE: usize = 6;

/// Checks every row. `name` tells them apart in the report.
///
/// # Panics
///
/// If `check` panicked for a row; the message lists all of those.
pub fn each<R: Sync>(rows: &[R], name: impl Fn(&R) -> String + Sync, check: impl Fn(&R) + Sync) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(rows.len()) {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(row))) {
                        let failure = format!("{}: {}", name(row), message(&*panic));
                        failures
                            .lock()
                            .expect("no panic while it is held")
                            .push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic while it was held");
    assert!(
        failures.is_empty(),
        "{} of {} rows failed:\n\n{}",
        failures.len(),
        rows.len(),
        failures.join("\n\n"),
    );
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic")
        .to_owned()
}
