//! Properties of the conversions, for random types: nothing is lost on the way to JSON and back, and
//! the schema says what lowering does.

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use serde_json::{Value, json};
use thoth_names::Name;
use wasmtime::component::Val;

use crate::glossary::Glossary;
use crate::integer::Integer;
use crate::lift::{LiftError, Lifted, lift};
use crate::lower::lower;
use crate::schema::Schemas;
use crate::shape::{Case, Member, Payloads, Shape};

fn names(count: usize) -> Vec<Name> {
    (0..count)
        .map(|n| Name::new(&format!("item-N{n}")).unwrap())
        .collect()
}

fn members(shapes: Vec<Shape>) -> Vec<Member> {
    let names = names(shapes.len());
    names
        .into_iter()
        .zip(shapes)
        .map(|(name, shape)| Member { name, shape })
        .collect()
}

fn shapes() -> impl Strategy<Value = Shape> {
    use Integer::{S8, S16, S32, S64, U8, U16, U32, U64};
    let leaf = prop_oneof![
        Just(Shape::Bool),
        prop::sample::select(vec![U8, U16, U32, U64, S8, S16, S32, S64]).prop_map(Shape::Integer),
        Just(Shape::Float32),
        Just(Shape::Float64),
        Just(Shape::Char),
        Just(Shape::Text),
        prop::option::of(0_u32..5).prop_map(Shape::Bytes),
        (1_usize..5).prop_map(|count| Shape::Enum(names(count))),
        (1_usize..5).prop_map(|count| Shape::Flags(names(count))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        let maybe = prop::option::of(inner.clone());
        prop_oneof![
            (inner.clone(), prop::option::of(0_u32..4)).prop_map(|(shape, len)| match shape {
                Shape::Integer(U8) => Shape::Bytes(len),
                shape => Shape::List(Box::new(shape), len),
            }),
            some.clone()
                .prop_map(|shapes| Shape::Record(members(shapes))),
            some.prop_map(Shape::Tuple),
            prop::collection::vec(maybe.clone(), 1..4).prop_map(|payloads| {
                let names = names(payloads.len()).into_iter();
                Shape::Variant(
                    names
                        .zip(payloads)
                        .map(|(name, payload)| Case { name, payload })
                        .collect(),
                )
            }),
            inner.prop_map(|shape| Shape::Option(Box::new(shape))),
            (maybe.clone(), maybe)
                .prop_map(|(ok, err)| Shape::Result(Box::new(Payloads { ok, err }))),
        ]
    })
}

/// Values of a shape.
fn vals(shape: &Shape) -> BoxedStrategy<Val> {
    match shape {
        Shape::Bool => any::<bool>().prop_map(Val::Bool).boxed(),
        Shape::Integer(Integer::U8) => any::<u8>().prop_map(Val::U8).boxed(),
        Shape::Integer(Integer::U16) => any::<u16>().prop_map(Val::U16).boxed(),
        Shape::Integer(Integer::U32) => any::<u32>().prop_map(Val::U32).boxed(),
        Shape::Integer(Integer::U64) => prop_oneof![any::<u64>(), 0_u64..9]
            .prop_map(Val::U64)
            .boxed(),
        Shape::Integer(Integer::S8) => any::<i8>().prop_map(Val::S8).boxed(),
        Shape::Integer(Integer::S16) => any::<i16>().prop_map(Val::S16).boxed(),
        Shape::Integer(Integer::S32) => any::<i32>().prop_map(Val::S32).boxed(),
        Shape::Integer(Integer::S64) => prop_oneof![any::<i64>(), -9_i64..9]
            .prop_map(Val::S64)
            .boxed(),
        Shape::Float32 => prop_oneof![
            any::<u32>().prop_map(f32::from_bits),
            prop::sample::select(vec![f32::MIN, f32::MAX, f32::MIN_POSITIVE, -0.0]),
        ]
        .prop_map(Val::Float32)
        .boxed(),
        Shape::Float64 => any::<u64>()
            .prop_map(|bits| Val::Float64(f64::from_bits(bits)))
            .boxed(),
        Shape::Char => any::<char>().prop_map(Val::Char).boxed(),
        Shape::Text => any::<String>().prop_map(Val::String).boxed(),
        Shape::Bytes(len) => items(&Shape::Integer(Integer::U8), *len),
        Shape::List(element, len) => items(element, *len),
        Shape::Record(fields) => {
            let wits: Vec<String> = fields.iter().map(|field| field.name.wit.clone()).collect();
            let vals: Vec<_> = fields.iter().map(|field| vals(&field.shape)).collect();
            vals.prop_map(move |vals| Val::Record(wits.iter().cloned().zip(vals).collect()))
                .boxed()
        }
        Shape::Tuple(shapes) => {
            let vals: Vec<_> = shapes.iter().map(vals).collect();
            vals.prop_map(Val::Tuple).boxed()
        }
        Shape::Variant(cases) => {
            let cases: Vec<_> = cases
                .iter()
                .map(|case| {
                    let wit = case.name.wit.clone();
                    payload(case.payload.as_ref())
                        .prop_map(move |val| Val::Variant(wit.clone(), val))
                        .boxed()
                })
                .collect();
            proptest::strategy::Union::new(cases).boxed()
        }
        Shape::Enum(names) => {
            let wits: Vec<String> = names.iter().map(|name| name.wit.clone()).collect();
            prop::sample::select(wits).prop_map(Val::Enum).boxed()
        }
        Shape::Flags(names) => {
            let wits: Vec<String> = names.iter().map(|name| name.wit.clone()).collect();
            let count = wits.len();
            subsequence(wits, 0..=count).prop_map(Val::Flags).boxed()
        }
        Shape::Option(inner) => prop::option::of(vals(inner))
            .prop_map(|val| Val::Option(val.map(Box::new)))
            .boxed(),
        Shape::Result(payloads) => prop_oneof![
            payload(payloads.ok.as_ref()).prop_map(|val| Val::Result(Ok(val))),
            payload(payloads.err.as_ref()).prop_map(|val| Val::Result(Err(val))),
        ]
        .boxed(),
    }
}

