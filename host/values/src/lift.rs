//! Component values into JSON, total on whatever a guest returns and bounded in size.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use thoth_names::Name;
use wasmtime::component::Val;

use crate::shape::{Member, Payloads, Shape};

/// What a function returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Lifted {
    /// The value; for a `result`, the payload of `ok`; `null` where there is none.
    Completed(Value),
    /// The function returned `err`: its payload, or `null` where there is none.
    ToolError(Value),
}

/// Results that have no JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiftError {
    /// The JSON would be larger than the caller allows.
    #[error("the result is larger than {max} bytes of JSON")]
    TooLarge {
        /// What the caller allows, in bytes.
        max: usize,
    },
    /// The values are not of the function's result type. The engine does not hand back such values;
    /// a caller who mixes up functions does.
    #[error("the result is not a value of the function's result type")]
    Unexpected,
}

/// Lifts the results of a function of that result type.
pub(crate) fn lift(
    result: Option<&Shape>,
    results: &[Val],
    max: usize,
) -> Result<Lifted, LiftError> {
    let mut lifting = Lifting { left: max, max };
    match (result, results) {
        (None, []) => lifting.payload(None, None).map(Lifted::Completed),
        (Some(Shape::Result(payloads)), [Val::Result(result)]) => {
            let Payloads { ok, err } = payloads.as_ref();
            match result {
                Ok(val) => lifting
                    .payload(ok.as_ref(), val.as_deref())
                    .map(Lifted::Completed),
                Err(val) => lifting
                    .payload(err.as_ref(), val.as_deref())
                    .map(Lifted::ToolError),
            }
        }
        (Some(shape), [val]) => lifting.value(shape, val).map(Lifted::Completed),
        _ => Err(LiftError::Unexpected),
    }
}

struct Lifting {
    /// How many bytes of compact JSON text may still be made. Counted before they are, so that a
    /// result which is too large costs at most what is allowed.
    left: usize,
    max: usize,
}

