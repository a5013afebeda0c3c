//! JSON into component values, checked against the type before the engine sees anything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use thoth_names::Name;
use wasmtime::component::Val;

use crate::limits;
use crate::misfit::{Misfit, Path, kind, listed, quoted};
use crate::shape::{Case, Member, Payloads, Shape};

/// The largest `f32` as its shortest form writes it: as a double, a little beyond `f32::MAX`, to which
/// it rounds.
pub(crate) const FLOAT32_MAX: f64 = 3.4028235e38;

/// # Errors
/// The first thing that does not fit, with its path.
pub(crate) fn lower(parameters: &[Member], arguments: &Value) -> Result<Vec<Val>, Misfit> {
    let mut lowering = Lowering {
        left: limits::VALUES,
    };
    let object = object(arguments, "an object", &Path::Arguments)?;
    let values = lowering.members(parameters, object, &Path::Arguments)?;
    Ok(values.into_iter().map(|(_, val)| val).collect())
}

struct Lowering {
    /// How many values may still be made: options that are absent cost no JSON, but a value each.
    left: usize,
}

impl Lowering {
    fn take(&mut self, count: usize, path: &Path<'_>) -> Result<(), Misfit> {
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            path.misfit(format!(
                "the arguments have more than {} values",
                limits::VALUES
            ))
        })?;
        Ok(())
    }

    fn value(&mut self, shape: &Shape, json: &Value, path: &Path<'_>) -> Result<Val, Misfit> {
        self.take(1, path)?;
        let expected = |what: &str| path.misfit(format!("expected {what}, got {}", kind(json)));
        Ok(match shape {
            Shape::Bool => Val::Bool(json.as_bool().ok_or_else(|| expected("bool"))?),
            Shape::Integer(integer) => integer.lower(json, path)?,
            Shape::Float32 => Val::Float32(float32(json, path)?),
            Shape::Float64 => Val::Float64(float(json, "f64", path)?),
            Shape::Char => {
                let text = json
                    .as_str()
                    .ok_or_else(|| expected("char (one character)"))?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(one), None) => Val::Char(one),
                    _ => return Err(path.misfit(format!("{} is not one character", quoted(text)))),
                }
            }
            Shape::Text => Val::String(json.as_str().ok_or_else(|| expected("string"))?.to_owned()),
            Shape::Bytes(len) => {
                let text = json
                    .as_str()
                    .ok_or_else(|| expected("list<u8> (base64 text)"))?;
                let bytes = STANDARD.decode(text).map_err(|_| {
                    path.misfit("not canonical base64 for list<u8> (standard alphabet, padded)")
                })?;
                self.take(bytes.len(), path)?;
                let found = bytes.len();
                sized(
                    bytes.into_iter().map(Val::U8).collect(),
                    found,
                    *len,
                    "bytes",
                    path,
                )?
            }
            Shape::List(element, len) => {
                let items = json.as_array().ok_or_else(|| expected("list (an array)"))?;
                // Before the items are made, so that a wrong length costs nothing.
                if let Some(len) = len.filter(|len| usize::try_from(*len) != Ok(items.len())) {
                    return Err(length(len, items.len(), "items", path));
                }
                let values = items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| self.value(element, item, &Path::Index(path, at)))
                    .collect::<Result<Vec<_>, _>>()?;
                sized(values, items.len(), *len, "items", path)?
            }
            Shape::Record(fields) => Val::Record(self.members(
                fields,
                object(json, "record (an object)", path)?,
                path,
            )?),
            Shape::Tuple(shapes) => {
                let items = json
                    .as_array()
                    .ok_or_else(|| expected("tuple (an array)"))?;
                if items.len() != shapes.len() {
                    return Err(length(shapes.len(), items.len(), "items", path));
                }
                Val::Tuple(
                    shapes
                        .iter()
                        .zip(items)
                        .enumerate()
                        .map(|(at, (shape, item))| self.value(shape, item, &Path::Index(path, at)))
                        .collect::<Result<_, _>>()?,
                )
            }
            Shape::Variant(cases) => self.variant(cases, json, path)?,
            Shape::Enum(names) => {
                let text = json.as_str().ok_or_else(|| expected("enum (a string)"))?;
                Val::Enum(known(names.iter(), text, "case", path)?.wit.clone())
            }
            Shape::Flags(names) => flags(names, json, path)?,
            Shape::Option(_) if json.is_null() => Val::Option(None),
            Shape::Option(inner) => {
                let val = if inner.is_option() {
                    let what = "option of an option (null or an object with `some`)";
                    let object = object(json, what, path)?;
                    let (_, some) = only_key(object, &["some"], path)?;
                    self.value(inner, some, &Path::Key(path, "some"))?
                } else {
                    self.value(inner, json, path)?
                };
                Val::Option(Some(Box::new(val)))
            }
            Shape::Result(payloads) => self.result(payloads, json, path)?,
        })
    }

    /// The fields of a record or the parameters, in the order of their declaration.
    fn members(
        &mut self,
        members: &[Member],
        object: &Map<String, Value>,
        path: &Path<'_>,
    ) -> Result<Vec<(String, Val)>, Misfit> {
        let mut taken = 0;
        let mut values = Vec::with_capacity(members.len());
        for member in members {
            let place = Path::Key(path, &member.name.json);
            let json = match object.get(&member.name.json) {
                Some(json) => {
                    taken += 1;
                    json
                }
                None if member.shape.is_option() => &Value::Null,
                None => {
                    return Err(unknown_key(members, object, path).unwrap_or_else(|| {
                        place.misfit(format!("missing; a {} is required", member.shape.name()))
                    }));
                }
            };
            values.push((
                member.name.wit.clone(),
                self.value(&member.shape, json, &place)?,
            ));
        }
        if taken < object.len()
            && let Some(misfit) = unknown_key(members, object, path)
        {
            return Err(misfit);
        }
        Ok(values)
    }

    fn variant(&mut self, cases: &[Case], json: &Value, path: &Path<'_>) -> Result<Val, Misfit> {
        let object = object(json, "variant (an object with `tag`)", path)?;
        let place = Path::Key(path, "tag");
        let tag = match object.get("tag") {
            Some(Value::String(tag)) => tag,
            Some(other) => {
                return Err(
                    place.misfit(format!("expected the name of a case, got {}", kind(other)))
                );
            }
            None => return Err(place.misfit("missing; the name of a case is required")),
        };
        known(cases.iter().map(|case| &case.name), tag, "case", &place)?;
        let extra = object
            .keys()
            .find(|key| !matches!(key.as_str(), "tag" | "val"));
        if let Some(extra) = extra {
            let message = format!("unknown key {}; known keys are `tag`, `val`", quoted(extra));
            return Err(path.misfit(message));
        }
        let place = Path::Key(path, "val");
        let case = cases.iter().find(|case| case.name.json == *tag);
        let payload = case.and_then(|case| case.payload.as_ref());
        let val = match (payload, object.get("val")) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(place.misfit(format!("case {} has no value", quoted(tag))));
            }
            (Some(shape), Some(json)) => Some(Box::new(self.value(shape, json, &place)?)),
            (Some(shape), None) if shape.is_option() => {
                Some(Box::new(self.value(shape, &Value::Null, &place)?))
            }
            (Some(shape), None) => {
                return Err(place.misfit(format!("missing; a {} is required", shape.name())));
            }
        };
        let wit = case.map(|case| case.name.wit.clone()).unwrap_or_default();
        Ok(Val::Variant(wit, val))
    }

    fn result(
        &mut self,
        payloads: &Payloads,
        json: &Value,
        path: &Path<'_>,
    ) -> Result<Val, Misfit> {
        let object = object(json, "result (an object with `ok` or `err`)", path)?;
        let (side, json) = only_key(object, &["ok", "err"], path)?;
        let place = Path::Key(path, side);
        let payload = if side == "ok" {
            &payloads.ok
        } else {
            &payloads.err
        };
        let val = match payload {
            Some(shape) => Some(Box::new(self.value(shape, json, &place)?)),
            None if json.is_null() => None,
            None => return Err(place.misfit(format!("expected null, got {}", kind(json)))),
        };
        Ok(Val::Result(if side == "ok" { Ok(val) } else { Err(val) }))
    }
}