fn items(element: &Shape, len: Option<u32>) -> BoxedStrategy<Val> {
    let element = vals(element);
    match len {
        None => prop::collection::vec(element, 0..6)
            .prop_map(Val::List)
            .boxed(),
        Some(len) => prop::collection::vec(element, len as usize)
            .prop_map(Val::FixedLengthList)
            .boxed(),
    }
}

fn payload(shape: Option<&Shape>) -> BoxedStrategy<Option<Box<Val>>> {
    match shape {
        Some(shape) => vals(shape).prop_map(|val| Some(Box::new(val))).boxed(),
        None => Just(None).boxed(),
    }
}

pub(crate) fn typed() -> impl Strategy<Value = (Shape, Val)> {
    shapes().prop_flat_map(|shape| (Just(shape.clone()), vals(&shape)))
}

/// As a nested value, so that a `result` is an object too.
pub(crate) fn lifted(shape: &Shape, val: &Val, max: usize) -> Result<Value, LiftError> {
    let tuple = Shape::Tuple(vec![shape.clone()]);
    match lift(Some(&tuple), &[Val::Tuple(vec![val.clone()])], max)? {
        Lifted::Completed(json) => Ok(json[0].clone()),
        Lifted::ToolError(json) => panic!("{json}"),
    }
}

pub(crate) fn lowered(shape: &Shape, json: &Value) -> Result<Val, crate::Misfit> {
    let parameters = members(vec![shape.clone()]);
    Ok(lower(&parameters, &json!({"item_n0": json}))?.remove(0))
}

fn schema(shape: &Shape) -> Value {
    let glossary = Glossary::default();
    let parameters = members(vec![shape.clone()]);
    let whole = Schemas::input(&parameters, glossary.words(None), &mut { usize::MAX }).unwrap();
    whole["properties"]["item_n0"].clone()
}

/// Whether a schema accepts a value, for the keywords that this crate writes.
fn accepts(schema: &Value, json: &Value) -> bool {
    let Value::Object(keywords) = schema else {
        return schema == &Value::Bool(true);
    };
    let is = |name: &str| match name {
        "null" => json.is_null(),
        "boolean" => json.is_boolean(),
        "number" => json.is_number(),
        "integer" => json.as_f64().is_some_and(|n| n.fract() == 0.0),
        "string" => json.is_string(),
        "array" => json.is_array(),
        "object" => json.is_object(),
        other => panic!("type {other}"),
    };
    let all = |schemas: &Value| schemas.as_array().unwrap().clone();
    let items = json.as_array();
    let chars = json.as_str().map(|text| text.chars().count() as u64);
    keywords
        .iter()
        .all(|(keyword, rule)| match keyword.as_str() {
            "type" => match rule {
                Value::String(name) => is(name),
                names => all(names).iter().any(|name| is(name.as_str().unwrap())),
            },
            "const" => json == rule,
            "enum" => all(rule).contains(json),
            "anyOf" => all(rule).iter().any(|schema| accepts(schema, json)),
            "oneOf" => {
                all(rule)
                    .iter()
                    .filter(|schema| accepts(schema, json))
                    .count()
                    == 1
            }
            "minimum" => json.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
            "maximum" => json.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
            "minLength" => chars.is_none_or(|count| count >= rule.as_u64().unwrap()),
            "maxLength" => chars.is_none_or(|count| count <= rule.as_u64().unwrap()),
            "minItems" => items.is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => items.is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
            "uniqueItems" => items
                .is_none_or(|items| (1..items.len()).all(|at| !items[..at].contains(&items[at]))),
            "prefixItems" => items.is_none_or(|items| {
                items
                    .iter()
                    .zip(all(rule))
                    .all(|(item, schema)| accepts(&schema, item))
            }),
            "items" => items.is_none_or(|items| {
                let skip = keywords
                    .get("prefixItems")
                    .map_or(0, |prefix| all(prefix).len());
                items.iter().skip(skip).all(|item| accepts(rule, item))
            }),
            "properties" => rule
                .as_object()
                .unwrap()
                .iter()
                .all(|(key, schema)| json.get(key).is_none_or(|value| accepts(schema, value))),
            "required" => {
                !json.is_object()
                    || all(rule)
                        .iter()
                        .all(|key| json.get(key.as_str().unwrap()).is_some())
            }
            "additionalProperties" => {
                rule != &Value::Bool(false)
                    || json.as_object().is_none_or(|object| {
                        object
                            .keys()
                            .all(|key| keywords["properties"].get(key).is_some())
                    })
            }
            // Both patterns are of decimal text; what is out of range is left to lowering.
            "pattern" => json.as_str().is_none_or(|text| {
                let digits = text.strip_prefix('-').unwrap_or(text);
                text == "0"
                    || (!digits.is_empty()
                        && !digits.starts_with('0')
                        && digits.bytes().all(|b| b.is_ascii_digit()))
            }),
            "contentEncoding" | "description" => true,
            other => panic!("keyword {other}"),
        })
}

