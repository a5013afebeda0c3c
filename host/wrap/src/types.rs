//! Writes the table of types that the adapter interprets: see `thoth_interpreter::layout`.

use std::collections::HashMap;

use thoth_interpreter::layout::{ANY, Kind, MANY, NONE, VERSION};
use thoth_interpreter::lower::MAX_MEMBERS;
use thoth_names::{MAX_NAME, Name};
use wit_parser::{Handle, Resolve, Type, TypeDefKind};

use crate::error::Error;
use crate::surface::Exported;

/// How deep the types of a signature may nest, and how many types and members it may have, counted as
/// often as they are used: as in the Thoth host, so that JSON of them is at most 32 levels deep.
const DEPTH: usize = 31;
const SIGNATURE: usize = 4_096;

/// How large a value may be in memory, in bytes, apart from what it points to.
const SIZE: u64 = 1 << 20;

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
        let mut writer = Writer {
            resolve,
            bytes: VERSION.to_le_bytes().to_vec(),
            names: HashMap::new(),
            shapes: HashMap::new(),
        };
        let mut offsets = Vec::new();
        for (function, denial) in functions.iter().zip(denials) {
            let offset = writer
                .function(function, denial.as_deref().unwrap_or_default())
                .map_err(|why| Error::ungovernable(&function.export, why))?;
            offsets.push(offset);
        }
        Ok(Self {
            bytes: writer.bytes,
            functions: offsets,
        })
    }
}

struct Writer<'a> {
    resolve: &'a Resolve,
    bytes: Vec<u8>,
    names: HashMap<String, (u32, u32)>,
    shapes: HashMap<Type, Shape>,
}

/// A type that has been written.
#[derive(Clone, Copy)]
struct Shape {
    /// Where.
    node: u32,
    size: u64,
    align: u64,
    flats: u32,
    /// How deep its types nest.
    height: usize,
    /// How many types and members it has, counted as often as they are used.
    parts: usize,
    /// It is `u8`.
    is_byte: bool,
}

/// A member to be written.
struct Part {
    name: Option<String>,
    shape: Option<Shape>,
}

