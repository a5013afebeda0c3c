//! Why JSON does not fit a type, and where.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// How much of the text an error repeats, in characters.
const QUOTED: usize = 64;

/// JSON that does not fit a type. Prints as `arguments.p.age: 256 is out of range for u8`, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where, from the innermost step outwards: each is put before what is there.
    path: String,
    message: String,
}

impl Misfit {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            message: message.into(),
        }
    }

    /// It is in the member of that name.
    pub(crate) fn below(mut self, name: &[u8]) -> Self {
        self.path = format!(".{}{}", shown(name), self.path);
        self
    }

    /// It is in the item of that index.
    pub(crate) fn at(mut self, index: u32) -> Self {
        self.path = format!("[{index}]{}", self.path);
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arguments{}: {}", self.path, self.message)
    }
}

/// Text in backticks, shortened, with nothing in it that a terminal would act on.
pub(crate) fn quoted(text: &[u8]) -> String {
    let text = shown(text);
    let mut out = "`".to_owned();
    for (count, character) in text.chars().enumerate() {
        if count == QUOTED {
            out.push('…');
            break;
        }
        match character {
            ' '..='~' => out.push(character),
            other => out.extend(other.escape_unicode()),
        }
    }
    out.push('`');
    out
}

/// Bytes that are text, if everything is as it should be.
pub(crate) fn shown(text: &[u8]) -> &str {
    core::str::from_utf8(text).unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misfit_says_where_on_one_line() {
        let misfit = Misfit::new("wrong").below(b"age").at(3).below(b"people");
        assert_eq!(
            alloc::string::ToString::to_string(&misfit),
            "arguments.people[3].age: wrong"
        );
    }

    #[test]
    fn quoted_text_is_short_and_inert() {
        assert_eq!(
            quoted("a\u{1b}[0m\u{202e}".as_bytes()),
            "`a\\u{1b}[0m\\u{202e}`"
        );
        assert_eq!(quoted(&[b'x'; 65]), format!("`{}…`", "x".repeat(64)));
    }
}