fn object<'a>(
    json: &'a Value,
    what: &str,
    path: &Path<'_>,
) -> Result<&'a Map<String, Value>, Misfit> {
    json.as_object()
        .ok_or_else(|| path.misfit(format!("expected {what}, got {}", kind(json))))
}

/// The one entry of an object, whose key is one of `keys`.
fn only_key<'k, 'a>(
    object: &'a Map<String, Value>,
    keys: &[&'k str],
    path: &Path<'_>,
) -> Result<(&'k str, &'a Value), Misfit> {
    let entry = keys.iter().find_map(|key| Some((*key, object.get(*key)?)));
    entry.filter(|_| object.len() == 1).ok_or_else(|| {
        let names = listed(keys.iter().copied()).replace(", ", " or ");
        path.misfit(format!("expected an object with exactly one key, {names}"))
    })
}

fn unknown_key(members: &[Member], object: &Map<String, Value>, path: &Path<'_>) -> Option<Misfit> {
    let known = |key: &String| members.iter().any(|member| member.name.json == *key);
    let key = object.keys().find(|key| !known(key))?;
    let names = if members.is_empty() {
        "there are no known keys".to_owned()
    } else {
        let names = members.iter().map(|member| member.name.json.as_str());
        format!("known keys are {}", listed(names))
    };
    Some(path.misfit(format!("unknown key {}; {names}", quoted(key))))
}

fn known<'a>(
    names: impl ExactSizeIterator<Item = &'a Name> + Clone,
    text: &str,
    what: &str,
    path: &Path<'_>,
) -> Result<&'a Name, Misfit> {
    names.clone().find(|name| name.json == text).ok_or_else(|| {
        let names = listed(names.map(|name| name.json.as_str()));
        path.misfit(format!(
            "unknown {what} {}; known are {names}",
            quoted(text)
        ))
    })
}

