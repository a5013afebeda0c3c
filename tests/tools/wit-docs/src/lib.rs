//! For a tool's build script: puts the documentation of its WIT into the component.
//!
//! A component's type carries no comments. What the author wrote travels in a custom section named
//! `package-docs`, which the WIT tools define and no linker writes by itself.

use std::{env, fs, path::Path};

use wit_parser::{PackageMetadata, Resolve};

/// Writes `package_docs.rs` into the build's output folder, to be included by the tool.
///
/// # Panics
///
/// If the folder `wit` of the tool is not valid WIT, or outside of a build script.
pub fn write() {
    println!("cargo::rerun-if-changed=wit");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir("wit").expect("the tool's WIT is valid");
    let section = PackageMetadata::extract(&resolve, package)
        .encode()
        .expect("docs are JSON");
    let source = format!(
        "#[cfg(target_family = \"wasm\")]\n#[used]\n#[unsafe(link_section = \"{}\")]\n\
         static PACKAGE_DOCS: [u8; {}] = {section:?};\n",
        PackageMetadata::SECTION_NAME,
        section.len(),
    );
    let folder = env::var_os("OUT_DIR").expect("a build script has OUT_DIR");
    fs::write(Path::new(&folder).join("package_docs.rs"), source).expect("OUT_DIR can be written");
}
