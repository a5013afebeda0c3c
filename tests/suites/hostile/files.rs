//! Tools that want more of a folder than is granted, or another one.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, symlink},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde_json::{Value, json};
use thoth_tests::Thoth;

use super::row::{Row, rust};

/// What may be done is read; `{home}` is the home of the row.
const READ: [&str; 2] = ["--allow-dir", "{home}/granted:/docs:ro"];

/// What may be done is anything.
const WRITE: [&str; 2] = ["--allow-dir", "{home}/writable:/out:rw"];

/// The tool is told no, and goes on.
const TOLD: &[&str] = &["tool_error"];

pub(crate) fn rows() -> Vec<Row> {
    [
        ungranted(),
        reads(),
        changes(),
        escapes(),
        crossings(),
        floods(),
        state(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A folder to grant, one to write to, and one that is nobody's business but has a link to it.
pub(crate) fn lay_out(thoth: &Thoth) {
    let at = |name: &str| thoth.path(name);
    for folder in ["granted/notes", "writable", "outside"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    let private = fs::DirBuilder::new().mode(0o700).create(thoth.state_dir());
    private.unwrap();
    fs::write(at("granted/a.md"), "inside").unwrap();
    fs::write(at("granted/notes/b.md"), "inside").unwrap();
    fs::write(at("outside/secret.txt"), "outside").unwrap();
    symlink("../outside/secret.txt", at("granted/out")).unwrap();
    symlink("../outside", at("granted/outer")).unwrap();
    symlink("/", at("granted/root")).unwrap();
    symlink("loop", at("granted/loop")).unwrap();
    symlink(thoth.state_dir(), at("link-to-state")).unwrap();
}

/// All that must be as it was: names, contents, times, targets of links.
pub(crate) fn snapshot(thoth: &Thoth) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut seen = Vec::new();
    for folder in ["granted", "outside"] {
        look(&thoth.path(folder), &mut seen);
    }
    seen.sort();
    seen
}

fn look(folder: &Path, seen: &mut Vec<(PathBuf, Vec<u8>, SystemTime)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_symlink() {
            fs::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else if metadata.is_dir() {
            look(&path, seen);
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        seen.push((path, content, metadata.modified().unwrap()));
    }
}

fn touches(act: &str, path: &str, other: &str) -> Row {
    let arguments = json!({"act": act, "path": path, "other": other});
    let what = format!("{act} {path:?} {other:?}");
    rust("H14", "touches")
        .given(arguments)
        .called(what.trim_end_matches(" \"\""))
}

fn ungranted() -> Vec<Row> {
    let paths = [
        "/etc/passwd",
        "/docs/a.md",
        "../../etc/passwd",
        "/proc/self/environ",
    ];
    paths
        .map(|path| {
            touches("read", path, "")
                .called(&format!("reads {path} without a grant"))
                .fails(TOLD)
        })
        .into()
}

/// The rows below mean something only if these get through.
fn reads() -> Vec<Row> {
    let inside = |text: &Value| text == "inside";
    vec![
        touches("read", "/docs/a.md", "").flags(READ).gives(inside),
        touches("read", "/docs/notes/../a.md", "")
            .flags(READ)
            .gives(inside),
        touches("write", "/out/new.md", "")
            .flags(WRITE)
            .gives(|text| text == ""),
        touches("make_folder", "/out/new", "")
            .flags(WRITE)
            .gives(|text| text == ""),
    ]
}

/// Read-only is read-only.
fn changes() -> Vec<Row> {
    let acts = [
        ("write", "/docs/a.md", ""),
        ("write", "/docs/new.md", ""),
        ("append", "/docs/a.md", ""),
        ("truncate", "/docs/a.md", ""),
        ("rename", "/docs/a.md", "/docs/b.md"),
        ("link", "/docs/a.md", "/docs/b.md"),
        ("symlink", "a.md", "/docs/b.md"),
        ("remove", "/docs/a.md", ""),
        ("remove", "/docs/out", ""),
        ("make_folder", "/docs/new", ""),
        ("set_times", "/docs/a.md", ""),
        ("set_times", "/docs/notes", ""),
        ("write_unopened", "/docs/a.md", ""),
    ];
    acts.map(|(act, path, other)| touches(act, path, other).flags(READ).fails(TOLD))
        .into()
}

/// What leads out of the folder.
fn escapes() -> Vec<Row> {
    let paths = [
        "/docs/../outside/secret.txt",
        "/docs/./../outside/secret.txt",
        "/docs/notes/../../outside/secret.txt",
        "//docs//..//outside/secret.txt",
        "/docs/out",
        "/docs/outer/secret.txt",
        "/docs/outer/../outside/secret.txt",
        "/docs/root/etc/passwd",
        "/docs/loop",
        "/docs/a.md/../../outside/secret.txt",
        "/docs/a.md\0.txt",
        "/docs\\..\\outside\\secret.txt",
        "/etc/passwd",
        "/",
    ];
    let mut rows: Vec<Row> = paths
        .map(|path| touches("read", path, "").flags(READ).fails(TOLD))
        .into();
    for target in [
        "../outside/secret.txt",
        "/etc/passwd",
        "../granted/a.md",
        "/docs/a.md",
    ] {
        let row = touches("link_and_read", target, "/out/link");
        rows.push(row.flags(READ).flags(WRITE).fails(TOLD));
    }
    rows
}

/// From a folder that may be read into one that may be written, and back.
fn crossings() -> Vec<Row> {
    let acts = [
        ("rename", "/docs/a.md", "/out/a.md"),
        ("link", "/docs/a.md", "/out/a.md"),
        ("rename", "/docs/notes", "/out/notes"),
        ("write", "/out/../granted/a.md", ""),
        ("write", "/out/../outside/secret.txt", ""),
    ];
    acts.map(|(act, path, other)| {
        touches(act, path, other)
            .flags(READ)
            .flags(WRITE)
            .fails(TOLD)
    })
    .into()
}

fn floods() -> Vec<Row> {
    const LIMITS: &[&str] = &["limit_resources", "limit_transfer", "trap"];
    vec![
        rust("H14", "opens_often")
            .with(json!({"path": "/docs/a.md", "count": 100_000}))
            .flags(READ)
            .fails(LIMITS)
            .gives(|opened| opened.as_u64().is_some_and(|opened| opened <= 128)),
        rust("H14", "writes_much")
            .with(json!({"path": "/out/much", "mebibytes": 1_024}))
            .flags(WRITE)
            .fails(LIMITS)
            .gives(|written| written.as_u64().is_some_and(|written| written <= 64)),
    ]
}

/// The folder with our own state is granted to nobody, under no name.
fn state() -> Vec<Row> {
    let folders = [
        "{home}/state:/s:rw",
        "{home}/state:/s:ro",
        "{home}/granted/../state:/s:ro",
        "{home}/link-to-state:/s:ro",
        "{home}:/home:ro",
        "/:/all:ro",
    ];
    let row = |folder: &str| {
        touches("read", "/s/events.db", "")
            .called_in("H23", &format!("is granted {folder}"))
            .flags(["--allow-dir", folder])
            .stays_out(&["state"])
    };
    folders.map(row).into()
}
