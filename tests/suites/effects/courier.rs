//! A tool that shows what an answer says: `courier.wat`, made a component.

use std::{fs, path::PathBuf, sync::LazyLock};

use thoth_tests::{Thoth, toolchains::wasi};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

static COMPONENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let deps = folder.path().join("deps");
    fs::create_dir(&deps).unwrap();
    fs::write(folder.path().join("world.wit"), include_str!("courier.wit")).unwrap();
    for file in wasi() {
        fs::copy(&file, deps.join(file.file_name().unwrap())).unwrap();
    }
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder.path()).unwrap();
    let world = resolve.select_world(&[package], Some("courier")).unwrap();
    let mut module = wat::parse_str(include_str!("courier.wat")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    let mut encoder = ComponentEncoder::default();
    encoder
        .validate(true)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
});

/// The component, in the home of a run.
pub(crate) fn courier(thoth: &Thoth) -> PathBuf {
    thoth.file("courier.wasm", &*COMPONENT)
}
