//! The hostile corpus: whatever a component does, it ends as a refusal to load, a failed call with a
//! cause, or a result that gave it nothing, and the next call of a good tool runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "hostile/admission.rs"]
mod admission;
#[path = "hostile/alone.rs"]
mod alone;
#[path = "hostile/bombs.rs"]
mod bombs;
#[path = "hostile/compute.rs"]
mod compute;
#[path = "hostile/files.rs"]
mod files;
#[path = "hostile/host_calls.rs"]
mod host_calls;
#[path = "hostile/mutation.rs"]
mod mutation;
#[path = "hostile/network.rs"]
mod network;
#[path = "hostile/rounds.rs"]
mod rounds;
#[path = "hostile/row.rs"]
mod row;
#[path = "hostile/seen.rs"]
mod seen;
#[path = "hostile/values.rs"]
mod values;

use std::sync::Mutex;

use row::Row;
use seen::Seen;
use thoth_tests::{Thoth, flags, table, tool};

/// As `thoth` itself has it: what is left behind is its doing as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Everything is allowed: the sandbox is under test, not the policy.
const POLICY: &str = "permit (principal, action, resource);";

fn rows() -> Vec<Row> {
    [
        admission::rows(),
        compute::rows(),
        files::rows(),
        host_calls::rows(),
        network::rows(),
        values::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Rows that end otherwise than they must, with what is wrong. Nothing escapes in them; who mends one
/// deletes its line, and is told so.
const OPEN: &[(&str, &str)] = &[];

#[test]
fn every_hostile_tool_is_contained() {
    let (waiting, rows): (Vec<Row>, Vec<Row>) = rows().into_iter().partition(Row::waits);
    let (lines, wrong) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    table::each(&rows, Row::name, |row| {
        let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
        let policy = thoth.file("policy.cedar", POLICY);
        files::lay_out(&thoth);
        let before = files::snapshot(&thoth);
        let run = row.call(&thoth).arg("--policy").arg(&policy).run();
        assert_eq!(files::snapshot(&thoth), before, "files changed: {run}");
        let seen = Seen::of(&run);
        let line = format!("{:<58} {seen}", row.name());
        let open = OPEN.iter().any(|(name, _)| *name == row.name());
        if row.is_contained(&seen) == open {
            wrong.lock().unwrap().push(line.clone());
        }
        lines.lock().unwrap().push(line);
        let sings = thoth
            .call(tool("canary"))
            .args(["sing", r#"{"note":"on"}"#]);
        let json = sings.arg("--policy").arg(&policy).run().json(0);
        assert_eq!(json["result"], "canary-sang-41c7f0:on");
    });
    let (mut lines, wrong) = (lines.into_inner().unwrap(), wrong.into_inner().unwrap());
    lines.sort();
    println!("{}", lines.join("\n"));
    assert_eq!(network::CANARY.connections(), 0, "the canary was reached");
    let strayed: Vec<String> = network::GRANTED.heads();
    let strayed = strayed.iter().find(|head| head.contains("secret"));
    assert_eq!(strayed, None, "a path that is not granted was asked for");
    println!(
        "contained {}/{}, {} wait for a flag, {} say the wrong thing",
        lines.len() - wrong.len(),
        rows.len(),
        waiting.len(),
        OPEN.len(),
    );
    assert!(
        wrong.is_empty(),
        "not as they must end (or mended, and still in `OPEN`):\n{}",
        wrong.join("\n")
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
