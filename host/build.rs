//! Builds the governor component and hands its path to the crate, which embeds it.
//!
//! `THOTH_GOVERNOR_WASM` names a ready component instead, for packagers who build it themselves.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=THOTH_GOVERNOR_WASM");
    let governor = match env::var_os("THOTH_GOVERNOR_WASM") {
        Some(path) => PathBuf::from(path),
        None => build(),
    };
    println!("cargo::rerun-if-changed={}", governor.display());
    println!(
        "cargo::rustc-env=THOTH_GOVERNOR_WASM={}",
        governor.display()
    );
}

fn build() -> PathBuf {
    let workspace = Path::new(&var("CARGO_MANIFEST_DIR")).join("..");
    for source in ["guest", "wit", "Cargo.toml", "Cargo.lock"] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(source).display()
        );
    }
    // A target folder of its own: the outer cargo holds the lock on the usual one.
    let target = Path::new(&var("OUT_DIR")).join("governor");
    let mut cargo = Command::new(var("CARGO"));
    cargo
        .current_dir(&workspace)
        .args([
            "build",
            "--package",
            "thoth-governor",
            "--profile",
            "governor",
        ])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
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
    let built = cargo.output();
    match built {
        Ok(output) if output.status.success() => {
            target.join("wasm32-wasip2/governor/thoth_governor.wasm")
        }
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let hint = if text.contains("can't find crate for `core`")
                || text.contains("may not be installed")
            {
                "\nthe wasm target is missing: run `rustup target add wasm32-wasip2`"
            } else {
                ""
            };
            fail(&format!("the governor does not build:\n{text}{hint}"))
        }
        Err(error) => fail(&format!("cannot run cargo for the governor: {error}")),
    }
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("{name} is not set; run this through cargo")))
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(1)
}
