//! Text that came with a component, made fit for one line of a terminal or a log.

/// The most characters of a message that are kept.
const MAX: usize = 500;

/// Writes what does not print, moves the cursor or turns the text around as an escape, and cuts what
/// is long, with a mark.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX));
    for (at, c) in text.trim().chars().enumerate() {
        if at == MAX {
            line.push('…');
            break;
        }
        match c {
            '"' | '\'' | '\\' => line.push(c),
            _ => line.extend(c.escape_debug()),
        }
    }
    line
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_message_is_one_inert_line() {
        let line = one_line("bad \"name\" \u{1b}]0;x\u{7}\r\n\u{202e}live\u{200b}");
        assert_eq!(
            line,
            "bad \"name\" \\u{1b}]0;x\\u{7}\\r\\n\\u{202e}live\\u{200b}"
        );
    }

    #[test]
    fn a_long_message_is_cut_with_a_mark() {
        assert_eq!(one_line(&"x".repeat(10_000)).chars().count(), MAX + 1);
    }
}
