//! What one call may hold open, write and list.

use std::fs;

use thoth_files::Budgets;

use crate::stage::Stage;

fn small() -> Budgets {
    Budgets {
        open_files: 8,
        write_bytes: 100_000,
    }
}

#[tokio::test]
async fn a_hundred_thousand_files_are_opened_one_after_another() {
    let stage = Stage::new();
    let mut call = stage.call(&["docs:/docs:ro"]).await;
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    assert_eq!(call.step("open-often /docs a.md read 1").await, "ok");
    let before = descriptors();
    assert_eq!(call.step("open-often /docs a.md read 99999").await, "ok");
    assert_eq!(call.files().usage().files_opened, 100_000);
    // Other tests of this process open files as well.
    assert!(descriptors() < before + 1_000);
}

#[tokio::test]
async fn a_call_holds_no_more_open_than_it_may() {
    let stage = Stage::new();
    let mut call = stage.call(&["docs:/docs:ro"]).await;
    assert_eq!(
        call.step("hold /docs a.md read 100000").await,
        "ok: 128 then insufficient-memory"
    );
    let mut call = stage
        .call_with(&["docs:/docs:ro,govern"], small(), |_| true)
        .await;
    for (step, result) in [
        ("hold /docs a.md read 100", "ok: 8 then insufficient-memory"),
        (
            "hold /docs sub directory 100",
            "ok: 8 then insufficient-memory",
        ),
        // What is closed is free again, unless a stream keeps it.
        (
            "hold-by-stream /docs a.md 100",
            "ok: 8 then insufficient-memory",
        ),
        ("open f /docs a.md read", "ok"),
        ("hold-streams f 100", "ok: 16 then insufficient-memory"),
        ("hold /docs a.md read 100", "ok: 7 then insufficient-memory"),
        ("hold /docs none read 100", "ok: 0 then no-entry"),
        ("hold /docs a.md read 7", "ok: 7"),
    ] {
        assert_eq!(call.step(step).await, result, "{step}");
    }
    assert_eq!(call.asked().len(), 8 + 8 + 8 + 1 + 7 + 7);
}

#[tokio::test]
async fn a_call_writes_no_more_than_it_may() {
    for (write, refusal) in [
        ("write-bytes f 60000", "insufficient-space"),
        ("stream-write f 0 60000", "insufficient-space"),
        ("append f 60000", "insufficient-space"),
        ("stream-write-now f 60000", "insufficient-space"),
        ("zeroes f 60000", "insufficient-space"),
        ("set-size f 60000", "insufficient-space"),
    ] {
        let stage = Stage::new();
        let mut call = stage.call_with(&["out:/out:rw"], small(), |_| true).await;
        // A new name counts as well.
        assert_eq!(call.step("open f /out new create,write").await, "ok");
        let first = call.step(write).await;
        assert!(first.starts_with("ok"), "{write}: {first}");
        if write.starts_with("set-size") {
            assert_eq!(call.step("set-size f 0").await, "ok");
        }
        assert_eq!(call.step(write).await, refusal, "{write}");
        let length = fs::metadata(stage.path("out/new")).unwrap().len();
        assert!(length <= 100_000, "{write}: {length}");
        let usage = call.files().usage();
        assert!(usage.bytes_written <= 100_000 - 4_096, "{write}: {usage:?}");
    }
}

#[tokio::test]
async fn empty_files_are_not_free() {
    let stage = Stage::new();
    let mut call = stage.call_with(&["out:/out:rw"], small(), |_| true).await;
    for number in 0..24 {
        let step = match number % 4 {
            0 => format!("open f /out new{number} create,write"),
            1 => format!("mkdir /out new{number}"),
            2 => format!("symlink /out a.md new{number}"),
            _ => format!("link /out a.md /out new{number} "),
        };
        assert_eq!(call.step(&step).await, "ok", "{step}");
    }
    for step in [
        "open f /out more create,write",
        "mkdir /out more",
        "symlink /out a.md more",
        "link /out a.md /out more ",
    ] {
        assert_eq!(call.step(step).await, "insufficient-space", "{step}");
    }
    assert_eq!(call.step("open f /out new0 create,write").await, "ok");
    assert!(!stage.path("out/more").exists());
}

#[tokio::test]
async fn a_file_is_not_made_to_look_huge() {
    let stage = Stage::new();
    let mut call = stage.call_with(&["out:/out:rw"], small(), |_| true).await;
    assert_eq!(call.step("open f /out a.md write").await, "ok");
    for (step, result) in [
        ("write f 1099511627776 x", "file-too-large"),
        ("write f 18446744073709551615 x", "file-too-large"),
        ("stream-write f 1099511627776 1", "file-too-large"),
        ("set-size f 1099511627776", "insufficient-space"),
        ("set-size f 18446744073709551615", "insufficient-space"),
        ("write f 9 y", "ok: 1"),
    ] {
        assert_eq!(call.step(step).await, result, "{step}");
    }
    assert_eq!(fs::metadata(stage.path("out/a.md")).unwrap().len(), 10);
}

#[tokio::test]
async fn listings_are_bounded_together() {
    let stage = Stage::new();
    fs::create_dir(stage.path("docs/many")).unwrap();
    for number in 0..20_000 {
        fs::hard_link(
            stage.path("docs/a.md"),
            stage.path("docs/many").join(number.to_string()),
        )
        .unwrap();
    }
    let mut call = stage.call(&["docs:/docs:ro"]).await;
    for (step, result) in [
        ("open many /docs many directory", "ok"),
        ("hold-listings many 100", "ok: 3 then insufficient-memory"),
        ("hold-listings many 3", "ok: 3"),
        ("open deep /docs sub/deep directory", "ok"),
    ] {
        assert_eq!(call.step(step).await, result, "{step}");
    }
}
