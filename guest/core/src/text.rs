//! Words from outside, made safe to show.

use alloc::borrow::ToOwned;
use alloc::string::String;

pub(crate) use thoth_json::quote;

/// The longest text of the policy service that is kept as a reason, in characters.
const MAX_CHARACTERS: usize = 2000;

/// A text from outside without control characters, and cut where it is unreasonably long.
pub(crate) fn clean(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    if text.len() <= MAX_CHARACTERS && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_CHARACTERS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_excess_do_not_get_through() {
        assert_eq!(clean(" a\u{1b}[2Jb\r\nc\u{9b} "), "a [2Jb  c");
        assert_eq!(clean(&"x".repeat(5000)).len(), MAX_CHARACTERS);
        assert_eq!(quote("a\u{0}b"), "a\\u{0}b");
        assert_eq!(quote(&"y".repeat(60)), "y".repeat(60));
        assert_eq!(
            quote(&"y".repeat(61)),
            alloc::format!("{}…", "y".repeat(60))
        );
    }
}
