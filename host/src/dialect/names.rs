//! Names that every API takes.

use thoth_core::json::digest;

/// The longest name of a tool that OpenAI and Anthropic take, in characters.
const NAME_MAX: usize = 64;

/// How much of a digest tells two long names apart, in hexadecimal digits.
const DIGITS: usize = 12;

/// A tool's name if it fits, else one that does, the same each time. Tools' names are `[a-zA-Z0-9_]`.
pub(super) fn fitting(tool: &str) -> String {
    if tool.len() <= NAME_MAX {
        return tool.to_owned();
    }
    let beginning: String = tool.chars().take(NAME_MAX - DIGITS - 1).collect();
    let digits: String = digest(tool).chars().take(DIGITS).collect();
    format!("{beginning}_{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_stays_a_name_of_its_own() {
        let (one, other) = ("a".repeat(65), format!("{}b", "a".repeat(64)));
        assert_eq!(fitting(&one).len(), 64);
        assert_ne!(fitting(&one), fitting(&other));
        assert_eq!(fitting(&one), fitting(&one));
        let fits = "a".repeat(64);
        assert_eq!(fitting(&fits), fits);
    }
}