fn flags(names: &[Name], json: &Value, path: &Path<'_>) -> Result<Val, Misfit> {
    let items = json.as_array().ok_or_else(|| {
        path.misfit(format!(
            "expected flags (an array of names), got {}",
            kind(json)
        ))
    })?;
    let mut set = vec![false; names.len()];
    for (at, item) in items.iter().enumerate() {
        let place = Path::Index(path, at);
        let text = item.as_str().ok_or_else(|| {
            place.misfit(format!("expected the name of a flag, got {}", kind(item)))
        })?;
        known(names.iter(), text, "flag", &place)?;
        for (is_set, _) in set
            .iter_mut()
            .zip(names)
            .filter(|(_, name)| name.json == text)
        {
            if std::mem::replace(is_set, true) {
                return Err(place.misfit(format!("flag {} is given twice", quoted(text))));
            }
        }
    }
    let given = names.iter().zip(&set).filter(|(_, is_set)| **is_set);
    Ok(Val::Flags(
        given.map(|(name, _)| name.wit.clone()).collect(),
    ))
}

fn sized(
    values: Vec<Val>,
    found: usize,
    len: Option<u32>,
    what: &str,
    path: &Path<'_>,
) -> Result<Val, Misfit> {
    match len {
        None => Ok(Val::List(values)),
        Some(len) if usize::try_from(len) == Ok(found) => Ok(Val::FixedLengthList(values)),
        Some(len) => Err(length(len, found, what, path)),
    }
}

fn length(expected: impl std::fmt::Display, found: usize, what: &str, path: &Path<'_>) -> Misfit {
    path.misfit(format!("expected {expected} {what}, got {found}"))
}

fn float(json: &Value, name: &str, path: &Path<'_>) -> Result<f64, Misfit> {
    match json {
        // Every form of a JSON number: RFC 8785 prints the double 1e20 as an integer.
        Value::Number(number) => number
            .as_f64()
            .filter(|value| value.is_finite())
            .ok_or_else(|| path.misfit(format!("{number} is out of range for {name}"))),
        Value::String(text) => match text.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(path.misfit(format!(
                "{} is not a number for {name}; as text only `NaN`, `Infinity` and `-Infinity` are",
                quoted(text)
            ))),
        },
        other => Err(path.misfit(format!("expected {name}, got {}", kind(other)))),
    }
}

fn float32(json: &Value, path: &Path<'_>) -> Result<f32, Misfit> {
    let value = float(json, "f32", path)?;
    if value.is_finite() && value.abs() > FLOAT32_MAX {
        return Err(path.misfit(format!("{json} is out of range for f32")));
    }
    // Rounds to the nearest f32, which is what a decimal number means in a type of this precision.
    Ok(value as f32)
}
