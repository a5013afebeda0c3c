//! Read-only is read-only, whatever the guest asks.

use crate::stage::Stage;

/// Every way to change something, through every kind of descriptor that a read-only folder gives out.
const CHANGES: [&str; 35] = [
    "open x /docs new create",
    "open x /docs new create,write",
    "open x /docs new create,exclusive",
    "open x /docs a.md exclusive",
    "open x /docs a.md exclusive,read",
    "open x /docs a.md truncate",
    "open x /docs a.md truncate,read",
    "open x /docs a.md truncate,write,follow",
    "open x /docs a.md write",
    "open x /docs a.md read,write",
    "open x /docs link-in write,follow",
    "open x /docs link-in truncate,follow",
    "open x sub b.md write",
    "open x sub new create,write",
    "open x sub-mutable b.md write",
    "open x sub-mutable new create",
    "write file 0 hacked",
    "stream-write file 0 3",
    "stream-write-now file 3",
    "zeroes file 3",
    "append file 3",
    "set-size file 0",
    "set-size file 100",
    "set-times file",
    "set-times sub",
    "set-times /docs",
    "set-times-at /docs a.md ",
    "set-times-at /docs link-in follow",
    "set-times-at sub-mutable b.md ",
    "mkdir /docs new",
    "rmdir /docs sub/deep",
    "unlink /docs a.md",
    "unlink sub b.md",
    "symlink /docs a.md new",
    "splice file file 3",
];

#[tokio::test]
async fn a_read_only_folder_does_not_change() {
    let stage = Stage::new();
    let before = stage.tree("");
    let mut call = stage.call(&["docs:/docs:ro", "out:/out:ro"]).await;
    let opened = call
        .run([
            &["open", "file", "/docs", "a.md", "read"],
            &["open", "sub", "/docs", "sub", "directory,read"],
            &[
                "open",
                "sub-mutable",
                "/docs",
                "sub",
                "directory,read,mutate",
            ],
        ])
        .await;
    assert_eq!(opened, ["ok", "ok", "ok"]);
    for change in CHANGES {
        assert_eq!(call.step(change).await, "read-only", "{change}");
    }
    for (from, to) in [("/docs", "/docs"), ("/docs", "/out"), ("sub", "/docs")] {
        let [renamed, linked] = call
            .run([
                &["rename", from, "a.md", to, "new"],
                &["link", from, "a.md", to, "new", ""],
            ])
            .await;
        assert_eq!((&*renamed, &*linked), ("read-only", "read-only"));
    }
    assert_eq!(stage.tree(""), before);
}

#[tokio::test]
async fn a_read_only_folder_is_read() {
    let stage = Stage::new();
    let before = stage.tree("");
    let mut call = stage.call(&["docs:/docs:ro"]).await;
    let rows = call
        .run([
            &["open", "file", "/docs", "a.md", "read"],
            &["read", "file"],
            &["stream-read", "file"],
            &["sync", "file"],
            &["sync-data", "file"],
            &["advise", "file"],
            &["stat", "/docs", "sub/b.md"],
            &["open", "linked", "/docs", "link-in", "read,follow"],
            &["read", "linked"],
            &["same", "file", "linked"],
            &["readlink", "/docs", "link-in"],
            // An absolute one would tell where things are on the host.
            &["readlink", "/docs", "link-absolute"],
            &["list", "/docs"],
        ])
        .await;
    assert_eq!(
        rows,
        [
            "ok",
            "ok: text of a",
            "ok: text of a",
            "ok",
            "ok",
            "ok",
            "ok: DescriptorType::RegularFile 9",
            "ok",
            "ok: text of a",
            "ok: true",
            "ok: a.md",
            "not-permitted",
            "ok: a.md link-absolute link-folder-out link-in link-loop link-out link-sub sub",
        ]
    );
    assert_eq!(stage.tree(""), before);
    let usage = call.files().usage();
    assert_eq!((usage.files_opened, usage.bytes_read), (2, 27));
}

#[tokio::test]
async fn nothing_goes_from_a_writable_folder_into_a_read_only_one() {
    let stage = Stage::new();
    let before = stage.tree("docs");
    let mut call = stage.call(&["docs:/docs:ro", "out:/out:rw"]).await;
    for step in [
        "rename /out a.md /docs a.md",
        "rename /docs a.md /out taken",
        "link /out a.md /docs new ",
        "link /docs a.md /out new ",
    ] {
        assert_eq!(call.step(step).await, "read-only", "{step}");
    }
    assert_eq!(stage.tree("docs"), before);
}
