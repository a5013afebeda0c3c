//! What a row of the table cannot say: two sides at once, and a policy that forbids.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::json;
use thoth_tests::{Thoth, flags, hostile, tool};

use super::{POLICY, files};

/// H14: what is checked must be what is opened.
#[test]
fn a_name_that_turns_into_a_link_while_it_is_opened_leads_nowhere() {
    const READS: u32 = 9_000;
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    files::lay_out(&thoth);
    let folder = thoth.path("granted");
    let grant = format!("{}:/docs:ro", folder.display());
    let grants = ["--allow-dir", &grant];
    if flags::wait_for(&grants) {
        println!("waits for --allow-dir");
        return;
    }
    let policy = thoth.file("policy.cedar", POLICY);
    let done = AtomicBool::new(false);
    let run = thread::scope(|scope| {
        scope.spawn(|| {
            let (flips, next) = (folder.join("flips"), folder.join("next"));
            while !done.load(Ordering::Relaxed) {
                // Each is put in place of the other at one stroke.
                fs::write(&next, "inside").unwrap();
                fs::rename(&next, &flips).unwrap();
                symlink("../outside/secret.txt", &next).unwrap();
                fs::rename(&next, &flips).unwrap();
            }
        });
        let call = thoth.call(tool("hostile")).arg("reads_often");
        let call = call.arg(json!({"path": "/docs/flips", "count": READS}).to_string());
        let call = call.args(["--tool-timeout", "5m"]);
        let run = call.args(grants).arg("--policy").arg(policy).run();
        done.store(true, Ordering::Relaxed);
        run
    });
    // A file that is just being written reads as nothing.
    let strange = run.json(0)["result"].clone();
    assert!(strange == json!([]) || strange == json!([""]), "{run}");
}

/// H21: an interface of the governor's name is an export like others; what decides is the policy.
#[test]
fn a_tool_that_exports_a_policy_is_governed_as_any_other() {
    let thoth = Thoth::new(env!("CARGO_BIN_EXE_thoth"));
    let component = thoth.file("hostile.wasm", hostile("exports_a_policy"));
    let policy = thoth.file("policy.cedar", "forbid (principal, action, resource);");
    let call = thoth.call(component).args(["run", "{}"]);
    let json = call.arg("--policy").arg(policy).run().json(3);
    assert_eq!(json["outcome"], "refused");
    assert_eq!(json["cause"], "policy");
}
