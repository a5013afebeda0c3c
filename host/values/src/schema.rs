//! JSON Schema (2020-12) of shapes: exactly what lowering accepts, or what lifting makes.

use serde_json::{Map, Value, json};

use crate::docs::TypeDocs;
use crate::glossary::Words;
use crate::integer::{Integer, SAFE};
use crate::limits;
use crate::lower::FLOAT32_MAX;
use crate::shape::{Case, Member, Payloads, Shape};
use thoth_names::Name;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Whether a schema describes arguments, where an option may be left out, or a result, where every
/// key is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Output,
}

/// Writes the schemas of one signature.
pub(crate) struct Schemas<'a> {
    words: Words<'a>,
    side: Side,
}

impl Schemas<'_> {
    /// Of the object of arguments; takes its size from the room that the component has left.
    ///
    /// # Errors
    /// Why the function has to be refused: the schema is too large, or all of them are.
    pub(crate) fn input(
        parameters: &[Member],
        words: Words<'_>,
        room: &mut usize,
    ) -> Result<Value, String> {
        let side = Side::Input;
        finished(Schemas { words, side }.object(parameters, None), room)
    }

    /// Of the result; of the `ok` side if it is a `result`.
    ///
    /// # Errors
    /// As `input`.
    pub(crate) fn output(
        result: Option<&Shape>,
        words: Words<'_>,
        room: &mut usize,
    ) -> Result<Value, String> {
        let result = match result {
            Some(Shape::Result(payloads)) => payloads.ok.as_ref(),
            other => other,
        };
        let side = Side::Output;
        finished(Schemas { words, side }.payload(result), room)
    }

    fn payload(&self, shape: Option<&Shape>) -> Map<String, Value> {
        match shape {
            Some(shape) => self.shape(shape),
            None => object(json!({"type": "null"})),
        }
    }

    fn shape(&self, shape: &Shape) -> Map<String, Value> {
        let docs = self.words.of(shape);
        let mut schema = match shape {
            Shape::Bool => object(json!({"type": "boolean"})),
            Shape::Integer(integer) => whole(*integer),
            Shape::Float32 => float(json!({
                "type": "number", "minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX
            })),
            Shape::Float64 => float(json!({"type": "number"})),
            Shape::Char => object(json!({"type": "string", "minLength": 1, "maxLength": 1})),
            Shape::Text => object(json!({"type": "string"})),
            Shape::Bytes(len) => {
                let mut schema = object(json!({"type": "string", "contentEncoding": "base64"}));
                if let Some(len) = len {
                    bound(&mut schema, "Length", u64::from(*len).div_ceil(3) * 4);
                }
                schema
            }
            Shape::List(element, len) => {
                let mut schema = object(json!({"type": "array", "items": self.shape(element)}));
                if let Some(len) = len {
                    bound(&mut schema, "Items", u64::from(*len));
                }
                schema
            }
            Shape::Record(fields) => self.object(fields, docs),
            Shape::Tuple(shapes) => {
                let items: Vec<_> = shapes.iter().map(|shape| self.shape(shape)).collect();
                object(json!({
                    "type": "array", "prefixItems": items, "items": false, "minItems": shapes.len()
                }))
            }
            Shape::Variant(cases) => {
                let cases: Vec<_> = cases.iter().map(|case| self.case(case, docs)).collect();
                object(json!({"type": "object", "oneOf": cases}))
            }
            Shape::Enum(names) => one_of(names),
            Shape::Flags(names) => {
                object(json!({"type": "array", "items": one_of(names), "uniqueItems": true}))
            }
            Shape::Option(inner) if inner.is_option() => nullable(object(json!({
                "type": "object",
                "properties": {"some": self.shape(inner)},
                "required": ["some"],
                "additionalProperties": false
            }))),
            Shape::Option(inner) => nullable(self.shape(inner)),
            Shape::Result(payloads) => {
                let Payloads { ok, err } = payloads.as_ref();
                let side = |key: &str, shape: Option<&Shape>| {
                    json!({
                        "properties": {key: self.payload(shape)},
                        "required": [key],
                        "additionalProperties": false
                    })
                };
                object(json!({
                    "type": "object", "oneOf": [side("ok", ok.as_ref()), side("err", err.as_ref())]
                }))
            }
        };
        if let Some(docs) = docs {
            let names = match shape {
                Shape::Enum(names) | Shape::Flags(names) => names.as_slice(),
                _ => &[],
            };
            describe(&mut schema, &description(docs, names));
        }
        schema
    }

    fn object(&self, members: &[Member], docs: Option<&TypeDocs>) -> Map<String, Value> {
        let properties: Map<String, Value> = members
            .iter()
            .map(|member| {
                let mut schema = self.shape(&member.shape);
                if let Some(text) = docs.and_then(|docs| docs.item(&member.name.wit)) {
                    describe(&mut schema, text);
                }
                (member.name.json.clone(), Value::Object(schema))
            })
            .collect();
        let required: Vec<&str> = members
            .iter()
            .filter(|member| self.side == Side::Output || !member.shape.is_option())
            .map(|member| member.name.json.as_str())
            .collect();
        object(json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false
        }))
    }

    fn case(&self, case: &Case, docs: Option<&TypeDocs>) -> Value {
        let mut schema = json!({
            "properties": {"tag": {"const": case.name.json}},
            "required": ["tag"],
            "additionalProperties": false
        });
        if let Some(payload) = &case.payload {
            let required = self.side == Side::Output || !payload.is_option();
            let keys: &[&str] = if required { &["tag", "val"] } else { &["tag"] };
            schema = json!({
                "properties": {"tag": {"const": case.name.json}, "val": self.shape(payload)},
                "required": keys,
                "additionalProperties": false
            });
        }
        let mut schema = object(schema);
        if let Some(text) = docs.and_then(|docs| docs.item(&case.name.wit)) {
            describe(&mut schema, text);
        }
        Value::Object(schema)
    }
}

