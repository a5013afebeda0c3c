//! Flags that rows are written for before the command has them.

/// Flags that `thoth call` does not have yet: rows that need one wait for it. When a flag lands, its
/// line here is deleted, and its rows run.
pub const MISSING: &[&str] = &[];

/// Whether one of these flags is missing.
#[must_use]
pub fn wait_for(flags: &[impl AsRef<str>]) -> bool {
    flags.iter().any(|flag| MISSING.contains(&flag.as_ref()))
}
