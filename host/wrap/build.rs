//! Builds what goes into a wrapped component and hands their paths to the crate, which
//! embeds them.
//!
//! `THOTH_ADAPTER_WASM`, `THOTH_ENVIRONMENT_WASM` and `THOTH_INCOMING_WASM` name ready files instead, for
//! packagers who build them themselves.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages, and the variables that name what they build.
const MODULES: [(&str, &str); 3] = [
    ("thoth_adapter", "THOTH_ADAPTER_WASM"),
    ("thoth_environment", "THOTH_ENVIRONMENT_WASM"),
    ("thoth_incoming", "THOTH_INCOMING_WASM"),
];

fn main() {
    let mut folder = None;
    for (module, variable) in MODULES {
        println!("cargo::rerun-if-env-changed={variable}");
        let path = match env::var_os(variable) {
            Some(path) => PathBuf::from(path),
            None => {
                let folder = folder.get_or_insert_with(build);
                folder.join(format!("{module}.wasm"))
            }
        };
        println!("cargo::rerun-if-changed={}", path.display());
        println!("cargo::rustc-env={variable}={}", path.display());
    }
}

/// Builds all of them. The folder that they are in.
fn build() -> PathBuf {
    let workspace = Path::new(&var("CARGO_MANIFEST_DIR")).join("../..");
    for source in [
        "guest/adapter",
        "guest/arena",
        "guest/core",
        "guest/environment",
        "guest/incoming",
        "guest/interpreter",
        "guest/json",
        "guest/shell",
        "guest/wasi",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        let source = workspace.join(source);
        println!("cargo::rerun-if-changed={}", source.display());
    }
    // A target folder of its own: the outer cargo holds the lock on the usual one.
    let target = Path::new(&var("OUT_DIR")).join("adapter");
    let mut cargo = Command::new(var("CARGO"));
    cargo
        .current_dir(&workspace)
        .args(["build", "--package", "thoth-adapter"])
        .args(["--package", "thoth-environment"])
        .args(["--package", "thoth-incoming"])
        .args(["--profile", "governor", "--target", "wasm32-wasip2"])
        .arg("--target-dir")
        .arg(&target);
    // Flags and wrappers that are meant for the host's own build.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTC",
    ] {
        cargo.env_remove(name);
    }
    match cargo.output() {
        Ok(output) if output.status.success() => target.join("wasm32-wasip2/governor"),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let hint = if text.contains("can't find crate for `core`") {
                "\nthe wasm target is missing: run `rustup target add wasm32-wasip2`"
            } else {
                ""
            };
            fail(&format!(
                "the adapter's modules do not build:\n{text}{hint}"
            ))
        }
        Err(error) => fail(&format!(
            "cannot run cargo for the adapter's modules: {error}"
        )),
    }
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("{name} is not set; run this through cargo")))
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(1)
}