fn finished(mut schema: Map<String, Value>, room: &mut usize) -> Result<Value, String> {
    schema.insert("$schema".to_owned(), Value::from(DIALECT));
    let schema = Value::Object(schema);
    let size = schema.to_string().len();
    if size > limits::SCHEMA {
        return Err(format!(
            "its JSON Schema is larger than {} KiB",
            limits::SCHEMA / 1_024
        ));
    }
    *room = room.checked_sub(size).ok_or_else(|| {
        format!(
            "the component's JSON Schemas are larger than {} MiB",
            limits::SCHEMAS >> 20
        )
    })?;
    Ok(schema)
}

fn whole(integer: Integer) -> Map<String, Value> {
    let (least, most) = integer.range();
    let bounds = |least: i128, most: i128| {
        // Every bound that is used is within ±2^53, so it fits.
        json!({
            "type": "integer",
            "minimum": i64::try_from(least).unwrap_or(i64::MIN),
            "maximum": i64::try_from(most).unwrap_or(i64::MAX)
        })
    };
    let pattern = match integer {
        Integer::U64 => "^(0|[1-9][0-9]{0,19})$",
        Integer::S64 => "^(0|-?[1-9][0-9]{0,18})$",
        _ => return object(bounds(least, most)),
    };
    object(json!({
        "anyOf": [
            bounds(least.max(-SAFE), most.min(SAFE)),
            {"type": "string", "pattern": pattern}
        ]
    }))
}

fn float(number: Value) -> Map<String, Value> {
    object(json!({"anyOf": [number, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}]}))
}

fn one_of(names: &[Name]) -> Map<String, Value> {
    let names: Vec<&str> = names.iter().map(|name| name.json.as_str()).collect();
    object(json!({"type": "string", "enum": names}))
}

/// The shortest schema that also accepts `null`.
fn nullable(mut schema: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::Array(options)) = schema.get_mut("anyOf") {
        options.push(json!({"type": "null"}));
        return schema;
    }
    // `enum` and `oneOf` bind a null too; the other keywords speak of one type only.
    let binds = schema.contains_key("enum") || schema.contains_key("oneOf");
    if let Some(Value::String(name)) = schema.get("type").filter(|_| !binds) {
        let types = json!([name, "null"]);
        schema.insert("type".to_owned(), types);
        return schema;
    }
    let description = schema.remove("description");
    let mut schema = object(json!({"anyOf": [schema, {"type": "null"}]}));
    if let Some(description) = description {
        schema.insert("description".to_owned(), description);
    }
    schema
}

/// The text of a type, and a line for each of its cases that has one.
fn description(docs: &TypeDocs, names: &[Name]) -> String {
    let text = docs.text.iter().cloned();
    let items = names
        .iter()
        .filter_map(|name| Some(format!("- `{}`: {}", name.json, docs.item(&name.wit)?)));
    text.chain(items).collect::<Vec<_>>().join("\n")
}

fn describe(schema: &mut Map<String, Value>, text: &str) {
    if !text.is_empty() {
        schema.insert("description".to_owned(), Value::from(text));
    }
}

fn bound(schema: &mut Map<String, Value>, what: &str, exactly: u64) {
    schema.insert(format!("min{what}"), Value::from(exactly));
    schema.insert(format!("max{what}"), Value::from(exactly));
}

fn object(schema: Value) -> Map<String, Value> {
    match schema {
        Value::Object(schema) => schema,
        other => Map::from_iter([("const".to_owned(), other)]),
    }
}
