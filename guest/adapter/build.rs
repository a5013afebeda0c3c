//! Links a core module that is not made a component of: `thoth wrap` adds the functions of the
//! component that it wraps, and makes one then.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let family = std::env::var("CARGO_CFG_TARGET_FAMILY").unwrap_or_default();
    if family == "wasm" {
        for argument in [
            "--skip-wit-component",
            // The few functions on memory that the compiler calls.
            "-lc",
            "--export=__heap_base",
            "--export=THOTH_SLOTS",
            "-zstack-size=65536",
        ] {
            println!("cargo::rustc-link-arg-cdylib={argument}");
        }
    }
}
