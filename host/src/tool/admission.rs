//! What may be loaded at all: decided by size and first bytes, before anything is parsed.

use std::io::Read as _;
use std::path::Path;

use crate::error::Error;

/// The largest component that is loaded, in bytes. The tools of the big language toolchains
/// (componentize-js 12 MB, componentize-py 18 MB) fit.
pub const COMPONENT_MAX: u64 = 64 << 20;

/// Reads a component's file, up to [`COMPONENT_MAX`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let fail = |source| Error::Read {
        path: path.into(),
        source,
    };
    let file = std::fs::File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.is_dir() {
        return Err(fail(std::io::Error::other(
            "it is a folder; name a .wasm file",
        )));
    }
    let mut bytes = Vec::new();
    file.take(COMPONENT_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(bytes)
}

/// Tells a component from everything else, with a next step for each.
pub(super) fn admit(name: &str, bytes: &[u8]) -> Result<(), Error> {
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    let text = || std::str::from_utf8(bytes).ok();
    let why = if bytes.len() as u64 > COMPONENT_MAX {
        format!("it is larger than {} MiB", COMPONENT_MAX >> 20)
    } else if bytes.starts_with(COMPONENT) {
        return Ok(());
    } else if bytes.starts_with(MODULE) {
        "it is a core module; build it for the target `wasm32-wasip2`, or make a component of it \
         with `wasm-tools component new`"
            .into()
    } else if bytes.starts_with(b"\0asm") {
        "it is of a version that is not known here".into()
    } else if bytes.is_empty() {
        "the file is empty; build it again".into()
    } else if bytes.starts_with(b"\x7fELF") {
        "it is native code, and compiled code is never loaded; give the .wasm it was made from"
            .into()
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        "it is compressed; unpack it first".into()
    } else if text().is_some_and(|text| text.trim_start().starts_with('(')) {
        "it is WebAssembly text; make a binary of it with `wasm-tools parse`".into()
    } else if text().is_some() {
        "it is text; name a .wasm file".into()
    } else {
        "it does not begin as a component does; name a .wasm file".into()
    };
    Err(Error::NotAComponent {
        name: name.into(),
        why,
    })
}
