//! Nothing outside of a granted folder is reached, even where it may be written to.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thoth_files::{Budgets, Folders};
use thoth_grants::Private;
use wasmtime_wasi::runtime::spawn_blocking;

use crate::stage::{CANARY, Call, Stage};

#[tokio::test]
async fn without_a_grant_there_is_no_folder() {
    let mut call = Call::new(Folders::default(), Budgets::default(), |_| true).await;
    assert_eq!(call.step("preopens").await, "ok");
    for step in [
        "std-read /etc/passwd",
        "std-read a.md",
        "std-list /",
        "std-write /tmp/x y",
    ] {
        assert!(!call.step(step).await.starts_with("ok"), "{step}");
    }
}

#[tokio::test]
async fn no_path_leaves_a_folder() {
    let stage = Stage::new();
    let canary = stage.path("outside/canary").display().to_string();
    for access in ["rw", "ro", "rw,govern", "ro,govern"] {
        let mut call = stage.call(&[&format!("docs:/docs:{access}")]).await;
        assert_eq!(
            call.step("open sub /docs sub directory").await,
            "ok",
            "{access}"
        );
        for (folder, path) in [
            ("/docs", "../outside/canary"),
            ("/docs", "sub/../../outside/canary"),
            ("/docs", "./../outside/canary"),
            ("/docs", "sub//..//..//outside/canary"),
            ("/docs", ".."),
            ("/docs", "../docs/a.md"),
            ("sub", "../a.md"),
            ("sub", "deep/../../a.md"),
            ("/docs", "link-out"),
            ("/docs", "link-folder-out/canary"),
            ("/docs", "link-folder-out"),
            ("/docs", "link-absolute"),
            ("/docs", "link-sub/../../outside/canary"),
            ("/docs", "link-loop"),
            ("/docs", "link-sub/deep/../../../outside/canary"),
            ("/docs", &canary),
            ("/docs", "/etc/passwd"),
            ("/docs", "/"),
            ("/docs", "/docs/a.md"),
            ("/docs", "..\\outside\\canary"),
            ("/docs", "sub\\b.md"),
            ("/docs", "a.md\0"),
            ("/docs", "\0"),
            ("/docs", ""),
        ] {
            let results = call
                .run([
                    &["open", "x", folder, path, "read,follow"],
                    &["open", "x", folder, path, "read"],
                    &["stat-target", folder, path],
                    &["set-times-at", folder, path, "follow"],
                ])
                .await;
            for result in results {
                assert!(
                    !result.starts_with("ok"),
                    "{access} {folder} {path:?}: {result}"
                );
            }
        }
        for path in ["a\\b", "a\0b", "/a", ""] {
            for results in [
                call.run([
                    &["stat", "/docs", path],
                    &["readlink", "/docs", path],
                    &["hash", "/docs", path],
                ])
                .await,
                call.run([
                    &["mkdir", "/docs", path],
                    &["unlink", "/docs", path],
                    &["open", "x", "/docs", path, "create,write"],
                ])
                .await,
                call.run([
                    &["rename", "/docs", "a.md", "/docs", path],
                    &["link", "/docs", path, "/docs", "new", ""],
                    &["symlink", "/docs", "a.md", path],
                ])
                .await,
            ] {
                for result in results {
                    assert!(!result.starts_with("ok"), "{access} {path:?}: {result}");
                }
            }
        }
    }
    assert_eq!(fs::read_to_string(&canary).unwrap(), CANARY);
    assert_eq!(fs::read_dir(stage.path("outside")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_writable_folder_is_no_way_out() {
    let stage = Stage::new();
    let (outside, docs) = (stage.tree("outside"), stage.tree("docs"));
    let canary = stage.path("outside/canary").display().to_string();
    for access in ["rw", "rw,govern"] {
        let mut call = stage.call(&[&format!("out:/out:{access}")]).await;
        let results = call
            .run([
                &["symlink", "/out", "../outside", "new"],
                &["symlink", "/out", "sub/../../outside", "new"],
                &["symlink", "/out", &canary, "new"],
                &["symlink", "/out", "/", "new"],
                &["symlink", "/out", "a\\..\\..", "new"],
                &["symlink", "/out", "a.md", "../new"],
                &["symlink", "/out", "a.md", "link-folder-out/new"],
                &["link", "/out", "../outside/canary", "/out", "new", ""],
                &["link", "/out", "link-out", "/out", "new", "follow"],
                &["link", "/out", "link-folder-out/canary", "/out", "new", ""],
                &["link", "/out", "a.md", "/out", "../outside/new", ""],
                &["link", "/out", "a.md", "/out", "link-folder-out/new", ""],
                &["rename", "/out", "../outside/canary", "/out", "new"],
                &["rename", "/out", "link-folder-out/canary", "/out", "new"],
                &["rename", "/out", "a.md", "/out", "../outside/new"],
                &["rename", "/out", "a.md", "/out", "link-folder-out/new"],
                &["mkdir", "/out", "../outside/new"],
                &["mkdir", "/out", "link-folder-out/new"],
                &["rmdir", "/out", "../outside"],
                &["rmdir", "/out", "link-folder-out"],
                &["unlink", "/out", "../outside/canary"],
                &["unlink", "/out", "link-folder-out/canary"],
                &["open", "x", "/out", "link-out", "write,truncate,follow"],
                &["open", "x", "/out", "link-absolute", "write,follow"],
                &[
                    "open",
                    "x",
                    "/out",
                    "link-folder-out/new",
                    "create,write,follow",
                ],
                &["open", "x", "/out", "../outside/new", "create,write"],
            ])
            .await;
        for (row, result) in results.iter().enumerate() {
            assert!(!result.starts_with("ok"), "{access} row {row}: {result}");
        }
    }
    // A hard link to a link is one more link that leads nowhere.
    let mut call = stage.call(&["out:/out:rw"]).await;
    let [linked, opened] = call
        .run([
            &["link", "/out", "link-out", "/out", "second", ""],
            &["open", "x", "/out", "second", "read,follow"],
        ])
        .await;
    assert_eq!((&*linked, &*opened), ("ok", "not-permitted"));
    assert_eq!(stage.tree("outside"), outside);
    assert_eq!(stage.tree("docs"), docs);
}

#[tokio::test]
async fn two_folders_are_as_two_disks() {
    let stage = Stage::new();
    let before = stage.tree("");
    let mut call = stage.call(&["docs:/docs:rw", "out:/out:rw"]).await;
    for step in [
        "rename /docs a.md /out new",
        "rename /out a.md /docs a.md",
        "link /docs a.md /out new ",
        "rename /docs sub /out new",
    ] {
        assert_eq!(call.step(step).await, "cross-device", "{step}");
    }
    assert_eq!(stage.tree(""), before);
}

#[tokio::test]
async fn a_link_that_is_swapped_in_leads_nowhere() {
    for access in ["ro", "rw", "ro,govern"] {
        let stage = Stage::new();
        let mut call = stage.call(&[&format!("docs:/docs:{access}")]).await;
        let done = std::sync::Arc::new(AtomicBool::new(false));
        let (folder, stop) = (stage.path("docs"), done.clone());
        // A file and a link out take turns under one name, as fast as they can; a folder as well.
        let swapper = spawn_blocking(move || {
            let mut swaps = 0;
            while !stop.load(Ordering::Relaxed) {
                for (name, link) in [("swap", "../outside/canary"), ("swap-sub", "../outside")] {
                    std::os::unix::fs::symlink(link, folder.join("next")).unwrap();
                    drop(fs::remove_dir_all(folder.join(name)));
                    fs::rename(folder.join("next"), folder.join(name)).unwrap();
                    fs::remove_file(folder.join(name)).unwrap();
                }
                fs::write(folder.join("swap"), "harmless").unwrap();
                fs::create_dir(folder.join("swap-sub")).unwrap();
                fs::write(folder.join("swap-sub/canary"), "harmless").unwrap();
                swaps += 1;
            }
            swaps
        });
        let (mut read, mut refused) = (0, 0);
        for _ in 0..1_500 {
            for path in ["swap", "swap-sub/canary"] {
                let [opened, text] = call
                    .run([
                        &["open", "swapped", "/docs", path, "read,follow"],
                        &["read", "swapped"],
                    ])
                    .await;
                if opened == "ok" {
                    assert_ne!(text, format!("ok: {CANARY}"), "{access} {path}");
                    read += 1;
                } else {
                    refused += 1;
                }
                let [written, _, _] = call
                    .run([
                        &["open", "swapped", "/docs", path, "write,truncate,follow"],
                        &["write", "swapped", "0", "overwritten"],
                        &["close", "swapped"],
                    ])
                    .await;
                assert!(access == "rw" || written == "read-only", "{written}");
            }
        }
        done.store(true, Ordering::Relaxed);
        let swaps: u32 = swapper.await;
        println!("{access}: {read} read, {refused} refused, {swaps} swaps");
        assert!(swaps > 0, "{access}");
        // How often each came of the race depends on the machine. That each does is shown without it.
        let swap = stage.path("docs").join("swap");
        drop(fs::remove_file(&swap));
        fs::write(&swap, "harmless").unwrap();
        let [opened, text] = call
            .run([
                &["open", "swapped", "/docs", "swap", "read,follow"],
                &["read", "swapped"],
            ])
            .await;
        assert_eq!((&*opened, &*text), ("ok", "ok: harmless"), "{access}");
        fs::remove_file(&swap).unwrap();
        std::os::unix::fs::symlink("../outside/canary", &swap).unwrap();
        let opened = call.step("open swapped /docs swap read,follow").await;
        assert_ne!(opened, "ok", "{access}");
        let canary = fs::read_to_string(stage.path("outside/canary")).unwrap();
        assert_eq!(canary, CANARY, "{access}");
    }
}

#[tokio::test]
async fn a_folder_is_the_one_that_was_opened() {
    let stage = Stage::new();
    let folders = Folders::open(&[stage.grant("docs:/docs:ro")], Arc::default()).unwrap();
    fs::rename(stage.path("docs"), stage.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("outside", stage.path("docs")).unwrap();
    let mut call = Call::new(folders, Budgets::default(), |_| true).await;
    let results = call
        .run([
            &["open", "canary", "/docs", "canary", "read"],
            &["open", "file", "/docs", "a.md", "read"],
        ])
        .await;
    assert_eq!(results, ["no-entry", "ok"]);
}

#[tokio::test]
async fn what_is_not_the_tool_s_is_not_opened_under_another_name() {
    let stage = Stage::new();
    let canary = stage.path("outside/canary");
    fs::hard_link(&canary, stage.path("docs/second")).unwrap();
    fs::hard_link(stage.path("docs/a.md"), stage.path("docs/third")).unwrap();
    for access in ["ro", "rw", "rw,govern"] {
        for (seen, may_be_seen) in [(stage.path("outside"), false), (canary.clone(), true)] {
            let mut private = Private::default();
            match may_be_seen {
                true => private.unchanged(seen),
                false => private.unseen(seen),
            }
            let grants = [stage.grant(&format!("docs:/docs:{access}"))];
            let folders = Folders::open(&grants, Arc::new(private)).unwrap();
            let mut call = Call::new(folders, Budgets::default(), |_| true).await;
            let read = call.step("open x /docs second read").await;
            let expected = if may_be_seen { "ok" } else { "access" };
            assert_eq!(read, expected, "{access}");
            assert_eq!(call.step("open own /docs third read").await, "ok");
            for flags in ["write", "write,truncate", "read,write,truncate,create"] {
                let wrote = call.step(&format!("open w /docs second {flags}")).await;
                let expected = if access == "ro" {
                    "read-only"
                } else {
                    "access"
                };
                assert_eq!(wrote, expected, "{access} {flags}");
            }
            // The kernel would empty what is opened, whoever's it is.
            for flags in ["truncate", "read,truncate", "truncate,create"] {
                let emptied = call.step(&format!("open e /docs second {flags}")).await;
                let expected = if access == "ro" {
                    "read-only"
                } else {
                    "invalid"
                };
                assert_eq!(emptied, expected, "{access} {flags}");
            }
            let made = call.step("open c /docs second create").await;
            assert_ne!(made, "ok", "{access}");
            assert_eq!(fs::read_to_string(&canary).unwrap(), CANARY, "{access}");
        }
    }
}

#[tokio::test]
async fn a_file_is_emptied_that_is_the_tool_s() {
    for access in ["rw", "rw,govern"] {
        let stage = Stage::new();
        let mut call = stage.call(&[&format!("out:/out:{access}")]).await;
        assert_eq!(call.step("open a /out a.md write,truncate").await, "ok");
        assert_eq!(fs::read_to_string(stage.path("out/a.md")).unwrap(), "");
    }
}

#[tokio::test]
async fn only_files_and_folders_are_opened() {
    let stage = Stage::new();
    let pipe = stage.path("docs/pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let _socket = std::os::unix::net::UnixListener::bind(stage.path("docs/socket")).unwrap();
    for access in ["ro", "rw", "rw,govern"] {
        let mut call = stage.call(&[&format!("docs:/docs:{access}")]).await;
        for path in ["pipe", "socket"] {
            let step = format!("open x /docs {path} read");
            assert_eq!(call.step(&step).await, "access", "{access}");
            let through = format!("open x /docs {path}/a read");
            assert_eq!(call.step(&through).await, "not-directory", "{access}");
        }
    }
    let mut call = stage.call(&["docs:/docs:rw"]).await;
    assert_eq!(call.step("open x /docs pipe write").await, "access");
}
