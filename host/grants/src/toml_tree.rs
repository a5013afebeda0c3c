//! TOML as a tree.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::{DEPTH_MAX, Key, Node, Place, Value};
use crate::error::Problem;

/// Columns are counted this far; beyond, bytes stand for characters. A file of one line must not
/// cost the square of its length.
const COLUMNS_COUNTED: usize = 1 << 10;

/// The tree of a TOML text.
pub(crate) fn parse(text: &str) -> Result<Node, Problem> {
    let lines = Lines::new(text);
    match DeTable::parse(text) {
        Ok(table) => {
            let at = lines.place(0..0);
            let value = table_value(&lines, table.into_inner(), 0)?;
            Ok(Node { at, value })
        }
        Err(error) => {
            let at = lines.place(error.span().unwrap_or_default());
            Err(Problem::new(at, error.message()))
        }
    }
}

fn table_value(lines: &Lines<'_>, table: DeTable<'_>, depth: usize) -> Result<Value, Problem> {
    table
        .into_iter()
        .map(|(key, value)| {
            let at = lines.place(key.span());
            let text = key.into_inner().into_owned();
            Ok((Key { at, text }, node(lines, value, depth + 1)?))
        })
        .collect::<Result<_, _>>()
        .map(Value::Table)
}

fn node(lines: &Lines<'_>, value: Spanned<DeValue<'_>>, depth: usize) -> Result<Node, Problem> {
    let at = lines.place(value.span());
    if depth > DEPTH_MAX {
        return Err(Problem::new(at, "the file is nested too deep"));
    }
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map(Value::Integer)
            .map_err(|_| Problem::new(at, "the number is out of range"))?,
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Array(items) => items
            .into_iter()
            .map(|item| node(lines, item, depth + 1))
            .collect::<Result<_, _>>()
            .map(Value::List)?,
        DeValue::Table(table) => table_value(lines, table, depth)?,
    };
    Ok(Node { at, value })
}

/// Where lines begin.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(index, _)| index + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    fn place(&self, span: Range<usize>) -> Place {
        let line = self.starts.partition_point(|start| *start <= span.start);
        let start = line
            .checked_sub(1)
            .and_then(|index| self.starts.get(index))
            .copied()
            .unwrap_or(0);
        let bytes = span.start.saturating_sub(start);
        let characters = match self.text.get(start..span.start) {
            Some(before) if bytes <= COLUMNS_COUNTED => before.chars().count(),
            _ => bytes,
        };
        Place {
            line,
            column: characters + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_knows_where_it_stands() {
        let node = parse("a = 1\n['é']\n  \"é\" = [0x10,\n true]\n").unwrap();
        let entries = node.entries().unwrap();
        let places: Vec<_> = entries
            .iter()
            .map(|(key, value)| (key.at.line, key.at.column, value.at.line, value.at.column))
            .collect();
        assert_eq!(places, [(1, 1, 1, 5), (2, 2, 2, 1)]);
        let (key, list) = &entries[1].1.entries().unwrap()[0];
        assert_eq!((key.at.line, key.at.column), (3, 3));
        let items = list.list().unwrap();
        assert_eq!(items[0].count::<u32>().unwrap(), 16);
        assert_eq!((items[1].at.line, items[1].at.column), (4, 2));
    }

    #[test]
    fn depth_and_mistakes_are_one_line_errors() {
        let deep = format!("x = {}1{}", "[".repeat(40), "]".repeat(40));
        let dotted = format!("{}b = 1", "a.".repeat(400));
        for text in [
            "a = 1\na = 2",
            "a = ",
            "a = 99999999999999999999",
            "[a\n",
            "a = \"\u{1b}\"",
            &deep,
            &dotted,
            &"[".repeat(100_000),
        ] {
            let error = crate::ConfigError::from(parse(text).unwrap_err()).to_string();
            assert!(!error.contains(char::is_control), "{error}");
            assert!(error.len() < 300, "{error}");
        }
    }
}
