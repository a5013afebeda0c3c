//! Schemas of arguments as the APIs take them: what one refuses is put in other words or left out.

use serde_json::{Map, Value, json};

/// The longest name of a property that the APIs take.
const PROPERTY_MAX: usize = 64;

/// What may not stand beside `type` at the top of a schema.
const NOT_AT_THE_TOP: [&str; 5] = ["oneOf", "anyOf", "allOf", "not", "enum"];

/// For Anthropic's `input_schema`: JSON Schema 2020-12, an object at the top.
pub(super) fn anthropic(schema: &Value) -> Result<Value, String> {
    let mut schema = object(schema)?;
    schema.remove("$schema");
    let schema = Value::Object(schema);
    properties(&schema)?;
    Ok(schema)
}

/// For OpenAI's `parameters`: as for Anthropic, and an array has one schema for all of its items.
pub(super) fn openai(schema: &Value) -> Result<Value, String> {
    let mut schema = anthropic(schema)?;
    arrays(&mut schema);
    Ok(schema)
}

fn object(schema: &Value) -> Result<Map<String, Value>, String> {
    let object = schema.as_object();
    let object = object.filter(|schema| schema.get("type") == Some(&Value::from("object")));
    let Some(object) = object else {
        return Err("its arguments are not described as an object".into());
    };
    match NOT_AT_THE_TOP
        .iter()
        .find(|word| object.contains_key(**word))
    {
        Some(word) => Err(format!(
            "its arguments are described by `{word}` as a whole"
        )),
        None => Ok(object.clone()),
    }
}

/// Whether every property has a name that the APIs take.
fn properties(schema: &Value) -> Result<(), String> {
    match schema {
        Value::Object(object) => {
            let names = object.get("properties").and_then(Value::as_object);
            for name in names.into_iter().flat_map(Map::keys) {
                let plain = name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
                if !plain || !(1..=PROPERTY_MAX).contains(&name.len()) {
                    return Err(format!(
                        "its argument `{name}` has a name that is not 1 to {PROPERTY_MAX} of `A-Z a-z 0-9 _ . -`"
                    ));
                }
            }
            object.values().try_for_each(properties)
        }
        Value::Array(items) => items.iter().try_for_each(properties),
        _ => Ok(()),
    }
}

/// Gives every array one schema of its items.
fn arrays(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(items)) = object.remove("prefixItems") {
                let length = items.len();
                let mut kinds: Vec<Value> = Vec::new();
                for item in items {
                    if !kinds.contains(&item) {
                        kinds.push(item);
                    }
                }
                let one = match kinds.as_slice() {
                    [] => json!({}),
                    [one] => one.clone(),
                    _ => json!({ "anyOf": kinds }),
                };
                if object.get("items") == Some(&Value::Bool(false)) {
                    object.insert("maxItems".into(), length.into());
                }
                object.insert("items".into(), one);
            } else if is_array(object) && !object.get("items").is_some_and(Value::is_object) {
                object.insert("items".into(), json!({}));
            }
            object.values_mut().for_each(arrays);
        }
        Value::Array(items) => items.iter_mut().for_each(arrays),
        _ => {}
    }
}

fn is_array(object: &Map<String, Value>) -> bool {
    match object.get("type") {
        Some(Value::String(kind)) => kind == "array",
        Some(Value::Array(kinds)) => kinds.contains(&Value::from("array")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(property: Value) -> Value {
        json!({"type": "object", "properties": {"p": property}, "$schema": "x"})
    }

    #[test]
    fn a_tuple_is_an_array_of_either_for_openai() {
        let tuple = json!({
            "type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}, {"type": "string"}],
            "items": false, "minItems": 3,
        });
        let openai = openai(&taken(tuple.clone())).unwrap();
        assert_eq!(
            openai,
            json!({"type": "object", "properties": {"p": {
                "type": "array", "minItems": 3, "maxItems": 3,
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            }}})
        );
        assert_eq!(
            anthropic(&taken(tuple.clone())).unwrap()["properties"]["p"],
            tuple
        );
    }

    #[test]
    fn an_array_of_anything_says_so() {
        let openai = openai(&taken(json!({"type": ["array", "null"]}))).unwrap();
        assert_eq!(openai["properties"]["p"]["items"], json!({}));
    }

    #[test]
    fn what_the_apis_refuse_is_refused_here() {
        for schema in [
            json!({"type": "string"}),
            json!({}),
            json!({"type": "object", "oneOf": []}),
            json!({"type": "object", "properties": {"a b": {}}}),
            json!({"type": "object", "properties": {"p": {"type": "object", "properties": {"": {}}}}}),
            json!({"type": "object", "properties": {"x".repeat(65): {}}}),
        ] {
            assert!(anthropic(&schema).is_err(), "{schema}");
            assert!(openai(&schema).is_err(), "{schema}");
        }
    }
}
