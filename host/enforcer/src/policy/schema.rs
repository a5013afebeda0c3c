//! The schema of a policy file: the built-in one, and the argument types that the file declares.

use cedar_policy::{Schema, SchemaFragment};
use serde_json::{Map, Value};

use super::arguments::{ArgumentTypes, Attribute, Type};
use super::limits;
use super::problem::{Problem, Source};

/// Everything but `Arguments`.
const BUILT_IN: &str = include_str!("schema.cedarschema");
/// Begins a line that declares types; a comment to Cedar.
const MARK: &str = "//!";
const HELP: &str = "a line that begins with `//!` declares argument types, for example \
                    `//! type Arguments = { amount_cents?: Long };`; a plain comment begins with `//`";

/// The most values in Cedar's JSON form of all declared types, with every name replaced by what it stands for.
const MAX_EXPANDED: usize = 50_000;
/// How deep they nest.
const MAX_EXPANDED_LEVELS: usize = 512;

/// Reads the declarations at the top of a policy file.
///
/// Refuses anything but `type X = …;`, an `Arguments` that is not a record, and one with a required
/// attribute: the same type stands for the arguments of every tool.
pub(super) fn read(source: &Source<'_>) -> Result<(Schema, ArgumentTypes), Vec<Problem>> {
    let header = header(source)?;
    limits::refuse_nested_types(source, &header)?;
    let helped = |problems: Vec<Problem>| -> Vec<Problem> {
        let help = |problem: Problem| Problem {
            help: problem.help.or_else(|| Some(HELP.to_owned())),
            ..problem
        };
        problems.into_iter().map(help).collect()
    };
    let (fragment, _) = SchemaFragment::from_cedarschema_str(&header)
        .map_err(|error| helped(source.all_diagnosed(&error)))?;
    let declared = fragment
        .to_json_value()
        .map_err(|error| helped(vec![source.diagnosed(&error)]))?;
    let types = common_types(&declared)
        .ok_or_else(|| helped(vec![source.problem(0, "only types can be declared here")]))?;
    let mut left = MAX_EXPANDED;
    if !types
        .values()
        .all(|one| is_small(one, &types, 0, &mut left))
    {
        let message = "the declared types are too large, with each name replaced by its type";
        return Err(vec![source.problem(0, message)]);
    }

    let fallback = if types.contains_key("Arguments") {
        ""
    } else {
        "type Arguments = {};"
    };
    let (schema, _) = Schema::from_cedarschema_str(&format!("{header}\n{BUILT_IN}\n{fallback}"))
        .map_err(|error| helped(source.all_diagnosed(&error)))?;

    let Some(arguments) = types.get("Arguments") else {
        return Ok((schema, ArgumentTypes::default()));
    };
    let at = header.find("Arguments").unwrap_or_default();
    // Cedar has accepted the whole schema, so there is no cycle for `resolve` to follow.
    let resolved = resolve(arguments, &types).map_err(|unusable| {
        let place = unusable.attribute.as_deref();
        let place = place.map_or(at, |name| position(&header, 0, name));
        vec![source.problem(place, unusable.message)]
    })?;
    let Type::Record(attributes) = resolved else {
        return Err(vec![source.problem(at, "`Arguments` must be a record")]);
    };
    let required: Vec<Problem> = attributes
        .iter()
        .filter(|(_, attribute)| attribute.required)
        .map(|(name, _)| Problem {
            help: Some(format!(
                "write `{name}?: …`: tools differ in their arguments, so a policy has to ask \
                 `context.arguments has {name}` first"
            )),
            ..source.problem(
                position(&header, at, name),
                format!("argument `{name}` must be optional"),
            )
        })
        .collect();
    if required.is_empty() {
        Ok((schema, ArgumentTypes::new(attributes)))
    } else {
        Err(required)
    }
}

/// The declarations, at the offsets at which they stand in the file; all else is white space.
fn header(source: &Source<'_>) -> Result<String, Vec<Problem>> {
    let mut header = String::new();
    let mut offset = 0;
    let mut in_header = true;
    let mut late = Vec::new();
    for line in source.text.split_inclusive('\n') {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(declaration) = trimmed.strip_prefix(MARK) {
            if in_header {
                header.extend(std::iter::repeat_n(' ', indent + MARK.len()));
                header.push_str(declaration);
            } else {
                let problem = source.problem(
                    offset + indent,
                    "a type declaration must stand before the first policy",
                );
                late.push(problem);
            }
        } else if in_header && (trimmed.is_empty() || trimmed.starts_with("//")) {
            header.extend(std::iter::repeat_n(' ', line.trim_end().len()));
            header.push('\n');
        } else {
            in_header = false;
        }
        offset += line.len();
    }
    if late.is_empty() {
        Ok(header)
    } else {
        Err(late)
    }
}

