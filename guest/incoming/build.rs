//! Finds the WIT of WASI, and links WASI's libc, for the few functions on memory that the compiler calls
//! (`memcmp` and the like) and that `std` would otherwise bring along.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    thoth_wasi_wit::tell()?;
    if std::env::var("CARGO_CFG_TARGET_FAMILY")? == "wasm" {
        println!("cargo::rustc-link-arg-cdylib=-lc");
    }
    Ok(())
}
