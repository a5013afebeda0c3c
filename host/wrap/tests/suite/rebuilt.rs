//! What is embedded is what the sources are: built again from a copy of them in another folder, the
//! adapter is the same to the byte, so anybody can find the digest that a seal names.

use std::fs;
use std::path::Path;
use std::process::Command;

use thoth_tests::tools::workspace;
use thoth_wrap::{Digest, Options, wrap};

use crate::plain_host::bytes;

#[test]
fn the_adapter_that_a_seal_names_can_be_built_again_from_its_sources() {
    let elsewhere = tempfile::tempdir().unwrap();
    copy(workspace(), elsewhere.path());
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(elsewhere.path())
        .args(["build", "--quiet", "--locked", "--offline"])
        .args(["--package", "thoth-adapter", "--profile", "governor"])
        .args(["--target", "wasm32-wasip2", "--target-dir", "again"]);
    // What is meant for the native build, as the build script has it.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTC",
    ] {
        cargo.env_remove(name);
    }
    let output = cargo.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let module = "again/wasm32-wasip2/governor/thoth_adapter.wasm";
    let again = fs::read(elsewhere.path().join(module)).unwrap();

    let wrapped = wrap(&bytes("choir"), &bytes("test-gate"), &Options::default());
    let named = wrapped.unwrap().seal.adapter.unwrap();
    assert_eq!(Digest::of(&again), named);
}

/// Copies a folder, without what is built, fetched or not for cargo.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (name, kind) = (entry.file_name(), entry.file_type().unwrap());
        let to = to.join(&name);
        if kind.is_dir() {
            let hidden = name.to_string_lossy().starts_with('.');
            if name != "target" && name != "node_modules" && !hidden {
                fs::create_dir(&to).unwrap();
                copy(&entry.path(), &to);
            }
        } else if kind.is_file() {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
