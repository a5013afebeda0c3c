//! A configuration file as a tree in which everything knows where it stands, whatever its format.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::error::Problem;
use crate::words::{shown, suggestion};

/// Deeper files are refused. Ours are five deep.
pub(crate) const DEPTH_MAX: usize = 16;

/// Where something begins, both from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) value: Value,
}

/// A value of a file's.
#[derive(Debug)]
pub(crate) enum Value {
    Nothing,
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Node>),
    /// In any order; no key twice.
    Table(Vec<(Key, Node)>),
    /// Something that no setting of ours is.
    Other(&'static str),
}

/// A key and where it stands.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) at: Place,
    pub(crate) text: String,
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Boolean(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

impl Node {
    /// A problem with this value.
    pub(crate) fn problem(&self, message: impl fmt::Display) -> Problem {
        Problem::new(self.at, message)
    }

    fn expected(&self, what: &str) -> Problem {
        self.problem(format_args!("expected {what}, found {}", self.value.kind()))
    }

    /// A string that says something.
    pub(crate) fn text(&self) -> Result<&str, Problem> {
        match &self.value {
            Value::Text(text) if text.trim().is_empty() => {
                Err(self.problem("the string is empty: write a value, or leave the key out"))
            }
            Value::Text(text) if text.contains('\0') => {
                Err(self.problem("the string has a NUL character"))
            }
            Value::Text(text) => Ok(text),
            _ => Err(self.expected("a string")),
        }
    }

    /// A string that is read as something else.
    pub(crate) fn parsed<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, Problem> {
        self.text()?.parse().map_err(|error| self.problem(error))
    }

    pub(crate) fn boolean(&self) -> Result<bool, Problem> {
        match self.value {
            Value::Boolean(value) => Ok(value),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A number that counts something.
    pub(crate) fn count<T: TryFrom<i64>>(&self) -> Result<T, Problem> {
        match self.value {
            Value::Integer(value) => T::try_from(value)
                .map_err(|_| self.problem(format_args!("the number {value} is out of range"))),
            _ => Err(self.expected("a whole number")),
        }
    }

    pub(crate) fn list(&self) -> Result<&[Node], Problem> {
        match &self.value {
            Value::List(items) => Ok(items),
            _ => Err(self.expected("a list")),
        }
    }

    /// A list of strings.
    pub(crate) fn texts(&self) -> Result<Vec<String>, Problem> {
        self.list()?
            .iter()
            .map(|item| item.text().map(str::to_owned))
            .collect()
    }

    /// A table with any keys.
    pub(crate) fn entries(&self) -> Result<&[(Key, Node)], Problem> {
        match &self.value {
            Value::Table(entries) => Ok(entries),
            _ => Err(self.expected("a table")),
        }
    }

    /// A table with these keys and no others.
    pub(crate) fn table(&self, known: &[&str]) -> Result<Table<'_>, Problem> {
        let mut table = Table {
            at: self.at,
            values: HashMap::new(),
        };
        for (key, node) in self.entries()? {
            if !known.contains(&key.text.as_str()) {
                return Err(Problem::new(
                    key.at,
                    format_args!(
                        "there is no key `{}` here: {}",
                        shown(&key.text),
                        suggestion(&key.text, known)
                    ),
                ));
            }
            if !matches!(node.value, Value::Nothing) {
                table.values.insert(&key.text, node);
            }
        }
        Ok(table)
    }
}

/// A table whose keys are known ones. A key without a value is as good as absent.
pub(crate) struct Table<'a> {
    pub(crate) at: Place,
    values: HashMap<&'a str, &'a Node>,
}

impl<'a> Table<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.values.get(key).copied()
    }

    pub(crate) fn required(&self, key: &str) -> Result<&'a Node, Problem> {
        self.get(key)
            .ok_or_else(|| Problem::new(self.at, format_args!("the key `{key}` is missing")))
    }

    /// The value as `read` reads it, if there is one.
    pub(crate) fn optional<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'a Node) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        self.get(key).map(read).transpose()
    }

    /// The items of a list, none where there is no list.
    pub(crate) fn items(&self, key: &str) -> Result<&'a [Node], Problem> {
        Ok(self.optional(key, Node::list)?.unwrap_or_default())
    }

    /// `false` where the key is absent.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, Problem> {
        Ok(self.optional(key, Node::boolean)?.unwrap_or(false))
    }
}
