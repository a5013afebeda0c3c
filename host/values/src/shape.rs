//! A type of a component in the form that all conversions work on: bounded, checked for having a
//! JSON form, and independent of the component it came from.

use std::collections::HashSet;

use thoth_names::Name;
use wasmtime::component::Type;

use crate::integer::Integer;
use crate::limits;
use crate::misfit::quoted;

// INVARIANT: a shape is at most `limits::DEPTH` deep, so recursion over one is safe.
/// The JSON-able types.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    Bool,
    Integer(Integer),
    Float32,
    Float64,
    Char,
    Text,
    /// `list<u8>`, of a fixed length or not.
    Bytes(Option<u32>),
    /// `list<T>`, of a fixed length or not.
    List(Box<Shape>, Option<u32>),
    Record(Vec<Member>),
    Tuple(Vec<Shape>),
    Variant(Vec<Case>),
    Enum(Vec<Name>),
    Flags(Vec<Name>),
    Option(Box<Shape>),
    Result(Box<Payloads>),
}

/// A field of a record, or a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    pub(crate) name: Name,
    pub(crate) shape: Shape,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Case {
    pub(crate) name: Name,
    pub(crate) payload: Option<Shape>,
}

/// The two sides of a `result`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Payloads {
    pub(crate) ok: Option<Shape>,
    pub(crate) err: Option<Shape>,
}

impl Shape {
    /// What an error calls the type.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Shape::Bool => "bool",
            Shape::Integer(integer) => integer.name(),
            Shape::Float32 => "f32",
            Shape::Float64 => "f64",
            Shape::Char => "char",
            Shape::Text => "string",
            Shape::Bytes(_) => "list<u8>",
            Shape::List(..) => "list",
            Shape::Record(_) => "record",
            Shape::Tuple(_) => "tuple",
            Shape::Variant(_) => "variant",
            Shape::Enum(_) => "enum",
            Shape::Flags(_) => "flags",
            Shape::Option(_) => "option",
            Shape::Result(_) => "result",
        }
    }

    pub(crate) fn is_option(&self) -> bool {
        matches!(self, Shape::Option(_))
    }
}

