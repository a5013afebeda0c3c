//! How large and how deep policies may be, so that no stack runs out: neither Cedar's parser, which has
//! no limit, nor its evaluator, which gives up. And that a text is what it looks like.

use cedar_policy::PolicySet;
use serde_json::Value;

use super::problem::{Problem, Source};

/// The largest policy text.
const MAX_TEXT: usize = 256 * 1024;
/// The longest single policy without its comments: what bounds a chain of operators.
const MAX_POLICY: usize = 8 * 1024;
/// The deepest nesting of brackets.
const MAX_NESTING: usize = 128;
/// The deepest expression, counting each link of a chain such as `a && b && c`.
const MAX_LEVELS: usize = 128;
/// The stack that evaluating an expression of so many levels takes. Without optimisation Cedar was
/// measured at 40 to 80 KiB for each level, so that the 2 MiB of a usual thread are gone after some 25
/// links of `&&`. Cedar then gives up, with 100 KiB left; that would be a block that nobody meant.
pub(super) fn stack(levels: usize) -> usize {
    (256 + 96 * levels) * 1024
}

/// Cedar's parser recurses without a limit, so texts that could exhaust a stack stop here.
pub(super) fn refuse_extremes(source: &Source<'_>) -> Result<(), Vec<Problem>> {
    enum Inside {
        Code,
        Text,
        Escape,
        Comment,
    }
    let refuse = |offset, message: String| Err(vec![source.problem(offset, message)]);
    if source.text.len() > MAX_TEXT {
        return refuse(0, format!("a policy file has at most {MAX_TEXT} bytes"));
    }
    refuse_hidden(source)?;
    let mut inside = Inside::Code;
    let (mut nesting, mut length, mut last) = (0_usize, 0_usize, ' ');
    for (offset, character) in source.text.char_indices() {
        inside = match (inside, character) {
            (Inside::Code, '"') => Inside::Text,
            (Inside::Code, '/') if last == '/' => Inside::Comment,
            (Inside::Code, _) => Inside::Code,
            (Inside::Text, '"') | (Inside::Comment, '\n') => Inside::Code,
            (Inside::Text, '\\') => Inside::Escape,
            (Inside::Text | Inside::Escape, _) => Inside::Text,
            (Inside::Comment, _) => Inside::Comment,
        };
        last = character;
        if matches!(inside, Inside::Comment) {
            continue;
        }
        length += character.len_utf8();
        if matches!(inside, Inside::Code) {
            match character {
                '(' | '[' | '{' => nesting += 1,
                ')' | ']' | '}' => nesting = nesting.saturating_sub(1),
                ';' => length = 0,
                _ => {}
            }
        }
        if nesting > MAX_NESTING {
            return refuse(
                offset,
                format!("brackets nest deeper than {MAX_NESTING} levels"),
            );
        }
        if length > MAX_POLICY {
            return refuse(offset, format!("a policy has at most {MAX_POLICY} bytes"));
        }
    }
    Ok(())
}

/// Refuses characters that make a text look like another one. Cedar ends a comment at a carriage return, so
/// one alone could begin a policy in what reads as a comment; the others turn the text around
/// (CVE-2021-42574) or are not seen.
fn refuse_hidden(source: &Source<'_>) -> Result<(), Vec<Problem>> {
    let mut characters = source.text.char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let fits = match character {
            '\n' | '\t' => true,
            '\r' => next == Some('\n'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => false,
            other => !other.is_control(),
        };
        if !fits {
            let code = u32::from(character);
            let message = format!("the character U+{code:04X} hides what the text says: remove it");
            return Err(vec![source.problem(offset, message)]);
        }
    }
    Ok(())
}

/// Refuses declarations whose brackets could exhaust a stack.
pub(super) fn refuse_nested_types(
    source: &Source<'_>,
    declarations: &str,
) -> Result<(), Vec<Problem>> {
    let mut nesting = 0_usize;
    for (offset, character) in declarations.char_indices() {
        match character {
            '(' | '[' | '{' | '<' => nesting += 1,
            ')' | ']' | '}' | '>' => nesting = nesting.saturating_sub(1),
            _ => {}
        }
        if nesting > MAX_NESTING {
            let message = format!("brackets nest deeper than {MAX_NESTING} levels");
            return Err(vec![source.problem(offset, message)]);
        }
    }
    Ok(())
}

/// Refuses what an evaluation may not have the stack for, and returns the depth of what is left.
pub(super) fn refuse_deep(
    source: &Source<'_>,
    policies: &PolicySet,
) -> Result<usize, Vec<Problem>> {
    let mut deepest = 0;
    let mut problems = Vec::new();
    for policy in policies.policies() {
        let offset = policy.as_ref().loc().map_or(0, |loc| loc.start());
        match policy.to_json() {
            // Cedar's JSON form takes two levels for one of an expression.
            Ok(json) => match json_depth(&json) / 2 {
                levels @ ..=MAX_LEVELS => deepest = deepest.max(levels),
                _ => problems.push(source.problem(
                    offset,
                    format!(
                        "the conditions chain or nest deeper than {MAX_LEVELS} levels: \
                         write several policies"
                    ),
                )),
            },
            Err(error) => problems.push(source.problem(offset, error.to_string())),
        }
    }
    if problems.is_empty() {
        Ok(deepest)
    } else {
        Err(problems)
    }
}

fn json_depth(json: &Value) -> usize {
    1 + match json {
        Value::Array(items) => items.iter().map(json_depth).max().unwrap_or_default(),
        Value::Object(members) => members.values().map(json_depth).max().unwrap_or_default(),
        _ => 0,
    }
}