/// Every place in a JSON value, as pointers.
fn places(json: &Value, at: String, out: &mut Vec<String>) {
    match json {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(n, item)| places(item, format!("{at}/{n}"), out));
        }
        Value::Object(object) => {
            object
                .iter()
                .for_each(|(key, item)| places(item, format!("{at}/{key}"), out));
        }
        _ => {}
    }
    out.push(at);
}

/// How a value is made to be another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Replace,
    Add,
    Remove,
}

pub(crate) fn strangers() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        any::<i64>().prop_map(Value::from),
        (-300_i64..300).prop_map(Value::from),
        Just(json!(1e30)),
        Just(json!(3.4028235e38)),
        Just(json!(1.5)),
        Just(json!(7.0)),
        Just(json!("x")),
        Just(json!("NaN")),
        Just(json!([])),
        Just(json!([null])),
        Just(json!({})),
        Just(json!({"some": null})),
        Just(json!({"ok": null})),
        Just(json!({"tag": "item_n0"})),
        Just(json!({"tag": "item_n1", "val": 1})),
        Just(json!("item_n0")),
        Just(json!(["item_n0", "item_n0"])),
        Just(json!({"item_n0": 1})),
    ]
}

/// A value with something of it changed.
pub(crate) fn changed(mut json: Value, place: Index, change: Change, stranger: Value) -> Value {
    let mut all = Vec::new();
    places(&json, String::new(), &mut all);
    let spot = json.pointer_mut(place.get::<String>(&all)).unwrap();
    match (change, spot) {
        (Change::Add, Value::Object(object)) => {
            object.insert("stranger".to_owned(), stranger);
        }
        (Change::Remove, Value::Object(object)) => {
            object.retain(|key, _| key != "item_n0" && key != "val");
        }
        (Change::Add, Value::Array(items)) => items.push(stranger),
        (Change::Remove, Value::Array(items)) => drop(items.pop()),
        (_, spot) => *spot = stranger,
    }
    json
}

pub(crate) fn changes() -> impl Strategy<Value = Change> {
    prop::sample::select(vec![Change::Replace, Change::Add, Change::Remove])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lowering_what_was_lifted_gives_the_value_back((shape, val) in typed()) {
        let json = lifted(&shape, &val, usize::MAX).unwrap();
        let text = json.to_string();
        let read: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &json);
        let back = lowered(&shape, &read).unwrap();
        prop_assert_eq!(&back, &val);
        prop_assert_eq!(lifted(&shape, &back, usize::MAX).unwrap(), json);
    }

    #[test]
    fn lifting_counts_the_bytes_that_it_makes((shape, val) in typed()) {
        let size = lifted(&shape, &val, usize::MAX).unwrap().to_string().len() + 2;
        prop_assert!(lifted(&shape, &val, size).is_ok());
        prop_assert_eq!(lifted(&shape, &val, size - 1), Err(LiftError::TooLarge { max: size - 1 }));
    }

    #[test]
    fn lifting_a_value_of_another_type_is_an_error_or_a_value((shape, _) in typed(), (_, val) in typed()) {
        // Not a panic, whatever it is.
        let _ = lifted(&shape, &val, usize::MAX);
    }

    #[test]
    fn the_schema_accepts_what_is_lifted((shape, val) in typed()) {
        let json = lifted(&shape, &val, usize::MAX).unwrap();
        let schema = schema(&shape);
        prop_assert!(accepts(&schema, &json), "{schema} refuses {json}");
    }

    #[test]
    fn the_schema_and_lowering_agree(
        (shape, val) in typed(), place in any::<Index>(), stranger in strangers(),
        change in changes(),
    ) {
        let json = changed(lifted(&shape, &val, usize::MAX).unwrap(), place, change, stranger);
        let schema = schema(&shape);
        let lowered = lowered(&shape, &json);
        // JSON Schema cannot say that text is base64.
        let base64 = lowered.as_ref().is_err_and(|misfit| {
            misfit.message.contains("base64") || misfit.message.contains("bytes")
        });
        if !base64 {
            prop_assert_eq!(accepts(&schema, &json), lowered.is_ok(), "{} {} {:?}", schema, json, lowered);
        }
    }
}
