//! In a governed folder each file is asked about before it is opened.

use std::fs;

use thoth_files::{Budgets, Mode, Opening};

use crate::stage::Stage;

fn only_public(opening: &Opening) -> bool {
    opening.guest_path.starts_with("/docs/sub/") || opening.guest_path == "/docs/sub"
}

fn only_reading(opening: &Opening) -> bool {
    opening.mode == Mode::Read
}

#[tokio::test]
async fn each_opening_is_asked_about_with_its_whole_path() {
    let stage = Stage::new();
    let mut call = stage.call(&["docs:/docs:rw,govern", "out:/out:rw"]).await;
    for (step, asked) in [
        ("open f /docs a.md read", vec!["read /docs/a.md"]),
        (
            "open f /docs ./sub//deep/../b.md read",
            vec!["read /docs/sub/b.md"],
        ),
        ("open sub /docs sub directory", vec!["read /docs/sub"]),
        ("open again sub . directory", vec!["read /docs/sub"]),
        ("open f sub b.md read,write", vec!["write /docs/sub/b.md"]),
        (
            "open f sub b.md truncate,write",
            vec!["write+truncate /docs/sub/b.md"],
        ),
        (
            "open f sub new create,write",
            vec!["write+create /docs/sub/new"],
        ),
        ("open f sub new create", vec!["write+create /docs/sub/new"]),
        ("unlink sub new", vec!["write /docs/sub/new"]),
        ("mkdir /docs made", vec!["write+create /docs/made"]),
        (
            "rename sub b.md /docs c.md",
            vec!["write /docs/sub/b.md", "write+create /docs/c.md"],
        ),
        (
            "link /docs c.md sub d.md ",
            vec!["write /docs/c.md", "write+create /docs/sub/d.md"],
        ),
        ("symlink sub d.md e.md", vec!["write+create /docs/sub/e.md"]),
        ("set-times-at sub d.md ", vec!["write /docs/sub/d.md"]),
        ("rmdir /docs made", vec!["write /docs/made"]),
        ("list /docs", vec!["read /docs"]),
        // Once asked, a folder's handle may be listed.
        ("list sub", vec![]),
        ("stat /docs a.md", vec![]),
        ("open f /out a.md read", vec![]),
        ("unlink /out a.md", vec![]),
    ] {
        let result = call.step(step).await;
        assert!(result.starts_with("ok"), "{step}: {result}");
        assert_eq!(call.asked(), asked, "{step}");
    }
}

#[tokio::test]
async fn what_is_denied_does_not_happen() {
    let stage = Stage::new();
    let (docs, flags) = (stage.tree("docs"), ["docs:/docs:rw,govern"]);
    let mut call = stage.call_with(&flags, Budgets::default(), |_| false).await;
    for step in [
        "open f /docs a.md read",
        "open f /docs a.md write,truncate",
        "open f /docs new create,write",
        "open f /docs sub directory",
        "unlink /docs a.md",
        "mkdir /docs new",
        "rmdir /docs sub/deep",
        "rename /docs a.md /docs b.md",
        "link /docs a.md /docs b.md ",
        "symlink /docs a.md b.md",
        "set-times-at /docs a.md ",
        "list /docs",
    ] {
        assert_eq!(call.step(step).await, "access", "{step}");
        assert_eq!(call.asked().len(), 1, "{step}");
    }
    assert_eq!(stage.tree("docs"), docs);
    assert_eq!(call.files().usage(), Default::default());
}

#[tokio::test]
async fn what_local_rules_refuse_is_not_asked_about() {
    let stage = Stage::new();
    let mut call = stage
        .call(&["docs:/docs:ro,govern", "out:/out:rw,govern"])
        .await;
    for step in [
        "open f /docs a.md write",
        "open f /docs none read",
        "open f /docs ../outside/canary read",
        "open f /docs link-out read,follow",
        "unlink /docs a.md",
        "rename /docs a.md /out new",
        "rename /out a.md /docs new",
        "symlink /out ../outside new",
    ] {
        assert!(!call.step(step).await.starts_with("ok"), "{step}");
        assert_eq!(call.asked(), [""; 0], "{step}");
    }
}

