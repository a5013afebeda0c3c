//! Builds the sample tools and tells where they are.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Every tool under `tests/tools`; a folder's name is its package's name.
pub const TOOLS: [&str; 17] = [
    "canary",
    "choir",
    "docs-search",
    "endless-provider",
    "exporter",
    "fetcher",
    "fickle-provider",
    "hostile",
    "http-canary",
    "ledger",
    "mcp-canary",
    "needy",
    "provider",
    "rogue-governor",
    "shapes",
    "test-gate",
    "values",
];

const TARGET: &str = "wasm32-wasip2";
const PROFILE: &str = "governor";

/// The component of a tool under `tests/tools`, built from its source if need be.
///
/// Any number of processes may ask at once: cargo takes its lock, and only the first one builds.
///
/// # Panics
///
/// If there is no such tool, or it does not build.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    assert!(
        TOOLS.contains(&name),
        "there is no tool `{name}`; there are: {}",
        TOOLS.join(", ")
    );
    FOLDER
        .get_or_init(build)
        .join(format!("{}.wasm", name.replace('-', "_")))
}

/// The folder that tests keep between runs: tools as built, and compiled code.
#[must_use]
pub fn scratch() -> PathBuf {
    // Cargo marks every target folder, wherever it was told to put it.
    let own = std::env::current_exe().ok();
    let marked = own.as_deref().into_iter().flat_map(Path::ancestors);
    let mut marked = marked.filter(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked
        .next()
        .map_or_else(|| workspace().join("target"), Path::to_path_buf)
        .join("tools")
}

/// The workspace's root.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is inside a workspace")
}

fn build() -> PathBuf {
    let target = scratch();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args([
            "build",
            "--quiet",
            "--profile",
            PROFILE,
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(&target);
    for name in TOOLS {
        command.args(["--package", name]);
    }
    // What a coverage run or a developer's shell sets for the native build breaks one for wasm.
    for (name, _) in std::env::vars_os().filter(|(name, _)| shapes_native_code(name)) {
        command.env_remove(name);
    }
    let output = command.output().expect("cargo can be started");
    assert!(
        output.status.success(),
        "the sample tools do not build for {TARGET} (is it installed? `rustup target add {TARGET}`):\n{}",
        String::from_utf8_lossy(&output.stderr),
    );
    target.join(TARGET).join(PROFILE)
}

fn shapes_native_code(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    [
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
    ]
    .contains(&&*name)
        || [
            "CARGO_ENCODED_",
            "CARGO_BUILD_",
            "CARGO_PROFILE_",
            "CARGO_TARGET_",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
