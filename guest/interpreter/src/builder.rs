//! Writes a table of types, with sizes and alignments as the canonical ABI has them for 32 bits.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::layout::{ANY, Kind, MANY, NONE, VERSION};
use crate::lower::MAX_MEMBERS;

/// How large a value may be in memory, in bytes, apart from what it points to.
const SIZE: u64 = 1 << 20;

/// A table that grows.
#[derive(Clone, Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    names: BTreeMap<String, (u32, u32)>,
}

/// A type that is in the table.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    node: u32,
    size: u64,
    align: u64,
    flats: u32,
    is_byte: bool,
    /// How deep types nest in it; a type without members is 1.
    pub height: usize,
    /// How many types and members it has, counted as often as they are used.
    pub parts: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            bytes: VERSION.to_le_bytes().to_vec(),
            names: BTreeMap::new(),
        }
    }
}

impl Builder {
    /// The table.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// A function of these parameters, a record. Where it is in the table.
    pub fn function(
        &mut self,
        name: &str,
        parameters: Type,
        result: Option<Type>,
        denial: &str,
    ) -> u32 {
        let (name, name_len) = self.name(name);
        let (denial, denial_len) = self.name(denial);
        let result = result.map_or(NONE, |result| result.node);
        self.words(&[name, name_len, parameters.node, result, denial, denial_len])
    }

    /// A number, a boolean or a character.
    ///
    /// # Errors
    /// The kind is another.
    pub fn scalar(&mut self, kind: Kind) -> Result<Type, String> {
        let size = match kind {
            Kind::Bool | Kind::U8 | Kind::S8 => 1,
            Kind::U16 | Kind::S16 => 2,
            Kind::U32 | Kind::S32 | Kind::F32 | Kind::Char => 4,
            Kind::U64 | Kind::S64 | Kind::F64 => 8,
            _ => return Err(format!("a {} is more than a number", kind.name())),
        };
        let ty = self.node(kind, layout(size, size, 1), 0, &[], &[])?;
        Ok(Type {
            is_byte: kind == Kind::U8,
            ..ty
        })
    }

    /// A string.
    ///
    /// # Errors
    /// None.
    pub fn text(&mut self) -> Result<Type, String> {
        self.node(Kind::Text, layout(8, 4, 2), ANY, &[], &[])
    }

    /// A list, of a fixed length or not.
    ///
    /// # Errors
    /// It is too large.
    pub fn list(&mut self, item: Type, len: Option<u32>) -> Result<Type, String> {
        let shape = match len {
            None => layout(8, 4, 2),
            Some(len) => layout(
                item.size.saturating_mul(len.into()),
                item.align,
                item.flats.saturating_mul(len),
            ),
        };
        let extra = len.unwrap_or(ANY);
        if item.is_byte {
            return self.node(Kind::Bytes, shape, extra, &[], &[]);
        }
        self.node(Kind::List, shape, extra, &[("", Some(item))], &[0])
    }

    /// A record or a tuple, whose fields have no names: one after another, each at its alignment.
    ///
    /// # Errors
    /// It is too large.
    pub fn record(&mut self, kind: Kind, fields: &[(&str, Type)]) -> Result<Type, String> {
        let mut shape = layout(0, 1, 0);
        let mut offsets = Vec::new();
        for (_, field) in fields {
            let offset = shape.size.next_multiple_of(field.align);
            offsets.push(offset);
            shape.size = offset.saturating_add(field.size);
            shape.align = shape.align.max(field.align);
            shape.flats = shape.flats.saturating_add(field.flats);
        }
        shape.size = shape.size.next_multiple_of(shape.align);
        let fields: Vec<_> = fields.iter().map(|(name, ty)| (*name, Some(*ty))).collect();
        self.node(kind, shape, 0, &fields, &offsets)
    }

    /// A variant, an enum, an option (`none`, `some`) or a result (`ok`, `err`): a tag, and behind it, at
    /// the largest alignment, the payload of one case.
    ///
    /// # Errors
    /// It has no case or is too large.
    pub fn variant(&mut self, kind: Kind, cases: &[(&str, Option<Type>)]) -> Result<Type, String> {
        let tag: u64 = match cases.len() {
            0 => return Err("a variant without a case".to_owned()),
            1..=0x100 => 1,
            _ => 2,
        };
        let payloads = || cases.iter().filter_map(|(_, payload)| *payload);
        let align = payloads().map(|payload| payload.align).max().unwrap_or(1);
        let size = payloads().map(|payload| payload.size).max().unwrap_or(0);
        let flats = payloads().map(|payload| payload.flats).max().unwrap_or(0);
        let offset = tag.next_multiple_of(align);
        let align = align.max(tag);
        let size = offset.saturating_add(size).next_multiple_of(align);
        let offsets = alloc::vec![offset; cases.len()];
        let shape = layout(size, align, flats.saturating_add(1));
        self.node(kind, shape, tag as u32, cases, &offsets)
    }

    /// Flags.
    ///
    /// # Errors
    /// There are none, or more than 32.
    pub fn flags(&mut self, names: &[&str]) -> Result<Type, String> {
        let size = match names.len() {
            1..=8 => 1,
            9..=16 => 2,
            17..=32 => 4,
            _ => return Err("flags of no or more than 32 names".to_owned()),
        };
        let names: Vec<_> = names.iter().map(|name| (*name, None)).collect();
        self.node(Kind::Flags, layout(size, size, 1), 0, &names, &[])
    }

    fn node(
        &mut self,
        kind: Kind,
        mut shape: Type,
        extra: u32,
        members: &[(&str, Option<Type>)],
        offsets: &[u64],
    ) -> Result<Type, String> {
        if members.len() > MAX_MEMBERS {
            return Err(format!(
                "a type has {} members, more than {MAX_MEMBERS}",
                members.len()
            ));
        }
        if shape.size > SIZE {
            return Err(format!("a value takes more than {SIZE} bytes"));
        }
        shape.flats = shape.flats.min(MANY);
        let mut words = alloc::vec![
            kind as u32,
            shape.size as u32,
            shape.align as u32,
            shape.flats,
            extra,
            members.len() as u32,
        ];
        for (index, (name, ty)) in members.iter().enumerate() {
            let (name, len) = self.name(name);
            let offset = offsets.get(index).copied().unwrap_or_default() as u32;
            words.extend([name, len, ty.map_or(NONE, |ty| ty.node), offset]);
            shape.parts = shape.parts.saturating_add(1);
            if let Some(below) = ty {
                shape.height = shape.height.max(below.height + 1);
                shape.parts = shape.parts.saturating_add(below.parts);
            }
        }
        shape.node = self.words(&words);
        Ok(shape)
    }

    fn name(&mut self, text: &str) -> (u32, u32) {
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

/// A type of that layout that is not in the table yet.
fn layout(size: u64, align: u64, flats: u32) -> Type {
    Type {
        node: NONE,
        size,
        align,
        flats,
        is_byte: false,
        height: 1,
        parts: 1,
    }
}
