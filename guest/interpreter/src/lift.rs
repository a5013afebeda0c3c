//! Values in memory to JSON.

use alloc::vec::Vec;

use crate::MAX_BYTES;
use crate::flat::plus;
use crate::layout::{ANY, Kind};
use crate::memory::{Fault, Memory};
use crate::table::{Member, Node, Table};
use crate::writer::{Excess, Writer};

/// Why there is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It would be longer than [`MAX_BYTES`].
    TooLarge,
    /// The memory or the table is not what it should be.
    Fault,
}

impl From<Excess> for Error {
    fn from(Excess: Excess) -> Self {
        Error::TooLarge
    }
}

impl From<Fault> for Error {
    fn from(Fault: Fault) -> Self {
        Error::Fault
    }
}

/// What a function returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// The value; for a `result`, the payload of `ok`; `null` where there is none.
    Completed(Vec<u8>),
    /// The payload of `err`, or `null` where there is none.
    Failed(Vec<u8>),
}

/// The JSON of a value.
///
/// # Errors
/// See [`Error`].
pub fn value(
    table: Table<'_>,
    node: &Node,
    memory: &impl Memory,
    at: u32,
) -> Result<Vec<u8>, Error> {
    let mut lifting = Lifting::new(table, memory);
    lifting.value(node, at)?;
    Ok(lifting.out.finish())
}

/// The JSON of what a function returned.
///
/// # Errors
/// See [`Error`].
pub fn returned(
    table: Table<'_>,
    node: Option<&Node>,
    memory: &impl Memory,
    at: u32,
) -> Result<Returned, Error> {
    let Some(node) = node else {
        return Ok(Returned::Completed(b"null".to_vec()));
    };
    if node.kind != Kind::Result {
        return value(table, node, memory, at).map(Returned::Completed);
    }
    let mut lifting = Lifting::new(table, memory);
    let tag = memory.load(at, node.extra)?;
    let case = table.member(node, tag as u32)?;
    lifting.payload(&case, at)?;
    let json = lifting.out.finish();
    Ok(match tag {
        0 => Returned::Completed(json),
        _ => Returned::Failed(json),
    })
}

struct Lifting<'a, M> {
    table: Table<'a>,
    memory: &'a M,
    out: Writer,
}

impl<'a, M: Memory> Lifting<'a, M> {
    fn new(table: Table<'a>, memory: &'a M) -> Self {
        Self {
            table,
            memory,
            out: Writer::new(MAX_BYTES),
        }
    }

    fn value(&mut self, node: &Node, at: u32) -> Result<(), Error> {
        let signed = |value: i64, out: &mut Writer| out.integer(value < 0, value.unsigned_abs());
        match node.kind {
            Kind::Bool => {
                let value = self.memory.load(at, 1)? != 0;
                self.out.raw(if value { b"true" } else { b"false" })?;
            }
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => {
                self.out.integer(false, self.memory.load(at, node.size)?)?;
            }
            Kind::S8 => signed((self.memory.load(at, 1)? as i8).into(), &mut self.out)?,
            Kind::S16 => signed((self.memory.load(at, 2)? as i16).into(), &mut self.out)?,
            Kind::S32 => signed((self.memory.load(at, 4)? as i32).into(), &mut self.out)?,
            Kind::S64 => signed(self.memory.load(at, 8)? as i64, &mut self.out)?,
            Kind::F32 => self
                .out
                .single(f32::from_bits(self.memory.load(at, 4)? as u32))?,
            Kind::F64 => self.out.double(f64::from_bits(self.memory.load(at, 8)?))?,
            Kind::Char => {
                let character = char::from_u32(self.memory.load(at, 4)? as u32).ok_or(Fault)?;
                self.out
                    .text(character.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
            Kind::Text => {
                let (from, len) = self.memory.slice(at)?;
                self.out.text(self.memory.bytes(from, len)?)?;
            }
            Kind::Bytes => {
                let (from, len) = self.items(node, at)?;
                self.out.base64(self.memory.bytes(from, len)?)?;
            }
            Kind::List => {
                let item = self.table.of(&self.table.member(node, 0)?)?;
                let (from, len) = self.items(node, at)?;
                self.out.raw(b"[")?;
                for index in 0..len {
                    self.comma(index)?;
                    let offset = index.checked_mul(item.size).ok_or(Fault)?;
                    self.value(&item, plus(from, offset)?)?;
                }
                self.out.raw(b"]")?;
            }
            Kind::Record => {
                self.out.raw(b"{")?;
                for index in 0..node.count {
                    self.comma(index)?;
                    let field = self.table.member(node, index)?;
                    self.out.key(field.name)?;
                    self.payload(&field, at)?;
                }
                self.out.raw(b"}")?;
            }
            Kind::Tuple => {
                self.out.raw(b"[")?;
                for index in 0..node.count {
                    self.comma(index)?;
                    let field = self.table.member(node, index)?;
                    self.payload(&field, at)?;
                }
                self.out.raw(b"]")?;
            }
            Kind::Variant => {
                let case = self.case(node, at)?;
                self.out.raw(b"{")?;
                self.out.key(b"tag")?;
                self.out.text(case.name)?;
                if self.table.payload(&case)?.is_some() {
                    self.out.raw(b",")?;
                    self.out.key(b"val")?;
                    self.payload(&case, at)?;
                }
                self.out.raw(b"}")?;
            }
            Kind::Enum => {
                let case = self.case(node, at)?;
                self.out.text(case.name)?;
            }
            Kind::Flags => self.flags(node, at)?,
            Kind::Option => {
                let case = self.case(node, at)?;
                match self.table.payload(&case)? {
                    Some(inner) if inner.kind == Kind::Option => self.single(&case, at)?,
                    _ => self.payload(&case, at)?,
                }
            }
            Kind::Result => {
                let case = self.case(node, at)?;
                self.single(&case, at)?;
            }
        }
        Ok(())
    }

    /// An object with the case's name as its one key.
    fn single(&mut self, case: &Member<'_>, at: u32) -> Result<(), Error> {
        self.out.raw(b"{")?;
        self.out.key(case.name)?;
        self.payload(case, at)?;
        Ok(self.out.raw(b"}")?)
    }

    /// A field, or what a case carries.
    fn payload(&mut self, member: &Member<'_>, at: u32) -> Result<(), Error> {
        match self.table.payload(member)? {
            Some(node) => self.value(&node, plus(at, member.offset)?),
            None => Ok(self.out.raw(b"null")?),
        }
    }

    fn flags(&mut self, node: &Node, at: u32) -> Result<(), Error> {
        self.out.raw(b"[")?;
        let mut given = 0;
        for index in 0..node.count {
            let byte = self.memory.load(plus(at, index / 8)?, 1)?;
            if byte >> (index % 8) & 1 == 1 {
                self.comma(given)?;
                given += 1;
                self.out.text(self.table.member(node, index)?.name)?;
            }
        }
        Ok(self.out.raw(b"]")?)
    }

    fn case(&self, node: &Node, at: u32) -> Result<Member<'a>, Fault> {
        let tag = self.memory.load(at, node.extra)?;
        self.table.member(node, tag as u32)
    }

    /// Where the items of a list are, and how many.
    fn items(&self, node: &Node, at: u32) -> Result<(u32, u32), Fault> {
        match node.extra {
            ANY => self.memory.slice(at),
            len => Ok((at, len)),
        }
    }

    fn comma(&mut self, index: u32) -> Result<(), Excess> {
        match index {
            0 => Ok(()),
            _ => self.out.raw(b","),
        }
    }
}