impl Lifting {
    fn take(&mut self, bytes: usize) -> Result<(), LiftError> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or(LiftError::TooLarge { max: self.max })?;
        Ok(())
    }

    fn value(&mut self, shape: &Shape, val: &Val) -> Result<Value, LiftError> {
        match (shape, val) {
            (Shape::Bool, Val::Bool(value)) => self.scalar(Value::Bool(*value)),
            (Shape::Integer(integer), val) => {
                self.scalar(integer.lift(val).ok_or(LiftError::Unexpected)?)
            }
            (Shape::Float32, Val::Float32(value)) => self.scalar(float32(*value)),
            (Shape::Float64, Val::Float64(value)) => self.scalar(float64(*value)),
            (Shape::Char, Val::Char(value)) => self.text(value.encode_utf8(&mut [0; 4])),
            (Shape::Text, Val::String(value)) => self.text(value),
            (Shape::Bytes(len), val) => {
                let items = items(val, *len)?;
                self.take(items.len().div_ceil(3).saturating_mul(4).saturating_add(2))?;
                let bytes = items
                    .iter()
                    .map(|item| match item {
                        Val::U8(byte) => Ok(*byte),
                        _ => Err(LiftError::Unexpected),
                    })
                    .collect::<Result<Vec<u8>, _>>()?;
                Ok(Value::String(STANDARD.encode(bytes)))
            }
            (Shape::List(element, len), val) => {
                let items = items(val, *len)?;
                self.array(items.len())?;
                items.iter().map(|item| self.value(element, item)).collect()
            }
            (Shape::Record(fields), Val::Record(values)) => self.record(fields, values),
            (Shape::Tuple(shapes), Val::Tuple(values)) if shapes.len() == values.len() => {
                self.array(values.len())?;
                let pairs = shapes.iter().zip(values);
                pairs.map(|(shape, val)| self.value(shape, val)).collect()
            }
            (Shape::Variant(cases), Val::Variant(tag, val)) => {
                let case = cases
                    .iter()
                    .find(|case| case.name.wit == *tag)
                    .ok_or(LiftError::Unexpected)?;
                let mut object = Map::new();
                self.take(2)?;
                self.key("tag")?;
                object.insert("tag".to_owned(), self.text(&case.name.json)?);
                if case.payload.is_some() {
                    self.take(1)?;
                    self.key("val")?;
                    let json = self.payload(case.payload.as_ref(), val.as_deref())?;
                    object.insert("val".to_owned(), json);
                } else if val.is_some() {
                    return Err(LiftError::Unexpected);
                }
                Ok(Value::Object(object))
            }
            (Shape::Enum(names), Val::Enum(wit)) => self.text(json_name(names, wit)?),
            (Shape::Flags(names), Val::Flags(set)) => {
                self.array(set.len())?;
                set.iter()
                    .map(|wit| self.text(json_name(names, wit)?))
                    .collect()
            }
            (Shape::Option(_), Val::Option(None)) => self.scalar(Value::Null),
            (Shape::Option(inner), Val::Option(Some(val))) if inner.is_option() => {
                self.single("some", Some(inner), Some(val))
            }
            (Shape::Option(inner), Val::Option(Some(val))) => self.value(inner, val),
            (Shape::Result(payloads), Val::Result(Ok(val))) => {
                self.single("ok", payloads.ok.as_ref(), val.as_deref())
            }
            (Shape::Result(payloads), Val::Result(Err(val))) => {
                self.single("err", payloads.err.as_ref(), val.as_deref())
            }
            _ => Err(LiftError::Unexpected),
        }
    }

    fn record(&mut self, fields: &[Member], values: &[(String, Val)]) -> Result<Value, LiftError> {
        if fields.len() != values.len() {
            return Err(LiftError::Unexpected);
        }
        self.array(fields.len())?;
        let mut object = Map::new();
        for (field, (wit, val)) in fields.iter().zip(values) {
            if field.name.wit != *wit {
                return Err(LiftError::Unexpected);
            }
            self.key(&field.name.json)?;
            object.insert(field.name.json.clone(), self.value(&field.shape, val)?);
        }
        Ok(Value::Object(object))
    }

    /// An object of one key.
    fn single(
        &mut self,
        key: &str,
        shape: Option<&Shape>,
        val: Option<&Val>,
    ) -> Result<Value, LiftError> {
        self.take(2)?;
        self.key(key)?;
        let json = self.payload(shape, val)?;
        Ok(Value::Object(Map::from_iter([(key.to_owned(), json)])))
    }

    fn payload(&mut self, shape: Option<&Shape>, val: Option<&Val>) -> Result<Value, LiftError> {
        match (shape, val) {
            (None, None) => self.scalar(Value::Null),
            (Some(shape), Some(val)) => self.value(shape, val),
            _ => Err(LiftError::Unexpected),
        }
    }

    /// A value of a few bytes: made first, counted after.
    fn scalar(&mut self, json: Value) -> Result<Value, LiftError> {
        let mut length = Length(0);
        // Writing into a counter does not fail.
        let _ = write!(length, "{json}");
        self.take(length.0)?;
        Ok(json)
    }

    fn text(&mut self, text: &str) -> Result<Value, LiftError> {
        self.take(2)?;
        self.take(text.len())?;
        let escapes = text.bytes().map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
            0..0x20 => 5,
            _ => 0,
        });
        self.take(escapes.sum())?;
        Ok(Value::String(text.to_owned()))
    }

    /// The quotes and the colon too. Names need no escapes.
    fn key(&mut self, key: &str) -> Result<(), LiftError> {
        self.take(key.len() + 3)
    }

    /// The brackets and the commas of an array or an object.
    fn array(&mut self, items: usize) -> Result<(), LiftError> {
        self.take(items.saturating_sub(1).saturating_add(2))
    }
}

struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

fn items(val: &Val, len: Option<u32>) -> Result<&[Val], LiftError> {
    match (val, len) {
        (Val::List(items), None) => Ok(items),
        (Val::FixedLengthList(items), Some(len)) if usize::try_from(len) == Ok(items.len()) => {
            Ok(items)
        }
        _ => Err(LiftError::Unexpected),
    }
}

fn json_name<'a>(names: &'a [Name], wit: &str) -> Result<&'a str, LiftError> {
    names
        .iter()
        .find(|name| name.wit == wit)
        .map(|name| name.json.as_str())
        .ok_or(LiftError::Unexpected)
}

fn float64(value: f64) -> Value {
    match value {
        value if value.is_nan() => Value::from("NaN"),
        f64::INFINITY => Value::from("Infinity"),
        f64::NEG_INFINITY => Value::from("-Infinity"),
        value => Value::from(value),
    }
}

/// The double that is written like the f32: 0.1, and not 0.10000000149011612.
fn float32(value: f32) -> Value {
    if !value.is_finite() {
        return float64(value.into());
    }
    float64(value.to_string().parse().unwrap_or_else(|_| value.into()))
}
