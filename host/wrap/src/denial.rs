//! What a refused call returns: for each function the JSON of its error with the refusal in it, from the
//! operator's map or a guess. Where there is none, the call traps.
#![expect(
    clippy::indexing_slicing,
    reason = "an id indexes the arena that gave it"
)]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use thoth_interpreter::denial::REFUSAL;
use thoth_interpreter::{Memory as _, Room, Table, lower};
use thoth_names::Name;
use wit_parser::{Resolve, Type, TypeDefKind};

use crate::error::Error;
use crate::surface::Exported;
use crate::types::Types;

/// Words in the name of a case that is about just this.
const DENIED: [&str; 11] = [
    "denied",
    "refused",
    "forbidden",
    "unauthorized",
    "unauthorised",
    "permission",
    "permitted",
    "allowed",
    "blocked",
    "policy",
    "rejected",
];

/// Names of a case for everything else, as a whole.
const OTHER: [&str; 9] = [
    "other", "unknown", "internal", "failed", "failure", "error", "message", "custom", "generic",
];

/// Names of a field that says what happened.
const MESSAGE: [&str; 8] = [
    "message",
    "reason",
    "details",
    "detail",
    "description",
    "error",
    "text",
    "msg",
];

/// What the caller of a function is told when its call is refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Denial {
    /// The function returns this error, in which `{refusal}` stands for the refusal as JSON text.
    Returns {
        /// The error as JSON.
        error: Value,
        /// Nobody said so: it is a guess from the type.
        guessed: bool,
    },
    /// The function's type has no room for it, or none was found: the call traps, in a function named
    /// `thoth-refused`, and hosts throw the instance away.
    Traps,
}

impl Denial {
    pub(crate) fn template(&self) -> Option<String> {
        match self {
            Denial::Returns { error, .. } => Some(error.to_string()),
            Denial::Traps => None,
        }
    }
}

/// What the functions named in a map return when they are refused. A key is a tool name, or an export
/// such as `acme:ledger/transfers@1.0.0#send`.
pub type ErrorMap = BTreeMap<String, Answer>;

/// An entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// This error, as JSON.
    Error(Value),
    /// The error of a `result` that has no value for it. The reason is lost.
    Bare,
    /// Trap, whatever could be guessed.
    Trap,
}

/// Reads a map: TOML, a key for each function. The value is its error in the form that JSON has, with
/// `{refusal}` for the refusal; `true` for an error without a value; `false` to trap.
///
/// # Errors
/// It is no TOML.
pub fn error_map(text: &str) -> Result<ErrorMap, Error> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        Error::Errors(
            error
                .to_string()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        )
    })?;
    let entries = table.into_iter().map(|(key, value)| {
        let answer = match value {
            toml::Value::Boolean(true) => Answer::Bare,
            toml::Value::Boolean(false) => Answer::Trap,
            value => Answer::Error(
                serde_json::to_value(value).map_err(|error| Error::Errors(error.to_string()))?,
            ),
        };
        Ok((key, answer))
    });
    entries.collect()
}

/// Decides what each function returns, and makes sure that it can.
///
/// # Errors
/// The map names a function that there is not, or an error that does not fit.
pub(crate) fn denials(
    resolve: &Resolve,
    functions: &[Exported],
    map: &ErrorMap,
) -> Result<Vec<Denial>, Error> {
    for key in map.keys() {
        let mut names = functions
            .iter()
            .flat_map(|function| [function.tool.clone(), function.export.to_string()].into_iter());
        if !names.any(|name| name == *key) {
            let tools: Vec<&str> = functions.iter().map(|f| f.tool.as_str()).collect();
            return Err(Error::Errors(format!(
                "`{key}` is no function of the component; there are {}",
                tools.join(", ")
            )));
        }
    }
    let types = Types::of(resolve, functions, &vec![None; functions.len()])?;
    let mut denials = Vec::new();
    for (function, offset) in functions.iter().zip(&types.functions) {
        let side = error_of(resolve, function);
        let mapped = map
            .get(&function.export.to_string())
            .or_else(|| map.get(&function.tool));
        let denial = match (mapped, side) {
            (Some(Answer::Trap), _) | (None, None | Some(None)) => Denial::Traps,
            (Some(_), None) => {
                return Err(Error::Errors(format!(
                    "`{}` returns no result, so it has no error to return",
                    function.tool
                )));
            }
            (Some(Answer::Bare), Some(_)) => Denial::Returns {
                error: Value::Null,
                guessed: false,
            },
            (Some(Answer::Error(error)), Some(_)) => Denial::Returns {
                error: error.clone(),
                guessed: false,
            },
            (None, Some(Some(ty))) => {
                let guessed = !matches!(resolved(resolve, &ty), Meant::Simple(Type::String));
                guess(resolve, &ty)
                    .map_or(Denial::Traps, |error| Denial::Returns { error, guessed })
            }
        };
        if let Some(template) = denial.template() {
            fits(&types.bytes, *offset, &template)
                .map_err(|why| Error::Errors(format!("`{}`: {template}: {why}", function.tool)))?;
        }
        denials.push(denial);
    }
    Ok(denials)
}

