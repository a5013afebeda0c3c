//! YAML as a tree: the part of it that configuration is written in. Anchors, aliases, tags and second
//! documents are refused; each is a way to say something else than what is read.

use std::borrow::Cow;
use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::document::{DEPTH_MAX, Key, Node, Place, Value};
use crate::error::Problem;
use crate::words::shown;

/// The tree of a YAML text. An empty one is a table without keys.
pub(crate) fn parse(text: &str) -> Result<Node, Problem> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        at: Place { line: 1, column: 1 },
    };
    let mut document = None;
    loop {
        match reader.next()? {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            Event::DocumentStart(_) if document.is_some() => {
                return Err(reader.problem("a second document begins here: write one"));
            }
            Event::DocumentStart(_) => {
                let first = reader.next()?;
                document = Some(reader.node(first, 0)?);
            }
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd => return Err(reader.problem("this belongs to no document")),
        }
    }
    match document {
        Some(node) if !matches!(node.value, Value::Nothing) => Ok(node),
        _ => Ok(Node {
            at: Place { line: 1, column: 1 },
            value: Value::Table(Vec::new()),
        }),
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// Where the event that was read last begins.
    at: Place,
}

impl<'a> Reader<'a> {
    fn problem(&self, message: &str) -> Problem {
        Problem::new(self.at, message)
    }

    fn next(&mut self) -> Result<Event<'a>, Problem> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.at = place(&span);
                Ok(event)
            }
            Some(Err(error)) => {
                let marker = error.marker();
                let at = Place {
                    line: marker.line(),
                    column: marker.col() + 1,
                };
                Err(Problem::new(at, shown(error.info())))
            }
            None => Ok(Event::StreamEnd),
        }
    }

    /// The value that begins with this event.
    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, Problem> {
        let at = self.at;
        if depth > DEPTH_MAX {
            return Err(self.problem("the file is nested too deep"));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.is_bare(anchor, tag.is_none())?;
                scalar(text, style)
            }
            Event::SequenceStart(anchor, tag) => {
                self.is_bare(anchor, tag.is_none())?;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break Value::List(items),
                        event => items.push(self.node(event, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(anchor, tag) => {
                self.is_bare(anchor, tag.is_none())?;
                self.mapping(depth)?
            }
            Event::Alias(_) => {
                return Err(self.problem("an alias (`*name`): write the value out"));
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(self.problem("a value is missing here")),
        };
        Ok(Node { at, value })
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        loop {
            let text = match self.next()? {
                Event::MappingEnd => return Ok(Value::Table(entries)),
                Event::Scalar(text, _, anchor, tag) => {
                    self.is_bare(anchor, tag.is_none())?;
                    text.into_owned()
                }
                _ => return Err(self.problem("a key that is not a string")),
            };
            let at = self.at;
            if !seen.insert(text.clone()) {
                let message = format_args!("the key `{}` is there twice", shown(&text)).to_string();
                return Err(self.problem(&message));
            }
            let event = self.next()?;
            entries.push((Key { at, text }, self.node(event, depth + 1)?));
        }
    }

    fn is_bare(&self, anchor: usize, untagged: bool) -> Result<(), Problem> {
        if anchor != 0 {
            return Err(self.problem("an anchor (`&name`): write the value out where it is meant"));
        }
        if !untagged {
            return Err(self.problem("a tag (`!name`): write the value without one"));
        }
        Ok(())
    }
}

/// The core schema of YAML 1.2, for what configuration needs of it: `no` and `1.0` are strings.
fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.into_owned());
    }
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Nothing,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
            .parse()
            .map_or_else(|_| Value::Text(text.into_owned()), Value::Integer),
        _ => Value::Text(text.into_owned()),
    }
}

fn place(span: &Span) -> Place {
    Place {
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_knows_where_it_stands() {
        let node = parse("a: 1\né:\n  - no\n  - \"1\"\n  - true\nn:\n").unwrap();
        let entries = node.entries().unwrap();
        let places: Vec<_> = entries
            .iter()
            .map(|(key, _)| (key.at.line, key.at.column))
            .collect();
        assert_eq!(places, [(1, 1), (2, 1), (6, 1)]);
        assert_eq!(entries[0].1.count::<u32>().unwrap(), 1);
        let items = entries[1].1.list().unwrap();
        assert_eq!((items[1].at.line, items[1].at.column), (4, 5));
        assert_eq!(items[0].text().unwrap(), "no");
        assert_eq!(items[1].text().unwrap(), "1");
        assert!(items[2].boolean().unwrap());
        assert!(matches!(entries[2].1.value, Value::Nothing));
    }

    #[test]
    fn what_says_one_thing_and_means_another_is_refused() {
        let deep = "[".repeat(20) + &"]".repeat(20);
        for (text, words) in [
            ("a: &x 1\n", "an anchor"),
            ("a: *x\n", "unknown anchor"),
            ("a: !!str 1\n", "a tag"),
            ("a: 1\na: 2\n", "the key `a` is there twice"),
            ("? [a]\n: 1\n", "a key that is not a string"),
            ("a: 1\n---\nb: 2\n", "a second document"),
            ("a: [1\n", ""),
            ("a: b: c\n", ""),
            (&deep, "nested too deep"),
            (&"- ".repeat(100_000), "nested too deep"),
            (&"[".repeat(100_000), ""),
        ] {
            let error = crate::ConfigError::from(parse(text).unwrap_err()).to_string();
            assert!(error.contains(words), "{error}");
            assert!(!error.contains(char::is_control), "{error}");
        }
        for text in ["", "---\n", "# nothing\n", "~\n"] {
            assert!(parse(text).unwrap().entries().unwrap().is_empty(), "{text}");
        }
    }
}
