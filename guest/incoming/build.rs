//! Links WASI's libc, for the few functions on memory that the compiler calls (`memcmp` and the
//! like) and that `std` would otherwise bring along.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let family = std::env::var("CARGO_CFG_TARGET_FAMILY").unwrap_or_default();
    if family == "wasm" {
        println!("cargo::rustc-link-arg-cdylib=-lc");
    }
}