/// The declared types; `None` if there is anything but types.
fn common_types(declared: &Value) -> Option<Map<String, Value>> {
    let namespaces = declared.as_object()?;
    let mut types = Map::new();
    for (name, namespace) in namespaces {
        let is_empty = |key: &str| match namespace.get(key) {
            None => true,
            Some(value) => value.as_object().is_some_and(Map::is_empty),
        };
        if !name.is_empty() || !is_empty("entityTypes") || !is_empty("actions") {
            return None;
        }
        if let Some(common) = namespace.get("commonTypes") {
            types.extend(common.as_object()?.clone());
        }
    }
    Some(types)
}

/// Whether a declared type stays small when its names are replaced by what they stand for, as Cedar does: two
/// names in each line double it with every line.
fn is_small(json: &Value, types: &Map<String, Value>, level: usize, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else {
        return false;
    };
    *left = rest;
    let inner: Vec<&Value> = match json {
        Value::Array(items) => items.iter().collect(),
        Value::Object(members) => {
            let named = ["type", "name"].into_iter();
            let named = named.filter_map(|key| types.get(members.get(key)?.as_str()?));
            members.values().chain(named).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return true,
    };
    level < MAX_EXPANDED_LEVELS
        && inner
            .into_iter()
            .all(|inner| is_small(inner, types, level + 1, left))
}

/// A type that arguments cannot have, and the attribute that was to have it.
struct Unusable {
    attribute: Option<String>,
    message: String,
}

/// A type as Cedar's JSON schema format writes it, with the declared names followed.
fn resolve(json: &Value, types: &Map<String, Value>) -> Result<Type, Unusable> {
    let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default();
    let kind = text("type");
    if kind == "Set" {
        let element = json.get("element").unwrap_or(&Value::Null);
        return Ok(Type::Set(Box::new(resolve(element, types)?)));
    }
    if kind == "Record" {
        let attributes = json.get("attributes").and_then(Value::as_object);
        return attributes
            .into_iter()
            .flatten()
            .map(|(name, attribute)| {
                let required = attribute.get("required").and_then(Value::as_bool);
                let kind = resolve(attribute, types).map_err(|unusable| Unusable {
                    attribute: unusable.attribute.or_else(|| Some(name.clone())),
                    ..unusable
                });
                let attribute = Attribute {
                    kind: kind?,
                    required: required.unwrap_or(true),
                };
                Ok((name.clone(), attribute))
            })
            .collect::<Result<_, Unusable>>()
            .map(Type::Record);
    }
    let name = match kind {
        "EntityOrCommon" | "Extension" | "Entity" => text("name"),
        other => other,
    };
    if let Some(declared) = types.get(name) {
        return resolve(declared, types);
    }
    match name.strip_prefix("__cedar::").unwrap_or(name) {
        "Bool" | "Boolean" => Ok(Type::Bool),
        "Long" => Ok(Type::Long),
        "String" => Ok(Type::String),
        "decimal" => Ok(Type::Decimal),
        "ipaddr" => Ok(Type::IpAddr),
        "datetime" => Ok(Type::Datetime),
        "duration" => Ok(Type::Duration),
        other => Err(Unusable {
            attribute: None,
            message: format!("an argument cannot be of the type `{other}`"),
        }),
    }
}

/// Where an attribute is declared: the first place that reads `name:` or `name?:`, quoted or not.
fn position(header: &str, from: usize, name: &str) -> usize {
    let rest = header.get(from..).unwrap_or_default();
    let declares = |(at, _): &(usize, &str)| {
        let before = rest.get(..*at).unwrap_or_default();
        let after = rest.get(at + name.len()..).unwrap_or_default();
        let whole_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let after = after.trim_start_matches(|c: char| c.is_whitespace() || "\"?".contains(c));
        whole_word && after.starts_with(':')
    };
    let found = rest.match_indices(name).find(declares);
    from + found.map_or(0, |(at, _)| at)
}
