//! Putting JSON arguments into the types that a policy file declares.
//!
//! Cedar has no floating point, no null and no untyped value, so the mapping is chosen, not given; the
//! table is in the documentation of [`super::Policy`]. An argument that is declared and does not fit is an
//! error, never left out: a rule that guards it would not see it. One that is not declared is only
//! named: no rule can depend on its value, whatever number it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cedar_policy::{Context, RestrictedExpression};
use serde_json::{Map, Number, Value};

/// The largest magnitude up to which a double counts every integer.
const EXACT_DOUBLE: f64 = 9_007_199_254_740_991.0;

/// A type that an argument can be declared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Long,
    String,
    Decimal,
    IpAddr,
    Datetime,
    Duration,
    Set(Box<Type>),
    Record(BTreeMap<String, Attribute>),
}

/// A member of a record type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) kind: Type,
    pub(super) required: bool,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "Bool",
            Self::Long => "Long",
            Self::String => "String",
            Self::Decimal => "decimal",
            Self::IpAddr => "ipaddr",
            Self::Datetime => "datetime",
            Self::Duration => "duration",
            Self::Set(_) => "Set",
            Self::Record(_) => "record",
        })
    }
}

/// The declared arguments of all tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ArgumentTypes(BTreeMap<String, Attribute>);

/// Arguments as Cedar sees them.
pub(super) struct Projected {
    /// The value of `context.arguments`.
    pub(super) arguments: RestrictedExpression,
    /// The paths of what is there but not declared.
    pub(super) undeclared: BTreeSet<String>,
}

/// A declared argument whose value does not fit. The value itself is not in the message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("argument `{path}` does not fit its declared type {expected}")]
pub(super) struct Unfit {
    path: String,
    expected: String,
}

impl ArgumentTypes {
    pub(super) fn new(attributes: BTreeMap<String, Attribute>) -> Self {
        Self(attributes)
    }

    /// Puts the arguments of a call into the declared types.
    pub(super) fn project(&self, arguments: &Map<String, Value>) -> Result<Projected, Unfit> {
        let mut undeclared = BTreeSet::new();
        let arguments = record(&self.0, arguments, "", &mut undeclared)?;
        Ok(Projected {
            arguments,
            undeclared,
        })
    }
}

fn record(
    attributes: &BTreeMap<String, Attribute>,
    object: &Map<String, Value>,
    path: &str,
    undeclared: &mut BTreeSet<String>,
) -> Result<RestrictedExpression, Unfit> {
    let inner = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let absent = |name: &str| object.get(name).is_none_or(Value::is_null);
    for (name, attribute) in attributes {
        if attribute.required && absent(name) {
            return Err(unfit(&inner(name), &attribute.kind));
        }
    }
    let mut fields = Vec::new();
    for (name, value) in object.iter().filter(|(name, _)| !absent(name)) {
        match attributes.get(name) {
            Some(attribute) => {
                let value = convert(&attribute.kind, value, &inner(name), undeclared)?;
                fields.push((name.clone(), value));
            }
            None => {
                undeclared.insert(inner(name));
            }
        }
    }
    RestrictedExpression::new_record(fields).map_err(|_| Unfit {
        path: path.to_owned(),
        expected: "record".to_owned(),
    })
}

fn convert(
    kind: &Type,
    value: &Value,
    path: &str,
    undeclared: &mut BTreeSet<String>,
) -> Result<RestrictedExpression, Unfit> {
    let fitted = match (kind, value) {
        (Type::Bool, Value::Bool(value)) => Some(RestrictedExpression::new_bool(*value)),
        (Type::Long, Value::Number(value)) => long(value).map(RestrictedExpression::new_long),
        (Type::String, Value::String(text)) => Some(RestrictedExpression::new_string(text.clone())),
        (Type::Decimal, Value::String(text)) => extension(RestrictedExpression::new_decimal(text)),
        (Type::Decimal, Value::Number(value)) => {
            extension(RestrictedExpression::new_decimal(decimal_text(value)))
        }
        (Type::IpAddr, Value::String(text)) => extension(RestrictedExpression::new_ip(text)),
        (Type::Datetime, Value::String(text)) => {
            extension(RestrictedExpression::new_datetime(text))
        }
        (Type::Duration, Value::String(text)) => {
            extension(RestrictedExpression::new_duration(text))
        }
        (Type::Set(element), Value::Array(items)) => {
            let path = format!("{path}[]");
            let items: Result<Vec<_>, _> = items
                .iter()
                .map(|item| convert(element, item, &path, undeclared))
                .collect();
            Some(RestrictedExpression::new_set(items?))
        }
        (Type::Record(attributes), Value::Object(object)) => {
            Some(record(attributes, object, path, undeclared)?)
        }
        _ => None,
    };
    fitted.ok_or_else(|| unfit(path, kind))
}

fn unfit(path: &str, kind: &Type) -> Unfit {
    Unfit {
        path: path.to_owned(),
        expected: kind.to_string(),
    }
}

