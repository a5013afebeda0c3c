//! Why a JSON value does not fit a type, and where: the path, and text that is safe to print.

use std::fmt;

use serde_json::Value;

/// How much of a caller's text an error repeats, in characters.
const QUOTED: usize = 64;
/// How many known names an error lists.
const LISTED: usize = 16;

/// Arguments that do not fit the types of a function.
///
/// Prints as `arguments.p.age: 256 is out of range for u8`, on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Misfit {
    /// Where, as `arguments.p.age` or `arguments.items[3]`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// A place in the arguments, linked from the leaf to the root on the stack of the conversion.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Arguments,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(crate) fn misfit(&self, message: impl Into<String>) -> Misfit {
        Misfit {
            path: self.to_string(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Arguments => f.write_str("arguments"),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// The caller's text in backticks, shortened, with nothing in it that a terminal would act on.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == QUOTED {
            out.push('…');
            break;
        }
        match c {
            '"' | '\'' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    out.push('`');
    out
}

/// Names of the component, in backticks.
pub(crate) fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let mut out = names
        .take(LISTED)
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        out.push_str(&format!(" and {more} more"));
    }
    out
}

/// What kind of JSON a value is, for "got …".
pub(crate) fn kind(json: &Value) -> &'static str {
    match json {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_is_short_and_inert() {
        assert_eq!(quoted("a\"b\n\u{1b}[0m"), "`a\"b\\n\\u{1b}[0m`");
        assert_eq!(quoted(&"x".repeat(65)), format!("`{}…`", "x".repeat(64)));
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..20).map(|n| format!("n{n}")).collect();
        assert!(listed(names.iter().map(String::as_str)).ends_with("`n15` and 4 more"));
    }
}
