//! Plain runs of text, and short quotations of it.

use alloc::string::String;

/// A short quotation from outside, for an error message.
#[must_use]
pub fn quote(text: &str) -> String {
    const SHORT: usize = 60;
    let mut quoted = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == SHORT {
            quoted.push('…');
            break;
        }
        if character.is_control() {
            quoted.extend(character.escape_default());
        } else {
            quoted.push(character);
        }
    }
    quoted
}

/// How many bytes at the beginning of a text stand in a JSON string as they are: up to a quotation
/// mark, a backslash, a control character, or the end.
pub(crate) fn plain(text: &str) -> usize {
    let bytes = text.as_bytes();
    // Eight at a time, where none of them is special.
    let mut words = bytes.chunks_exact(8);
    let whole = words.by_ref().take_while(|word| !has_special(word)).count();
    let start = whole * 8;
    let rest = bytes.get(start..).unwrap_or_default();
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    start + rest.iter().position(special).unwrap_or(rest.len())
}

/// Whether one of eight bytes is special. Each test sets the highest bit of a byte that it is true of,
/// and perhaps those of bytes after it.
fn has_special(word: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & HIGH != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_run_ends_at_the_first_special_byte_wherever_it_is() {
        for length in 0..40 {
            for at in 0..=length {
                for special in ['"', '\\', '\0', '\n', '\u{1f}'] {
                    let mut text = "é".repeat(length) + "!\u{7f} ~";
                    text.insert(2 * at, special);
                    text.insert(2 * at, 'x');
                    assert_eq!(plain(&text), 2 * at + 1, "{text:?}");
                }
            }
            let text = "aé \u{7f}\u{ffff}".repeat(length);
            assert_eq!(plain(&text), text.len());
        }
    }
}
