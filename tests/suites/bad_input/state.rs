//! A state folder that cannot be used, a log that is broken, a disk that is full.

use super::*;

#[test]
fn a_state_folder_that_cannot_be_written_is_a_host_error() {
    let thoth = thoth();
    let service = Faultd::start();
    let file = thoth.file("plain", "a file, not a folder");
    for folder in [file.clone(), file.join("state")] {
        let call = thoth.bare().arg("call").arg(tool("canary")).args([
            "sing",
            r#"{"note":"x"}"#,
            "--json",
        ]);
        let run = call
            .arg("--state-dir")
            .arg(&folder)
            .args(["--enforcer-url", &service.url()])
            .run();
        let line = run.error(HOST_ERROR);
        assert!(line.contains("--state-dir"), "{line}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "a file, not a folder");
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn a_broken_log_is_an_error_and_is_kept_as_it_is() {
    let (thoth, service) = (thoth(), Faultd::start());
    assert_eq!(
        sing(&thoth)
            .args(["--enforcer-url", &service.url()])
            .run()
            .json(0)["outcome"],
        "completed"
    );
    let log = thoth.state_dir().join("events.db");
    let broken = vec![b'x'; 8192];
    fs::write(&log, &broken).unwrap();
    for left in ["events.db-wal", "events.db-shm"] {
        // The log could be repaired from these.
        let _ = fs::remove_file(thoth.state_dir().join(left));
    }
    let run = sing(&thoth).args(["--enforcer-url", &service.url()]).run();
    let _line = run.error(HOST_ERROR);
    assert_eq!(fs::read(&log).unwrap(), broken);
}

#[test]
fn on_a_full_disk_nothing_runs_and_nothing_is_lost() {
    let namespaces = Command::new("unshare").args(["-Urm", "true"]).output();
    if !namespaces.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a small file system of one's own needs `unshare -Urm`");
        return;
    }
    let (thoth, service) = (thoth(), Faultd::start());
    fs::create_dir_all(thoth.state_dir()).unwrap();
    // One call, a full disk, another call, and the disk freed again.
    let script = r#"
        state=$1 url=$2 note=$3 thoth=$4 canary=$5
        mount -t tmpfs -o size=4m,mode=0700 thoth "$state" || exit 90
        call() { "$thoth" call "$canary" sing "$note" --json --state-dir "$state" --enforcer-url "$url" --session-id "$1"; echo "exit $?"; }
        call first
        dd if=/dev/zero of="$state/fill" bs=4k >/dev/null 2>&1
        call full
        rm "$state/fill"
        call after"#;
    let run = Thoth::new("unshare")
        .bare()
        .args(["-Urm", "sh", "-c", script, "sh"])
        .arg(thoth.state_dir())
        .args([
            &service.url(),
            r#"{"note":"hello"}"#,
            env!("CARGO_BIN_EXE_thoth"),
        ])
        .arg(tool("canary"))
        .run();
    let lines: Vec<&str> = run.assert_code(0).stdout.lines().collect();
    assert!(
        lines[0].contains("completed") && lines[1] == "exit 0",
        "{run}"
    );
    let full = lines[2..lines.len() - 2].join("\n");
    let refused = full.contains("not_recorded") && full.contains("exit 3");
    assert!(
        refused || full == "exit 1",
        "the call on the full disk: {run}"
    );
    assert!(!full.contains("canary-sang"), "{run}");
    assert!(
        lines[lines.len() - 2].contains("completed") && lines[lines.len() - 1] == "exit 0",
        "{run}"
    );
    assert_eq!(
        service.event_types("first"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
    assert_eq!(
        service.event_types("after"),
        ["TOOL_CALL_PRE", "TOOL_CALL_POST"]
    );
    assert!(
        !service
            .event_types("full")
            .contains(&"TOOL_CALL_POST".to_owned())
    );
    assert_eq!(service.requests_to(Site::Other).len(), 0);
}
