//! For build scripts of components that export resources of WASI's kind: where the WIT of WASI is. It is
//! in the `wasip2` crate, beside the bindings, and Cargo knows where that is.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The crate.
const WASI: &str = "wasip2";

/// Sets `WASI_WIT` for the package that is built, to the folder of the WIT that belongs to the `wasip2` it
/// depends on.
///
/// # Errors
/// Cargo cannot be run or does not know the crate.
pub fn tell() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    // A build has no need to ask the registry; one that begins with an empty cache may have to.
    let mut told = metadata(&["--offline"])?;
    if !told.status.success() {
        told = metadata(&[])?;
    }
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).into());
    }
    let told = serde_json::from_slice(&told.stdout)?;
    let manifest = manifest(&told, &env::var("CARGO_PKG_NAME")?)
        .ok_or_else(|| format!("this package does not depend on `{WASI}`"))?;
    let folder = Path::new(manifest).with_file_name("wit");
    println!("cargo::rustc-env=WASI_WIT={}", folder.display());
    Ok(())
}

fn metadata(options: &[&str]) -> Result<Output, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").ok_or("not run by cargo")?;
    // What this machine builds for is there already, most likely.
    let host = env::var("HOST")?;
    Ok(Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .args(["--filter-platform", &host])
        .args(options)
        .output()?)
}

/// The manifest of the crate that a package depends on: a lock may hold several versions of it.
fn manifest<'a>(told: &'a Value, package: &str) -> Option<&'a str> {
    let is = |value: &Value, name: &str, text: &str| value.get(name).is_some_and(|it| it == text);
    let packages = told.get("packages")?.as_array()?;
    let own = packages.iter().find(|found| is(found, "name", package))?;
    let nodes = told.get("resolve")?.get("nodes")?.as_array()?;
    let node = nodes.iter().find(|node| node.get("id") == own.get("id"))?;
    let mut used = node.get("deps")?.as_array()?.iter();
    let used = used.find(|used| is(used, "name", WASI))?.get("pkg")?;
    let found = packages
        .iter()
        .find(|found| found.get("id") == Some(used))?;
    found.get("manifest_path")?.as_str()
}
