//! Reading a request body as JSON that every reader understands alike.
//!
//! The arguments in a body follow the I-JSON profile of `thoth_core::json`, but a body is larger and
//! deeper than the arguments in it, and canonical form writes a double such as `1e20` as an integer.
//! So only what two parsers could read differently is refused here: a name that comes twice, a 64-bit
//! integer that no double holds, anything after the value, invalid UTF-8 and lone surrogates. A longer
//! integer becomes the nearest double, and no declared argument type takes it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads one JSON value and nothing after it. Nesting deeper than 127 levels is refused by the parser.
pub(crate) fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Strict>(text).map(|Strict(value)| value)
}

/// A value without an object that has a name twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
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
        exact(i128::from(value), value as f64)?;
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        exact(i128::from(value), value as f64)?;
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
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
    use super::parse;

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