/// `5.0` and `5` are the same JSON number (RFC 8785 writes both as `5`), so both are a `Long`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the guard admits only integers that a double holds exactly"
)]
fn long(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let double = number.as_f64()?;
        let exact = double.fract() == 0.0 && double.abs() <= EXACT_DOUBLE;
        (number.is_f64() && exact).then_some(double as i64)
    })
}

/// The text that Cedar's `decimal` reads. Rust prints a double in the fewest digits that read back as
/// the same double and without an exponent; Cedar wants at least one fraction digit and refuses more
/// than four.
fn decimal_text(number: &Number) -> String {
    match (number.as_i64(), number.as_f64()) {
        (Some(integer), _) => format!("{integer}.0"),
        (None, Some(double)) if double.fract() == 0.0 => format!("{double:.1}"),
        (None, Some(double)) => format!("{double}"),
        (None, None) => number.to_string(),
    }
}

/// Checks an extension value by having Cedar evaluate it.
fn extension(value: RestrictedExpression) -> Option<RestrictedExpression> {
    let fits = Context::from_pairs([("value".to_owned(), value.clone())]).is_ok();
    fits.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn optional(kind: Type) -> Attribute {
        Attribute {
            kind,
            required: false,
        }
    }

    fn fits(kind: Type, value: Value) -> bool {
        let types = ArgumentTypes::new(BTreeMap::from([("x".to_owned(), optional(kind))]));
        let arguments = Map::from_iter([("x".to_owned(), value)]);
        types.project(&arguments).is_ok()
    }

    #[test]
    fn numbers_fit_only_where_cedar_has_the_exact_value() {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        for (text, is_long, is_decimal) in [
            ("0", true, true),
            ("-0.0", true, true),
            ("5", true, true),
            ("5.0", true, true),
            ("5e3", true, true),
            ("0.5", false, true),
            ("0.1", false, true),
            ("1.2345", false, true),
            ("1.23456", false, false),
            ("1e-4", false, true),
            ("1e-5", false, false),
            ("0.30000000000000004", false, false),
            ("9007199254740991", true, false),
            ("9007199254740993", true, false),
            ("9.007199254740992e15", false, false),
            ("9223372036854775807", true, false),
            ("9223372036854775808", false, false),
            ("922337203685477", true, true),
            ("922337203685478", true, false),
            ("1e30", false, false),
            ("-1e300", false, false),
        ] {
            assert_eq!(fits(Type::Long, parse(text)), is_long, "Long of {text}");
            assert_eq!(
                fits(Type::Decimal, parse(text)),
                is_decimal,
                "decimal of {text}"
            );
        }
    }

    #[test]
    fn only_a_value_of_the_declared_type_fits() {
        let numbers = || Type::Set(Box::new(Type::Long));
        for (kind, value, expected) in [
            (Type::Long, json!("5"), false),
            (Type::Long, json!(true), false),
            (Type::String, json!(5), false),
            (Type::String, json!("5"), true),
            (Type::Bool, json!("true"), false),
            (Type::Bool, json!(1), false),
            (Type::Bool, json!(true), true),
            (Type::Decimal, json!("1.5"), true),
            (Type::Decimal, json!("1.23456"), false),
            (Type::Decimal, json!("one"), false),
            (Type::IpAddr, json!("10.0.0.0/8"), true),
            (Type::IpAddr, json!("10.0.0.999"), false),
            (Type::Datetime, json!("2026-01-02"), true),
            (Type::Datetime, json!("soon"), false),
            (Type::Duration, json!("1h30m"), true),
            (Type::Duration, json!(90), false),
            (numbers(), json!([1, 2]), true),
            (numbers(), json!([]), true),
            (numbers(), json!([1, "2"]), false),
            (numbers(), json!([1, null]), false),
            (numbers(), json!(1), false),
            (Type::Record(BTreeMap::new()), json!([]), false),
            (Type::Record(BTreeMap::new()), json!({}), true),
            (Type::Long, json!(null), true),
        ] {
            assert_eq!(
                fits(kind.clone(), value.clone()),
                expected,
                "{kind} of {value}"
            );
        }
    }

    #[test]
    fn what_is_not_declared_is_only_named() {
        let person = Type::Record(BTreeMap::from([("age".to_owned(), optional(Type::Long))]));
        let types = ArgumentTypes::new(BTreeMap::from([("person".to_owned(), optional(person))]));
        let arguments = json!({"person": {"age": 7, "nick": "j"}, "note": 1e30, "none": null});
        let projected = types.project(arguments.as_object().unwrap()).unwrap();
        assert_eq!(
            projected.undeclared,
            BTreeSet::from(["note".to_owned(), "person.nick".to_owned()])
        );
    }

    #[test]
    fn a_required_member_that_is_missing_or_null_does_not_fit() {
        let age = Attribute {
            kind: Type::Long,
            required: true,
        };
        let person = || Type::Record(BTreeMap::from([("age".to_owned(), age.clone())]));
        assert!(!fits(person(), json!({})));
        assert!(!fits(person(), json!({"age": null})));
        assert!(fits(person(), json!({"age": 1})));
    }
}
