//! The hostile corpus: components as text, one small file each, named for what it does.

use std::fs;

use crate::tools::workspace;

/// The component of `tests/corpus/NAME.wat`.
///
/// # Panics
///
/// If there is no such file, or it is no component.
#[must_use]
pub fn hostile(name: &str) -> Vec<u8> {
    let path = workspace().join("tests/corpus").join(name);
    let path = path.with_extension("wat");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()));
    wat::parse_str(&text).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}
