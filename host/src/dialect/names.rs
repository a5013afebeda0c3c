//! Names that every API takes.

use thoth_core::json::digest;

/// The longest name of a tool that OpenAI and Anthropic take, in characters.
const NAME_MAX: usize = 64;

/// How much of a digest tells two long names apart, in hexadecimal digits.
const DIGITS: usize = 32;

/// How much of its beginning a long name keeps.
const BEGINNING: usize = NAME_MAX - DIGITS - 1;

/// A tool's name if it fits, else one that does, the same each time. Tools' names are `[a-zA-Z0-9_]`.
///
/// No two tools get the same one: a name that fits and looks like one that was made here is made anew, so
/// that no tool takes a longer one's name by being called so.
pub(super) fn fitting(tool: &str) -> String {
    if tool.len() <= NAME_MAX && !looks_made(tool) {
        return tool.to_owned();
    }
    let beginning: String = tool.chars().take(BEGINNING).collect();
    let digits: String = digest(tool).chars().take(DIGITS).collect();
    format!("{beginning}_{digits}")
}

fn looks_made(name: &str) -> bool {
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    name.len() == NAME_MAX
        && name
            .rsplit_once('_')
            .is_some_and(|(_, digits)| digits.len() == DIGITS && digits.chars().all(is_digit))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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

    #[test]
    fn no_tool_gets_the_name_of_another_by_being_called_so() {
        // Each is called as the one before it is told.
        let mut names = vec!["a".repeat(65)];
        for at in 0..100 {
            names.push(fitting(&names[at]));
        }
        let told: HashSet<String> = names.iter().map(|name| fitting(name)).collect();
        assert_eq!(told.len(), names.len());
        // And what only resembles one keeps its name.
        for other in [
            format!("{}_{}", "a".repeat(31), "G".repeat(32)),
            format!("{}_{}", "a".repeat(32), "0".repeat(31)),
            format!("{}{}", "a".repeat(32), "0".repeat(32)),
            format!("_{}", "0".repeat(32)),
        ] {
            assert_eq!(fitting(&other), other);
        }
    }
}
