//! Writes the table of types that the adapter interprets, of the functions of a component.

use std::collections::HashMap;

use thoth_interpreter::layout::Kind;
use thoth_interpreter::{Builder, Type as Written};
use thoth_names::{MAX_NAME, Name};
use wit_parser::{Handle, Resolve, Type, TypeDefKind};

use crate::error::Error;
use crate::surface::Exported;

/// How deep the types of a signature may nest, and how many types and members it may have, counted as
/// often as they are used: as in the Thoth host, so that JSON of them is at most 32 levels deep.
const DEPTH: usize = 31;
const SIGNATURE: usize = 4_096;

/// A table, and where its functions are.
pub(crate) struct Types {
    pub(crate) bytes: Vec<u8>,
    pub(crate) functions: Vec<u32>,
}

impl Types {
    /// The table of these functions; `denials` has the template of each, or nothing.
    ///
    /// # Errors
    /// A function whose types have no JSON form or are beyond a limit.
    pub(crate) fn of(
        resolve: &Resolve,
        functions: &[Exported],
        denials: &[Option<String>],
    ) -> Result<Self, Error> {
        let mut walk = Walk {
            resolve,
            table: Builder::default(),
            written: HashMap::new(),
        };
        let mut offsets = Vec::new();
        for (function, denial) in functions.iter().zip(denials) {
            let offset = walk
                .function(function, denial.as_deref().unwrap_or_default())
                .map_err(|why| Error::ungovernable(&function.export, why))?;
            offsets.push(offset);
        }
        Ok(Self {
            bytes: walk.table.finish(),
            functions: offsets,
        })
    }
}

struct Walk<'a> {
    resolve: &'a Resolve,
    table: Builder,
    written: HashMap<Type, Written>,
}

impl Walk<'_> {
    fn function(&mut self, exported: &Exported, denial: &str) -> Result<u32, String> {
        let function = &exported.function;
        let mut parameters = Vec::new();
        for parameter in &function.params {
            let ty = self
                .ty(&parameter.ty)
                .map_err(|why| format!("parameter `{}`: {why}", parameter.name))?;
            parameters.push((json_name(&parameter.name)?, ty));
        }
        let parameters = self.record(Kind::Record, &parameters)?;
        let result = match &function.result {
            Some(ty) => Some(self.ty(ty).map_err(|why| format!("result: {why}"))?),
            None => None,
        };
        // The object of arguments is a level more.
        let height = result.map_or(0, |result| result.height + 1);
        if parameters.height.max(height) > DEPTH + 1 {
            return Err(format!("types nest deeper than {DEPTH}"));
        }
        let parts = result.map_or(0, |result| result.parts);
        if parameters.parts.max(parts) > SIGNATURE {
            return Err(format!("its types have more than {SIGNATURE} parts in all"));
        }
        Ok(self
            .table
            .function(&exported.tool, parameters, result, denial))
    }

    fn ty(&mut self, ty: &Type) -> Result<Written, String> {
        if let Some(written) = self.written.get(ty) {
            return Ok(*written);
        }
        let written = match ty {
            Type::Bool => self.table.scalar(Kind::Bool),
            Type::U8 => self.table.scalar(Kind::U8),
            Type::S8 => self.table.scalar(Kind::S8),
            Type::U16 => self.table.scalar(Kind::U16),
            Type::S16 => self.table.scalar(Kind::S16),
            Type::U32 => self.table.scalar(Kind::U32),
            Type::S32 => self.table.scalar(Kind::S32),
            Type::U64 => self.table.scalar(Kind::U64),
            Type::S64 => self.table.scalar(Kind::S64),
            Type::F32 => self.table.scalar(Kind::F32),
            Type::F64 => self.table.scalar(Kind::F64),
            Type::Char => self.table.scalar(Kind::Char),
            Type::String => self.table.text(),
            Type::ErrorContext => Err(no_json("an error-context")),
            Type::Id(id) => {
                let resolve = self.resolve;
                let definition = resolve.types.get(*id).ok_or("a type is missing")?;
                self.defined(&definition.kind)
            }
        }?;
        self.written.insert(*ty, written);
        Ok(written)
    }

    fn defined(&mut self, kind: &TypeDefKind) -> Result<Written, String> {
        match kind {
            TypeDefKind::Type(ty) => self.ty(ty),
            TypeDefKind::Record(record) => {
                let mut fields = Vec::new();
                for field in &record.fields {
                    fields.push((json_name(&field.name)?, self.ty(&field.ty)?));
                }
                self.record(Kind::Record, &fields)
            }
            TypeDefKind::Tuple(tuple) => {
                let mut fields = Vec::new();
                for ty in &tuple.types {
                    fields.push((String::new(), self.ty(ty)?));
                }
                self.record(Kind::Tuple, &fields)
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                self.variant(Kind::Variant, cases.map(|case| (&*case.name, case.ty)))
            }
            TypeDefKind::Enum(cases) => {
                let cases = cases.cases.iter();
                self.variant(Kind::Enum, cases.map(|case| (&*case.name, None)))
            }
            TypeDefKind::Option(ty) => self.variant(
                Kind::Option,
                [("none", None), ("some", Some(*ty))].into_iter(),
            ),
            TypeDefKind::Result(result) => {
                let cases = [("ok", result.ok), ("err", result.err)];
                self.variant(Kind::Result, cases.into_iter())
            }
            TypeDefKind::Flags(flags) => {
                let names = flags.flags.iter().map(|flag| json_name(&flag.name));
                let names = names.collect::<Result<Vec<_>, _>>()?;
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.table.flags(&names)
            }
            TypeDefKind::List(ty) => {
                let item = self.ty(ty)?;
                self.table.list(item, None)
            }
            TypeDefKind::FixedLengthList(ty, len) => {
                let item = self.ty(ty)?;
                self.table.list(item, Some(*len))
            }
            TypeDefKind::Map(..) => Err(no_json("a map")),
            TypeDefKind::Resource | TypeDefKind::Handle(Handle::Own(_) | Handle::Borrow(_)) => {
                Err(no_json("a resource"))
            }
            TypeDefKind::Future(_) => Err(no_json("a future")),
            TypeDefKind::Stream(_) => Err(no_json("a stream")),
            TypeDefKind::Unknown => Err("a type is unknown".to_owned()),
        }
    }

    fn record(&mut self, kind: Kind, fields: &[(String, Written)]) -> Result<Written, String> {
        let fields: Vec<_> = fields.iter().map(|(name, ty)| (&**name, *ty)).collect();
        self.table.record(kind, &fields)
    }

    fn variant<'n>(
        &mut self,
        kind: Kind,
        cases: impl Iterator<Item = (&'n str, Option<Type>)>,
    ) -> Result<Written, String> {
        let mut written = Vec::new();
        for (name, payload) in cases {
            let payload = payload.map(|ty| self.ty(&ty)).transpose()?;
            written.push((json_name(name)?, payload));
        }
        let cases: Vec<_> = written.iter().map(|(name, ty)| (&**name, *ty)).collect();
        self.table.variant(kind, &cases)
    }
}

fn json_name(name: &str) -> Result<String, String> {
    Name::new(name)
        .map(|name| name.json)
        .ok_or_else(|| format!("`{name}` is no WIT name of at most {MAX_NAME} bytes"))
}

fn no_json(what: &str) -> String {
    format!("{what} has no JSON form")
}