impl Writer<'_> {
    fn function(&mut self, exported: &Exported, denial: &str) -> Result<u32, String> {
        let function = &exported.function;
        let mut parts = Vec::new();
        for parameter in &function.params {
            let shape = self
                .shape(&parameter.ty)
                .map_err(|why| format!("parameter `{}`: {why}", parameter.name))?;
            parts.push(part(&parameter.name, Some(shape))?);
        }
        let parameters = self.record(Kind::Record, &parts)?;
        let result = match &function.result {
            Some(ty) => Some(self.shape(ty).map_err(|why| format!("result: {why}"))?),
            None => None,
        };
        for shape in [Some(parameters), result].into_iter().flatten() {
            // The object of arguments is a level more.
            if shape.height > DEPTH + 1 {
                return Err(format!("types nest deeper than {}", DEPTH));
            }
            if shape.parts > SIGNATURE {
                return Err(format!(
                    "its types have more than {} parts in all",
                    SIGNATURE
                ));
            }
        }
        if result.is_some_and(|result| result.height > DEPTH) {
            return Err(format!("types nest deeper than {}", DEPTH));
        }
        let (name, name_len) = self.text(&exported.tool);
        let (denial, denial_len) = self.text(denial);
        Ok(self.words(&[
            name,
            name_len,
            parameters.node,
            result.map_or(NONE, |shape| shape.node),
            denial,
            denial_len,
        ]))
    }

    fn shape(&mut self, ty: &Type) -> Result<Shape, String> {
        if let Some(shape) = self.shapes.get(ty) {
            return Ok(*shape);
        }
        let shape = match ty {
            Type::Bool => self.scalar(Kind::Bool, 1),
            Type::U8 => Shape {
                is_byte: true,
                ..self.scalar(Kind::U8, 1)
            },
            Type::S8 => self.scalar(Kind::S8, 1),
            Type::U16 => self.scalar(Kind::U16, 2),
            Type::S16 => self.scalar(Kind::S16, 2),
            Type::U32 => self.scalar(Kind::U32, 4),
            Type::S32 => self.scalar(Kind::S32, 4),
            Type::U64 => self.scalar(Kind::U64, 8),
            Type::S64 => self.scalar(Kind::S64, 8),
            Type::F32 => self.scalar(Kind::F32, 4),
            Type::F64 => self.scalar(Kind::F64, 8),
            Type::Char => self.scalar(Kind::Char, 4),
            Type::String => self.node(Kind::Text, layout(8, 4, 2), ANY, &[], &[])?,
            Type::ErrorContext => return Err(no_json("an error-context")),
            Type::Id(id) => {
                let resolve = self.resolve;
                let definition = resolve.types.get(*id).ok_or("a type is missing")?;
                self.defined(&definition.kind)?
            }
        };
        self.shapes.insert(*ty, shape);
        Ok(shape)
    }

    fn defined(&mut self, kind: &TypeDefKind) -> Result<Shape, String> {
        match kind {
            TypeDefKind::Type(ty) => self.shape(ty),
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter();
                let parts =
                    self.parts(fields.map(|field| (field.name.as_str(), Some(field.ty))))?;
                self.record(Kind::Record, &parts)
            }
            TypeDefKind::Tuple(tuple) => {
                let mut parts = Vec::new();
                for ty in &tuple.types {
                    let shape = Some(self.shape(ty)?);
                    parts.push(Part { name: None, shape });
                }
                self.record(Kind::Tuple, &parts)
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                let parts = self.parts(cases.map(|case| (case.name.as_str(), case.ty)))?;
                self.variant(Kind::Variant, &parts)
            }
            TypeDefKind::Enum(cases) => {
                let cases = cases.cases.iter();
                let parts = self.parts(cases.map(|case| (case.name.as_str(), None)))?;
                self.variant(Kind::Enum, &parts)
            }
            TypeDefKind::Option(ty) => {
                let parts = self.parts([("none", None), ("some", Some(*ty))].into_iter())?;
                self.variant(Kind::Option, &parts)
            }
            TypeDefKind::Result(result) => {
                let parts = self.parts([("ok", result.ok), ("err", result.err)].into_iter())?;
                self.variant(Kind::Result, &parts)
            }
            TypeDefKind::Flags(flags) => {
                let names = flags.flags.iter();
                let parts = self.parts(names.map(|flag| (flag.name.as_str(), None)))?;
                let size = match parts.len() {
                    1..=8 => 1,
                    9..=16 => 2,
                    17..=32 => 4,
                    _ => return Err("flags of no or more than 32 names".to_owned()),
                };
                self.node(Kind::Flags, layout(size, size, 1), 0, &parts, &[])
            }
            TypeDefKind::List(ty) => self.list(ty, layout(8, 4, 2), ANY),
            TypeDefKind::FixedLengthList(ty, len) => {
                let item = self.shape(ty)?;
                let size = item.size.saturating_mul((*len).into());
                let flats = item.flats.saturating_mul(*len);
                self.list(ty, layout(size, item.align, flats), *len)
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

    fn scalar(&mut self, kind: Kind, size: u64) -> Shape {
        let node = self.words(&[kind as u32, size as u32, size as u32, 1, 0, 0]);
        Shape {
            node,
            height: 1,
            parts: 1,
            ..layout(size, size, 1)
        }
    }

    fn list(&mut self, item: &Type, shape: Shape, len: u32) -> Result<Shape, String> {
        let item = self.shape(item)?;
        if item.is_byte {
            return self.node(Kind::Bytes, shape, len, &[], &[]);
        }
        let items = [Part {
            name: None,
            shape: Some(item),
        }];
        self.node(Kind::List, shape, len, &items, &[0])
    }

    /// A record or a tuple: one field after another, each at its alignment.
    fn record(&mut self, kind: Kind, parts: &[Part]) -> Result<Shape, String> {
        let mut shape = layout(0, 1, 0);
        let mut offsets = Vec::new();
        for field in parts.iter().filter_map(|part| part.shape) {
            let offset = shape.size.next_multiple_of(field.align);
            offsets.push(offset);
            shape.size = offset.saturating_add(field.size);
            shape.align = shape.align.max(field.align);
            shape.flats = shape.flats.saturating_add(field.flats);
        }
        shape.size = shape.size.next_multiple_of(shape.align);
        self.node(kind, shape, 0, parts, &offsets)
    }

    /// A tag, and behind it at the largest alignment the payload of one case.
    fn variant(&mut self, kind: Kind, parts: &[Part]) -> Result<Shape, String> {
        let tag: u64 = match parts.len() {
            0 => return Err("a variant without a case".to_owned()),
            1..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        let payloads = || parts.iter().filter_map(|part| part.shape);
        let align = payloads().map(|payload| payload.align).max().unwrap_or(1);
        let size = payloads().map(|payload| payload.size).max().unwrap_or(0);
        let flats = payloads().map(|payload| payload.flats).max().unwrap_or(0);
        let offset = tag.next_multiple_of(align);
        let align = align.max(tag);
        let size = offset.saturating_add(size).next_multiple_of(align);
        let offsets = vec![offset; parts.len()];
        let shape = layout(size, align, flats.saturating_add(1));
        self.node(kind, shape, tag as u32, parts, &offsets)
    }

    fn node(
        &mut self,
        kind: Kind,
        mut shape: Shape,
        extra: u32,
        parts: &[Part],
        offsets: &[u64],
    ) -> Result<Shape, String> {
        if parts.len() > MAX_MEMBERS {
            return Err(format!(
                "a type has {} members, more than {}",
                parts.len(),
                MAX_MEMBERS
            ));
        }
        if shape.size > SIZE {
            return Err(format!("a value takes more than {SIZE} bytes"));
        }
        shape.flats = shape.flats.min(MANY);
        let mut words = vec![
            kind as u32,
            shape.size as u32,
            shape.align as u32,
            shape.flats,
            extra,
            parts.len() as u32,
        ];
        (shape.height, shape.parts) = (1, 1);
        for (index, part) in parts.iter().enumerate() {
            let (name, len) = self.text(part.name.as_deref().unwrap_or_default());
            let node = part.shape.map_or(NONE, |shape| shape.node);
            let offset = offsets.get(index).copied().unwrap_or_default() as u32;
            words.extend([name, len, node, offset]);
            shape.parts = shape.parts.saturating_add(1);
            if let Some(below) = part.shape {
                shape.height = shape.height.max(below.height + 1);
                shape.parts = shape.parts.saturating_add(below.parts);
            }
        }
        shape.node = self.words(&words);
        Ok(shape)
    }

    fn parts<'n>(
        &mut self,
        members: impl Iterator<Item = (&'n str, Option<Type>)>,
    ) -> Result<Vec<Part>, String> {
        members
            .map(|(name, ty)| {
                let shape = ty.map(|ty| self.shape(&ty)).transpose()?;
                part(name, shape)
            })
            .collect()
    }

    fn text(&mut self, text: &str) -> (u32, u32) {
        if let Some(place) = self.names.get(text) {
            return *place;
        }
        let place = (self.bytes.len() as u32, text.len() as u32);
        self.bytes.extend(text.as_bytes());
        self.names.insert(text.to_owned(), place);
        place
    }

    fn words(&mut self, words: &[u32]) -> u32 {
        let at = self.bytes.len() as u32;
        for word in words {
            self.bytes.extend(word.to_le_bytes());
        }
        at
    }
}

fn part(name: &str, shape: Option<Shape>) -> Result<Part, String> {
    let name = Name::new(name)
        .ok_or_else(|| format!("`{name}` is no WIT name of at most {MAX_NAME} bytes"))?;
    Ok(Part {
        name: Some(name.json),
        shape,
    })
}

/// A type of that layout that has not been written.
fn layout(size: u64, align: u64, flats: u32) -> Shape {
    Shape {
        node: NONE,
        size,
        align,
        flats,
        height: 0,
        parts: 0,
        is_byte: false,
    }
}

fn no_json(what: &str) -> String {
    format!("{what} has no JSON form")
}
