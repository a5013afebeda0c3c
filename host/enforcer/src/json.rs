//! Reading a request body as JSON that every reader understands alike.
//!
//! The arguments in a body follow the I-JSON profile of `thoth_core::json`, but a body is larger and
//! deeper than the arguments in it, and canonical form writes a double such as `1e20` as an integer.
//! So only what two parsers could read differently is refused here: a name that comes twice, a 64-bit
//! integer that no double holds, anything after the value, invalid UTF-8 and lone surrogates. A longer
//! integer becomes the nearest double, and no declared argument type takes it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The most values in one body, each member and each item being one. In memory a value is many times as
/// large as the two bytes that it can be written in.
pub(crate) const MAX_VALUES: usize = 200_000;

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is not JSON that every reader understands alike.
    #[error("the body is not strict JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is, and too much of it.
    #[error("the body has more than {MAX_VALUES} values")]
    TooMany,
}

/// Reads one JSON value and nothing after it. Nesting deeper than 127 levels is refused by the parser.
pub(crate) fn parse(text: &[u8]) -> Result<Value, Unreadable> {
    read(text, true)
}

/// As [`parse`], for what nobody decides by: integers of 64 bits come as they are.
pub(crate) fn parse_told(text: &[u8]) -> Result<Value, Unreadable> {
    read(text, false)
}

fn read(text: &[u8], exact: bool) -> Result<Value, Unreadable> {
    let mut left = MAX_VALUES;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let strict = Strict {
        left: &mut left,
        exact,
    };
    let read = strict.deserialize(&mut reader);
    match read.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(value),
        Err(_) if left == 0 => Err(Unreadable::TooMany),
        Err(error) => Err(error.into()),
    }
}

/// Reads a value without an object that has a name twice.
struct Strict<'a> {
    /// How many values may come yet.
    left: &'a mut usize,
    /// Whether each integer must be one that a double holds.
    exact: bool,
}

impl Strict<'_> {
    /// The same for a value inside this one.
    fn inside(&mut self) -> Strict<'_> {
        Strict {
            left: &mut *self.left,
            exact: self.exact,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.checked_sub(1);
        *self.left = left.ok_or_else(|| D::Error::custom("too many values"))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        if self.exact {
            exact(i128::from(value), value as f64)?;
        }
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        if self.exact {
            exact(i128::from(value), value as f64)?;
        }
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value);
        number
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.inside())? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.inside())?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the name `{name}` comes twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// An approver must see, and a policy judge, the number that the client runs with.
fn exact<E: Error>(integer: i128, double: f64) -> Result<(), E> {
    if double as i128 == integer {
        Ok(())
    } else {
        Err(E::custom(
            "an integer that a double cannot hold: give it as text",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_VALUES, Unreadable, parse, parse_told};

    #[test]
    fn what_parsers_read_differently_is_refused() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"\u0062":2}}"#,
            r#"{"a":1} tail"#,
            r#""\ud800""#,
            "\"\u{0}\"",
            "1e999",
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551615",
            "",
            "\u{feff}{}",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse("[".repeat(1000).as_bytes()).is_err());
    }

    #[test]
    fn a_body_has_so_many_values_and_no_more() {
        let items = |count: usize| format!("[{}]", vec!["0"; count].join(","));
        assert!(parse(items(MAX_VALUES - 1).as_bytes()).is_ok());
        let more = parse(items(MAX_VALUES).as_bytes());
        assert!(matches!(more, Err(Unreadable::TooMany)), "{more:?}");
        let nested = format!(r#"{{"a":{}}}"#, items(MAX_VALUES));
        assert!(matches!(parse(nested.as_bytes()), Err(Unreadable::TooMany)));
    }

    #[test]
    fn what_is_only_told_keeps_its_integers() {
        for text in [
            "9007199254740993",
            "-9223372036854775807",
            "18446744073709551615",
        ] {
            assert!(parse(text.as_bytes()).is_err());
            assert_eq!(parse_told(text.as_bytes()).unwrap().to_string(), text);
        }
        assert!(parse_told(br#"{"a":1,"a":2}"#).is_err());
    }

    #[test]
    fn all_else_is_read_as_serde_json_reads_it() {
        for text in [
            r#"{"b":[1,-2,3.5,1e20,true,null,"\ud83d\ude00"],"a":{}}"#,
            "9007199254740992",
            "1152921504606846976",
            "100000000000000000000",
        ] {
            let expected: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes()).unwrap(), expected);
        }
    }
}
