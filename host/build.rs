//! Builds the governor components, strips them and hands their paths to the crate, which embeds them.
//!
//! `THOTH_GOVERNOR_WASM`, `THOTH_PORTABLE_GOVERNOR_WASM` and `THOTH_HTTP_GOVERNOR_WASM` name ready
//! components instead, for packagers who build them themselves.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasmparser::{BinaryReader, BinaryReaderError};

/// The packages, the files they build and the variables that name those.
const GOVERNORS: [[&str; 3]; 3] = [
    [
        "thoth-governor",
        "thoth_governor.wasm",
        "THOTH_GOVERNOR_WASM",
    ],
    [
        "thoth-portable-governor",
        "thoth_portable_governor.wasm",
        "THOTH_PORTABLE_GOVERNOR_WASM",
    ],
    [
        "thoth-http-governor",
        "thoth_http_governor.wasm",
        "THOTH_HTTP_GOVERNOR_WASM",
    ],
];

fn main() {
    let missing: Vec<&str> = GOVERNORS
        .iter()
        .filter(|[_, _, variable]| env::var_os(variable).is_none())
        .map(|[package, _, _]| *package)
        .collect();
    let built = build(&missing);
    for [_, file, variable] in GOVERNORS {
        println!("cargo::rerun-if-env-changed={variable}");
        let governor = match env::var_os(variable) {
            Some(path) => PathBuf::from(path),
            None => stripped(&built.join(file)),
        };
        println!("cargo::rerun-if-changed={}", governor.display());
        println!("cargo::rustc-env={variable}={}", governor.display());
    }
}

/// Builds the packages, and returns the folder where their components are.
fn build(packages: &[&str]) -> PathBuf {
    // A target folder of its own: the outer cargo holds the lock on the usual one.
    let target = Path::new(&var("OUT_DIR")).join("governor");
    let built = target.join("wasm32-wasip2/governor");
    if packages.is_empty() {
        return built;
    }
    let workspace = Path::new(&var("CARGO_MANIFEST_DIR")).join("..");
    for source in ["guest", "wit", "Cargo.toml", "Cargo.lock"] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(source).display()
        );
    }
    let mut cargo = Command::new(var("CARGO"));
    cargo
        .current_dir(&workspace)
        .args(["build", "--profile", "governor"])
        .args(["--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target)
        .args(packages.iter().flat_map(|package| ["--package", package]));
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
        Ok(output) if output.status.success() => built,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let hint = if text.contains("can't find crate for `core`")
                || text.contains("may not be installed")
            {
                "\nthe wasm target is missing: run `rustup target add wasm32-wasip2`"
            } else {
                ""
            };
            fail(&format!("the governors do not build:\n{text}{hint}"))
        }
        Err(error) => fail(&format!("cannot run cargo for the governors: {error}")),
    }
}

/// Writes a component without the names that its parts have for those who debug it, some 8 KB that
/// `strip` leaves. Where that file is.
fn stripped(component: &Path) -> PathBuf {
    println!("cargo::rerun-if-changed={}", component.display());
    let name = component.file_name().unwrap_or_default();
    let to = Path::new(&var("OUT_DIR")).join(name);
    let whole = std::fs::read(component).unwrap_or_else(|error| fail(&error.to_string()));
    let kept = nameless(&whole).unwrap_or_else(|error| fail(&error.to_string()));
    std::fs::write(&to, kept).unwrap_or_else(|error| fail(&error.to_string()));
    to
}

/// Every section but the outermost `component-name`.
fn nameless(component: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    let mut reader = BinaryReader::new(component, 0);
    let mut kept = reader.read_bytes(8)?.to_vec();
    while !reader.eof() {
        let start = reader.original_position();
        let is_custom = reader.read_u8()? == 0;
        let size = reader.read_var_u32()?;
        let content = reader.read_bytes(usize::try_from(size).unwrap_or(usize::MAX))?;
        let is_names =
            is_custom && BinaryReader::new(content, 0).read_string()? == "component-name";
        if !is_names {
            kept.extend_from_slice(
                component
                    .get(start..reader.original_position())
                    .unwrap_or_default(),
            );
        }
    }
    Ok(kept)
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("{name} is not set; run this through cargo")))
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(1)
}