/// Counts down what a signature and the whole component may still use.
pub(crate) struct Budget {
    signature: usize,
    component: usize,
}

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget {
            signature: limits::SIGNATURE,
            component: limits::COMPONENT,
        }
    }

    /// Starts the next signature of the same component.
    pub(crate) fn next_signature(&mut self) {
        self.signature = limits::SIGNATURE;
    }

    fn take(&mut self, count: usize) -> Result<(), String> {
        self.signature = self.signature.checked_sub(count).ok_or_else(|| {
            format!(
                "its types have more than {} parts in all",
                limits::SIGNATURE
            )
        })?;
        self.component = self.component.checked_sub(count).ok_or_else(|| {
            format!(
                "the component's types have more than {} parts in all",
                limits::COMPONENT
            )
        })?;
        Ok(())
    }

    /// # Errors
    /// Why the type has no JSON form, or which limit it exceeds.
    pub(crate) fn shape(&mut self, ty: &Type, depth: usize) -> Result<Shape, String> {
        if depth > limits::DEPTH {
            return Err(format!("types nest deeper than {}", limits::DEPTH));
        }
        self.take(1)?;
        let below = depth + 1;
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::U8 => Shape::Integer(Integer::U8),
            Type::U16 => Shape::Integer(Integer::U16),
            Type::U32 => Shape::Integer(Integer::U32),
            Type::U64 => Shape::Integer(Integer::U64),
            Type::S8 => Shape::Integer(Integer::S8),
            Type::S16 => Shape::Integer(Integer::S16),
            Type::S32 => Shape::Integer(Integer::S32),
            Type::S64 => Shape::Integer(Integer::S64),
            Type::Float32 => Shape::Float32,
            Type::Float64 => Shape::Float64,
            Type::Char => Shape::Char,
            Type::String => Shape::Text,
            Type::List(list) => self.list(&list.ty(), None, below)?,
            Type::FixedLengthList(list) => self.list(&list.ty(), Some(list.len()), below)?,
            Type::Record(record) => {
                let fields = record.fields().map(|field| (field.name, field.ty));
                Shape::Record(self.members(fields, below, |_, why| why)?)
            }
            Type::Tuple(tuple) => {
                self.count(tuple.types().len())?;
                Shape::Tuple(
                    tuple
                        .types()
                        .map(|ty| self.shape(&ty, below))
                        .collect::<Result<_, _>>()?,
                )
            }
            Type::Variant(variant) => {
                let names = self.names(variant.cases().map(|case| case.name))?;
                let payloads = variant.cases().map(|case| self.payload(case.ty, below));
                Shape::Variant(
                    names
                        .into_iter()
                        .zip(payloads)
                        .map(|(name, payload)| {
                            Ok(Case {
                                name,
                                payload: payload?,
                            })
                        })
                        .collect::<Result<_, String>>()?,
                )
            }
            Type::Enum(cases) => Shape::Enum(self.names(cases.names())?),
            Type::Flags(flags) => Shape::Flags(self.names(flags.names())?),
            Type::Option(option) => Shape::Option(Box::new(self.shape(&option.ty(), below)?)),
            Type::Result(result) => Shape::Result(Box::new(Payloads {
                ok: self.payload(result.ok(), below)?,
                err: self.payload(result.err(), below)?,
            })),
            Type::Map(_) => return Err(no_json("a map")),
            Type::Own(_) | Type::Borrow(_) => return Err(no_json("a resource")),
            Type::Stream(_) => return Err(no_json("a stream")),
            Type::Future(_) => return Err(no_json("a future")),
            Type::ErrorContext => return Err(no_json("an error-context")),
        })
    }

    /// # Errors
    /// As `shape`, with the name of the parameter.
    pub(crate) fn parameters<'a>(
        &mut self,
        parameters: impl ExactSizeIterator<Item = (&'a str, Type)>,
    ) -> Result<Vec<Member>, String> {
        self.members(parameters, 1, |name, why| {
            format!("parameter `{name}`: {why}")
        })
    }

    fn members<'a>(
        &mut self,
        members: impl ExactSizeIterator<Item = (&'a str, Type)>,
        depth: usize,
        explain: fn(&str, String) -> String,
    ) -> Result<Vec<Member>, String> {
        let (names, types): (Vec<&str>, Vec<Type>) = members.unzip();
        let names = self.names(names.into_iter())?;
        names
            .into_iter()
            .zip(types)
            .map(|(name, ty)| {
                let shape = self
                    .shape(&ty, depth)
                    .map_err(|why| explain(&name.json, why))?;
                Ok(Member { name, shape })
            })
            .collect()
    }

    fn payload(&mut self, ty: Option<Type>, depth: usize) -> Result<Option<Shape>, String> {
        ty.map(|ty| self.shape(&ty, depth)).transpose()
    }

    fn list(&mut self, element: &Type, len: Option<u32>, depth: usize) -> Result<Shape, String> {
        Ok(match self.shape(element, depth)? {
            Shape::Integer(Integer::U8) => Shape::Bytes(len),
            element => Shape::List(Box::new(element), len),
        })
    }

    fn count(&mut self, members: usize) -> Result<(), String> {
        if members > limits::MEMBERS {
            return Err(format!(
                "a type has {members} members, more than {}",
                limits::MEMBERS
            ));
        }
        self.take(members)
    }

    fn names<'a>(
        &mut self,
        names: impl ExactSizeIterator<Item = &'a str>,
    ) -> Result<Vec<Name>, String> {
        self.count(names.len())?;
        let mut seen = HashSet::new();
        names
            .map(|wit| {
                let name = Name::new(wit).ok_or_else(|| {
                    format!(
                        "{} is no WIT name of at most {} bytes",
                        quoted(wit),
                        limits::NAME
                    )
                })?;
                // WIT itself refuses names that differ only in case; two keys of one name would
                // make a value ambiguous, so this does not rest on it.
                if !seen.insert(name.json.clone()) {
                    return Err(format!("two names are `{}` in snake case", name.json));
                }
                Ok(name)
            })
            .collect()
    }
}

fn no_json(what: &str) -> String {
    format!("{what} has no JSON form")
}
