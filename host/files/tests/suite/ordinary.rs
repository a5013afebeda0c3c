//! An ordinary tool, by way of its language's library, does not notice any of this.

use std::fs;

use crate::stage::Stage;

#[tokio::test]
async fn the_standard_library_works() {
    for access in ["rw", "rw,govern"] {
        let stage = Stage::new();
        let mut call = stage
            .call(&[&format!("out:/out:{access}"), "docs:/docs:ro"])
            .await;
        for (step, result) in [
            ("preopens", "ok: /out /docs"),
            ("std-read /docs/sub/b.md", "ok: text of b"),
            ("std-write /out/sub/new.txt written", "ok"),
            ("std-read /out/sub/new.txt", "ok: written"),
            ("std-mkdir /out/x/y/z", "ok"),
            ("std-rename /out/sub/new.txt /out/x/y/new.txt", "ok"),
            ("std-list /out/x/y", "ok: new.txt z"),
            ("std-list /docs/sub", "ok: b.md deep"),
            ("std-remove /out/x/y/new.txt", "ok"),
            ("std-list /out/x/y", "ok: z"),
            ("std-write /docs/new x", "ReadOnlyFilesystem"),
            ("std-remove /docs/a.md", "ReadOnlyFilesystem"),
            ("std-read /docs/none", "NotFound"),
            ("std-read /outside/canary", "NotFound"),
        ] {
            assert_eq!(call.step(step).await, result, "{access} {step}");
        }
        assert!(!stage.path("out/x/y/new.txt").exists());
        assert_eq!(fs::read_dir(stage.path("docs")).unwrap().count(), 8);
    }
}

#[tokio::test]
async fn what_is_written_is_what_is_read() {
    let stage = Stage::new();
    let mut call = stage.call(&["out:/out:rw"]).await;
    for (step, result) in [
        ("open f /out new create,read,write", "ok"),
        ("write f 0 hello", "ok: 5"),
        ("append f 3", "ok"),
        ("write f 4 -", "ok: 1"),
        ("read f", "ok: hell-ppp"),
        ("set-size f 4", "ok"),
        ("stream-read f", "ok: hell"),
        ("open g /out copy create,write", "ok"),
        ("splice g f 10", "ok: 4"),
        ("set-times f", "ok"),
    ] {
        assert_eq!(call.step(step).await, result, "{step}");
    }
    assert_eq!(fs::read_to_string(stage.path("out/new")).unwrap(), "hell");
    let usage = call.files().usage();
    assert_eq!(
        (usage.files_opened, usage.bytes_read, usage.bytes_written),
        (2, 16, 13)
    );
}
