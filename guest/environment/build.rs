//! Links a core module that is not made a component of: `thoth wrap` adds the names to it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let family = std::env::var("CARGO_CFG_TARGET_FAMILY").unwrap_or_default();
    if family == "wasm" {
        for argument in [
            "--skip-wit-component",
            "-lc",
            "--export=__heap_base",
            "-zstack-size=16384",
        ] {
            println!("cargo::rustc-link-arg-cdylib={argument}");
        }
    }
}