#[tokio::test]
async fn no_link_leads_around_a_decision() {
    let stage = Stage::new();
    let at = |name: &str| stage.path("docs").join(name);
    fs::write(at("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", at("sub/link")).unwrap();
    std::os::unix::fs::symlink("..", at("sub/up")).unwrap();
    let flags = ["docs:/docs:rw,govern"];
    let mut call = stage
        .call_with(&flags, Budgets::default(), only_public)
        .await;
    for (step, result) in [
        ("open f /docs secret read", "access"),
        ("open f /docs sub/link read,follow", "loop"),
        ("open f /docs sub/link read", "loop"),
        ("open f /docs sub/up/secret read,follow", "not-directory"),
        ("open f /docs sub/up directory", "loop"),
        ("link /docs secret /docs sub/new ", "access"),
        ("rename /docs secret /docs sub/new", "access"),
        ("link /docs sub/b.md /docs secret2 ", "access"),
        ("open f /docs sub/b.md read", "ok"),
    ] {
        assert_eq!(call.step(step).await, result, "{step}");
    }
}

#[tokio::test]
async fn a_folder_that_was_moved_does_not_take_its_decision_with_it() {
    let stage = Stage::new();
    let at = |name: &str| stage.path("docs").join(name);
    fs::write(at("secret"), "secret").unwrap();
    let flags = ["docs:/docs:rw,govern"];
    let mut call = stage
        .call_with(&flags, Budgets::default(), only_public)
        .await;
    assert_eq!(call.step("open deep /docs sub/deep directory").await, "ok");
    // Somebody moves the folder to where nothing is allowed, and fills it.
    fs::rename(at("sub/deep"), at("private")).unwrap();
    fs::write(at("private/secret"), "secret").unwrap();
    assert_eq!(call.step("open f deep secret read").await, "no-entry");
    assert_eq!(call.step("unlink deep secret").await, "no-entry");
    assert!(at("private/secret").exists());
}

#[tokio::test]
async fn a_file_that_may_be_read_is_not_changed_through_its_handle() {
    let stage = Stage::new();
    let before = stage.tree("docs");
    let flags = ["docs:/docs:rw,govern"];
    let mut call = stage
        .call_with(&flags, Budgets::default(), only_reading)
        .await;
    assert_eq!(call.step("open f /docs a.md read").await, "ok");
    assert_eq!(call.step("open sub /docs sub directory").await, "ok");
    for (step, result) in [
        ("write f 0 hacked", "bad-descriptor"),
        ("append f 1", "bad-descriptor"),
        ("stream-write f 0 1", "bad-descriptor"),
        ("set-size f 0", "bad-descriptor"),
        ("set-times f", "not-permitted"),
        ("set-times sub", "not-permitted"),
        ("set-times /docs", "not-permitted"),
        ("read f", "ok: text of a"),
    ] {
        assert_eq!(call.step(step).await, result, "{step}");
    }
    assert_eq!(stage.tree("docs"), before);
}

#[tokio::test]
async fn what_is_swapped_in_while_the_gate_decides_is_not_opened() {
    for (step, swapped, link, result) in [
        (
            "open f /docs a.md read,follow",
            "a.md",
            "../outside/canary",
            "loop",
        ),
        ("open f /docs a.md read,follow", "a.md", "sub/b.md", "loop"),
        (
            "open f /docs a.md write,truncate",
            "a.md",
            "sub/b.md",
            "loop",
        ),
        (
            "open f /docs sub/b.md read",
            "sub",
            "../outside",
            "not-directory",
        ),
        (
            "open f /docs sub/new create,write",
            "sub",
            "../out",
            "not-directory",
        ),
        (
            "unlink /docs sub/b.md",
            "sub",
            "../out/sub",
            "not-directory",
        ),
        (
            "rename /docs a.md /docs sub/a.md",
            "sub",
            "../out",
            "not-directory",
        ),
    ] {
        let stage = Stage::new();
        let (outside, out) = (stage.tree("outside"), stage.tree("out"));
        let (path, aside) = (stage.path("docs").join(swapped), stage.path("aside"));
        let swap = move |_: &Opening| {
            if !aside.exists() {
                fs::rename(&path, &aside).unwrap();
                std::os::unix::fs::symlink(link, &path).unwrap();
            }
            true
        };
        let flags = ["docs:/docs:rw,govern"];
        let mut call = stage.call_with(&flags, Budgets::default(), swap).await;
        assert_eq!(call.step(step).await, result, "{step}");
        assert_eq!((stage.tree("outside"), stage.tree("out")), (outside, out));
    }
}

#[tokio::test]
async fn a_slash_after_a_name_asks_for_a_folder() {
    let stage = Stage::new();
    let mut call = stage.call(&["docs:/docs:rw,govern"]).await;
    for (step, result) in [
        ("open f /docs a.md/ read", "not-directory"),
        ("open f /docs sub/ read", "ok"),
        ("open f /docs new/ create,write", "invalid"),
    ] {
        assert_eq!(call.step(step).await, result, "{step}");
    }
    assert!(!stage.path("docs/new").exists());
}

#[tokio::test]
async fn what_is_not_governed_is_told_and_what_a_grant_refuses_too() {
    let stage = Stage::new();
    let mut call = stage.call(&["docs:/docs:ro", "out:/out:rw"]).await;
    for (step, ok, told, refused) in [
        (
            "open f /docs a.md read",
            true,
            vec!["read /docs/a.md"],
            vec![],
        ),
        ("unlink /out a.md", true, vec!["write /out/a.md"], vec![]),
        (
            "open f /docs a.md truncate,write",
            false,
            vec![],
            vec!["write+truncate /docs/a.md"],
        ),
        ("unlink /docs a.md", false, vec![], vec!["write /docs/a.md"]),
        (
            "open f /docs ../outside read",
            false,
            vec![],
            vec!["read /docs/../outside"],
        ),
    ] {
        let result = call.step(step).await;
        assert_eq!(result.starts_with("ok"), ok, "{step}: {result}");
        assert_eq!(call.told(), told, "{step}");
        assert_eq!(call.refused(), refused, "{step}");
        assert_eq!(call.asked(), Vec::<String>::new(), "{step}");
    }
}
