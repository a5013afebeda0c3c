//! The refusal of a call as a value of the function's error type.
//!
//! A *template* is JSON of the error type in which [`REFUSAL`] stands, inside of text, for the refusal.
//! `thoth wrap` makes sure that a template fits its type and puts nothing else between its quotes.

use alloc::vec::Vec;

use crate::MAX_BYTES;
use crate::writer::Writer;

/// What stands for the refusal.
pub const REFUSAL: &str = "{refusal}";

/// What is told where the governor's own words are too long.
const TOO_LONG: &[u8] = br#"{"outcome":"refused","cause":"governor_fault","reason":"the refusal is too long to be told"}"#;

/// The template with the refusal, a JSON object, in it.
#[must_use]
pub fn fill(template: &[u8], refusal: &[u8]) -> Vec<u8> {
    attempt(template, refusal)
        .or_else(|| attempt(template, TOO_LONG))
        .unwrap_or_default()
}

fn attempt(template: &[u8], refusal: &[u8]) -> Option<Vec<u8>> {
    let mut out = Writer::new(MAX_BYTES);
    let mut rest = template;
    while let Some((byte, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(REFUSAL.as_bytes()) {
            out.escaped(refusal).ok()?;
            rest = behind;
        } else {
            out.raw(&[*byte]).ok()?;
            rest = behind;
        }
    }
    Some(out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_text_inside_of_the_template() {
        let filled = fill(
            br#"{"tag":"denied","val":"no: {refusal}"}"#,
            br#"{"cause":"policy"}"#,
        );
        assert_eq!(
            core::str::from_utf8(&filled).unwrap(),
            r#"{"tag":"denied","val":"no: {\"cause\":\"policy\"}"}"#
        );
    }

    #[test]
    fn a_refusal_that_is_too_long_is_still_a_refusal() {
        let filled = fill(b"\"{refusal}\"", &alloc::vec![b'x'; MAX_BYTES]);
        assert!(
            core::str::from_utf8(&filled)
                .unwrap()
                .contains("governor_fault")
        );
    }
}
