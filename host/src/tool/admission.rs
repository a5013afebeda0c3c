//! What may be loaded at all: decided by size and first bytes, before anything is parsed.

use std::io::Read as _;
use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::types::{Component, ComponentInstance, ComponentItem};

use crate::error::Error;

/// What a tool can import: WASI 0.2. Not a word of it is a power by itself.
const OFFERED: [&str; 29] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

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

/// The names of what a component imports and no tool is given.
pub(super) fn missing(component: &Component, engine: &Engine) -> Vec<String> {
    component
        .imports(engine)
        .filter(|(name, import)| match &import.ty {
            ComponentItem::ComponentInstance(instance) => {
                needs_something(instance, engine) && !is_offered(name)
            }
            ComponentItem::Type(_) => false,
            ComponentItem::ComponentFunc(_)
            | ComponentItem::CoreFunc(_)
            | ComponentItem::Module(_)
            | ComponentItem::Component(_)
            | ComponentItem::Resource(_) => true,
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// An interface of types alone is complete without anybody behind it.
fn needs_something(instance: &ComponentInstance, engine: &Engine) -> bool {
    instance
        .exports(engine)
        .any(|(_, export)| !matches!(export.ty, ComponentItem::Type(_)))
}

fn is_offered(import: &str) -> bool {
    let (name, version) = import.split_once('@').unwrap_or((import, ""));
    OFFERED.contains(&name) && (version == "0.2" || version.starts_with("0.2."))
}
