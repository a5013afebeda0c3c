//! The governed components that the hosts run, put together once.

use std::{fs, path::PathBuf, sync::OnceLock};

use thoth_tests::{Language, fetcher, tool as bare, tools::scratch};
use thoth_wrap::{Integrity, Kind, Options, front, verify, wrap};

const PORTABLE: &[u8] = include_bytes!(env!("THOTH_PORTABLE_GOVERNOR_WASM"));
const HTTP: &[u8] = include_bytes!(env!("THOTH_HTTP_GOVERNOR_WASM"));

/// A tool, governed.
pub(crate) fn tool() -> PathBuf {
    static TOOL: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let component = fs::read(bare("choir")).unwrap();
        let wrapped = wrap(&component, PORTABLE, &Options::default()).unwrap();
        assert_eq!(verify(&wrapped.bytes, &wrapped.seal), Integrity::Intact);
        keep("governed_choir.wasm", &wrapped.bytes)
    };
    TOOL.get_or_init(make).clone()
}

/// The tool `fetcher` as the toolchain of a language makes it, governed.
pub(crate) fn third_party(language: Language) -> PathBuf {
    let component = fs::read(fetcher(language)).unwrap();
    let wrapped = wrap(&component, PORTABLE, &Options::default()).unwrap();
    assert_eq!(verify(&wrapped.bytes, &wrapped.seal), Integrity::Intact);
    keep(&format!("governed_{language:?}.wasm"), &wrapped.bytes)
}

/// An HTTP service, governed.
pub(crate) fn service() -> PathBuf {
    static SERVICE: OnceLock<PathBuf> = OnceLock::new();
    let make = || fronted("http-canary", Kind::Service, |component| component);
    SERVICE.get_or_init(make).clone()
}

/// An MCP server, governed. It was built with another version of WASI than the governor.
pub(crate) fn mcp() -> PathBuf {
    static SERVER: OnceLock<PathBuf> = OnceLock::new();
    let make = || fronted("mcp-canary", Kind::Mcp, of_before);
    SERVER.get_or_init(make).clone()
}

/// The component as it would be with an older version of WASI 0.2.
fn of_before(mut component: Vec<u8>) -> Vec<u8> {
    let (now, before) = (b"@0.2.12", b"@0.2.11");
    let mut places = component.windows(now.len()).enumerate();
    let places: Vec<usize> = std::iter::from_fn(|| places.find(|(_, part)| part == now))
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        component[at..at + before.len()].copy_from_slice(before);
    }
    component
}

fn fronted(name: &str, kind: Kind, change: fn(Vec<u8>) -> Vec<u8>) -> PathBuf {
    let component = change(fs::read(bare(name)).unwrap());
    let front = || front(&component, HTTP, kind, &Options::default()).unwrap();
    let fronted = front();
    assert_eq!(fronted.bytes, front().bytes, "the same bytes each time");
    assert_eq!(verify(&fronted.bytes, &fronted.seal), Integrity::Intact);
    keep(&format!("governed_{name}.wasm"), &fronted.bytes)
}

/// Writes it where it stays for the next run; another process may be writing the same bytes.
fn keep(name: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch().join(name);
    if !fs::read(&path).is_ok_and(|before| before == bytes) {
        let new = path.with_extension(std::process::id().to_string());
        fs::write(&new, bytes).unwrap();
        fs::rename(new, &path).unwrap();
    }
    path
}
