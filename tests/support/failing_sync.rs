//! A disk whose syncs fail, for one process: a small library that is compiled here and preloaded.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The library, in `folder`; `None` where there is no `cc`, which is said.
///
/// # Panics
///
/// If a compiler is there and fails.
#[must_use]
pub fn compile(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (
        folder.join("failing_sync.c"),
        folder.join("failing_sync.so"),
    );
    std::fs::write(&source, include_str!("failing_sync.c")).expect("a file in the folder");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output();
    match compiled {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "cc failed: {said}");
            Some(library)
        }
        Err(error) => {
            eprintln!("skipped: a disk that fails needs `cc`: {error}");
            None
        }
    }
}