/// The error side of a function's result: none where it returns none, an inner none where that has no
/// type.
fn error_of(resolve: &Resolve, function: &Exported) -> Option<Option<Type>> {
    match resolved(resolve, function.function.result.as_ref()?) {
        Meant::Defined(TypeDefKind::Result(result)) => Some(result.err),
        _ => None,
    }
}

/// Whether the template is a value of the function's error type, whatever the refusal.
fn fits(table: &[u8], function: u32, template: &str) -> Result<(), String> {
    let fault = |_| "the table of types is damaged".to_owned();
    let refusal = json!({ "outcome": "refused", "cause": "policy", "reason": "a \"reason\"" });
    let filled =
        thoth_interpreter::denial::fill(template.as_bytes(), refusal.to_string().as_bytes());
    let table = Table::new(table).map_err(fault)?;
    let result = table.function(function).map_err(fault)?.result;
    let result = result.ok_or("it returns nothing")?;
    let case = table.member(&result, 1).map_err(fault)?;
    let Some(payload) = table.payload(&case).map_err(fault)? else {
        return match filled.as_slice() {
            b"null" => Ok(()),
            _ => Err("its error has no value; write `true`".to_owned()),
        };
    };
    let mut room = Room::default();
    let at = room.allocate(payload.size, payload.align).map_err(fault)?;
    match lower::value(table, &payload, &filled, &mut room, at) {
        Ok(()) => Ok(()),
        Err(lower::Error::Misfit(misfit)) => {
            Err(misfit.to_string().replacen("arguments", "the error", 1))
        }
        Err(lower::Error::Fault) => Err("the table of types is damaged".to_owned()),
    }
}

/// An error that carries the refusal, where it is plain how.
fn guess(resolve: &Resolve, ty: &Type) -> Option<Value> {
    match resolved(resolve, ty) {
        Meant::Simple(Type::String) => Some(json!(REFUSAL)),
        Meant::Defined(TypeDefKind::Option(ty)) => guess(resolve, ty),
        Meant::Defined(TypeDefKind::Variant(variant)) => {
            let carrying: Vec<(&str, Value)> = variant
                .cases
                .iter()
                .filter_map(|case| Some((case.name.as_str(), guess(resolve, &case.ty?)?)))
                .collect();
            let denied = carrying.iter().find(|(name, _)| has_word(name, &DENIED));
            let other = || carrying.iter().find(|(name, _)| OTHER.contains(name));
            let (name, val) = denied.or_else(other).or_else(|| carrying.first())?;
            Some(json!({ "tag": Name::new(name)?.json, "val": val }))
        }
        Meant::Defined(TypeDefKind::Record(record)) => {
            let texts: Vec<&str> = record
                .fields
                .iter()
                .filter(|field| guess(resolve, &field.ty).is_some())
                .map(|field| field.name.as_str())
                .collect();
            let message = MESSAGE.iter().find(|name| texts.contains(name));
            let message = match texts.as_slice() {
                [only] => only,
                _ => message?,
            };
            let mut object = Map::new();
            for field in &record.fields {
                let value = if field.name == *message {
                    guess(resolve, &field.ty)?
                } else {
                    neutral(resolve, &field.ty)?
                };
                object.insert(Name::new(&field.name)?.json, value);
            }
            Some(Value::Object(object))
        }
        _ => None,
    }
}

/// A value that says nothing, where there is one.
fn neutral(resolve: &Resolve, ty: &Type) -> Option<Value> {
    let kind = match resolved(resolve, ty) {
        Meant::Simple(Type::Bool) => return Some(json!(false)),
        Meant::Simple(Type::String) => return Some(json!("")),
        Meant::Simple(Type::Char | Type::ErrorContext | Type::Id(_)) => return None,
        Meant::Simple(_) => return Some(json!(0)),
        Meant::Defined(kind) => kind,
    };
    match kind {
        TypeDefKind::Option(_) => Some(Value::Null),
        TypeDefKind::List(item) => match resolved(resolve, item) {
            Meant::Simple(Type::U8) => Some(json!("")),
            _ => Some(json!([])),
        },
        TypeDefKind::Flags(_) => Some(json!([])),
        TypeDefKind::Enum(cases) => {
            let mut names = cases.cases.iter().map(|case| case.name.as_str());
            let denied = names.clone().find(|name| has_word(name, &DENIED));
            let name = denied.or_else(|| names.find(|name| OTHER.contains(name)))?;
            Some(json!(Name::new(name)?.json))
        }
        _ => None,
    }
}

fn has_word(name: &str, words: &[&str]) -> bool {
    name.split('-')
        .any(|word| words.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// A type behind its other names.
enum Meant<'a> {
    Simple(Type),
    Defined(&'a TypeDefKind),
}

fn resolved<'a>(resolve: &'a Resolve, ty: &Type) -> Meant<'a> {
    let mut ty = *ty;
    while let Type::Id(id) = ty {
        match &resolve.types[id].kind {
            TypeDefKind::Type(next) => ty = *next,
            kind => return Meant::Defined(kind),
        }
    }
    Meant::Simple(ty)
}
