//! Words of an operator's in messages: cut, made inert, and with the nearest known one beside them.

/// Longer words are cut in messages, and not compared with known ones.
const SHOWN_MAX: usize = 80;

/// The text as it may stand in a one-line message: no control characters, no end of it.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// `; did you mean …?` with the nearest of the known words, or which ones there are.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .filter(|_| word.len() <= SHOWN_MAX)
        .map(|known| (strsim::osa_distance(word, known), known))
        .min()
        .filter(|(distance, known)| *distance * 3 <= known.len().max(3));
    match nearest {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None => format!("there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named_if_it_is_near() {
        let known = ["govern", "allow_private", "url"];
        assert_eq!(suggestion("govrn", &known), "did you mean `govern`?");
        assert_eq!(
            suggestion("allow-private", &known),
            "did you mean `allow_private`?"
        );
        assert_eq!(
            suggestion("x", &known),
            "there are govern, allow_private, url"
        );
    }

    #[test]
    fn a_word_cannot_write_lines_or_escape_sequences() {
        assert_eq!(shown("a\n\u{1b}[2J"), "a\\n\\u{1b}[2J");
        assert_eq!(shown(&"é".repeat(100)), format!("{}…", "é".repeat(80)));
    }
}
