//! Text of strangers, made harmless to whoever reads it.

/// Text from a guest, cut to `most` characters, with control, bidirectional and invisible
/// characters escaped: it cannot move a cursor, hide itself or start a new line.
pub fn inert(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for (index, c) in text.chars().enumerate() {
        if index == most {
            out.push('…');
            break;
        }
        if is_hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character drives a terminal, hides, or turns text around.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_made_visible() {
        assert_eq!(inert("a\u{1b}[2Jb\u{202e}c", 80), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(inert("abcdef", 3), "abc…");
    }
}
