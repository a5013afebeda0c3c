//! The hostile corpus: whatever a component does, it ends as a refusal to load, a failed call with a
//! cause, or a result that gave it nothing, and the next call of a good tool runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "hostile/compute.rs"]
mod compute;
#[path = "hostile/row.rs"]
mod row;
#[path = "hostile/seen.rs"]
mod seen;

use std::sync::Mutex;

use row::Row;
use seen::Seen;
use thoth_tests::{Thoth, flags, table, tool};

/// Everything is allowed: the sandbox is under test, not the policy.
const POLICY: &str = "permit (principal, action, resource);";

fn rows() -> Vec<Row> {
    [compute::rows()].into_iter().flatten().collect()
}

#[test]
fn every_hostile_tool_is_contained() {
    let (waiting, rows): (Vec<Row>, Vec<Row>) = rows().into_iter().partition(|row| row.waits());
    let told = Mutex::new(Vec::new());
    let (total, waiting) = (rows.len(), waiting.len());
    table::each(&rows, Row::name, |row| {
        let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
        let policy = thoth.file("policy.cedar", POLICY);
        let run = row.call(&thoth).arg("--policy").arg(&policy).run();
        let seen = Seen::of(&run);
        told.lock()
            .unwrap()
            .push(format!("{:<60} {seen}", row.name()));
        row.assert_contained(&seen);
        let sings = thoth
            .call(tool("canary"))
            .args(["sing", r#"{"note":"on"}"#]);
        let json = sings.arg("--policy").arg(&policy).run().json(0);
        assert_eq!(json["result"], "canary-sang-41c7f0:on");
    });
    let mut told = told.into_inner().unwrap();
    told.sort();
    println!("{}", told.join("\n"));
    println!(
        "contained {}/{total}, {waiting} wait for a flag",
        told.len()
    );
}

#[test]
fn no_row_waits_for_a_flag_that_is_there() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let help = thoth.bare().args(["call", "--help"]).run();
    let known = |flag: &&&str| help.stdout.split_whitespace().any(|word| word == **flag);
    let landed: Vec<_> = flags::MISSING.iter().filter(known).collect();
    assert!(
        landed.is_empty(),
        "`thoth call` has {landed:?} now: delete the lines of `MISSING`"
    );
}
