//! JSON to values in memory, type-checked on the way.

mod composite;
mod error;
mod number;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use self::error::Error;
use self::error::{expected, length, out_of_range};
use self::number::{decimal, integer};
use crate::flat::plus;
use crate::layout::{ANY, Kind};
use crate::memory::Memory;
use crate::misfit::{Misfit, quoted, shown};
use crate::number::FLOAT32_MAX;
use crate::reader::{Reader, Text, Token};
use crate::table::{Member, Node, Table};
use crate::{MAX_BYTES, MAX_LOWERED, MAX_VALUES};

/// How many members a record may have: `thoth wrap` refuses a type with more.
pub const MAX_MEMBERS: usize = 1_000;

/// How many names an error lists.
const LISTED: u32 = 16;

type Result<T = (), E = Error> = core::result::Result<T, E>;

/// Makes a value of JSON, and nothing after it, at a place of the type's size and alignment.
///
/// # Errors
/// The first thing that does not fit. Nothing is ever cut, rounded to an integer, defaulted or ignored
/// to make it fit.
pub fn value(
    table: Table<'_>,
    node: &Node,
    json: &[u8],
    memory: &mut impl Memory,
    at: u32,
) -> Result {
    if json.len() > MAX_BYTES {
        return Err(Misfit::new(format!("longer than {MAX_BYTES} bytes of JSON")).into());
    }
    let mut lowering = Lowering {
        table,
        memory,
        reader: Reader::new(json),
        values: MAX_VALUES,
        bytes: MAX_LOWERED,
    };
    lowering.value(node, at)?;
    Ok(lowering.reader.end()?)
}

struct Lowering<'a, M> {
    table: Table<'a>,
    memory: &'a mut M,
    reader: Reader<'a>,
    /// How many values may still be made.
    values: usize,
    /// How much memory may still be taken, in bytes.
    bytes: usize,
}

impl<'a, M: Memory> Lowering<'a, M> {
    fn value(&mut self, node: &Node, at: u32) -> Result {
        self.count(1)?;
        let token = self.reader.token();
        let expected = |what: &str| -> Result { Err(expected(what, token)) };
        match (node.kind, token) {
            (Kind::Bool, Token::Bool) => {
                let value = self.reader.bool()?;
                Ok(self.memory.store(at, 1, value.into())?)
            }
            (
                Kind::U8
                | Kind::S8
                | Kind::U16
                | Kind::S16
                | Kind::U32
                | Kind::S32
                | Kind::U64
                | Kind::S64,
                Token::Number,
            ) => {
                let value = integer(self.reader.number()?, node.kind)?;
                Ok(self.memory.store(at, node.size, value as u64)?)
            }
            (Kind::U64 | Kind::S64, Token::Text) => {
                let value = decimal(self.reader.text()?, node.kind)?;
                Ok(self.memory.store(at, 8, value)?)
            }
            (Kind::F32 | Kind::F64, Token::Number | Token::Text) => {
                let value = self.float(token, node.kind)?;
                let bits = match node.kind {
                    // Rounds to the nearest f32, which is what a decimal number means in this type.
                    Kind::F32 => (value as f32).to_bits().into(),
                    _ => value.to_bits(),
                };
                Ok(self.memory.store(at, node.size, bits)?)
            }
            (Kind::Char, Token::Text) => {
                let text = self.reader.text()?.to_vec();
                let mut characters = shown(&text).chars();
                match (characters.next(), characters.next()) {
                    (Some(one), None) => Ok(self.memory.store(at, 4, u32::from(one).into())?),
                    _ => Err(Misfit::new(format!("{} is not one character", quoted(&text))).into()),
                }
            }
            (Kind::Text, Token::Text) => {
                let text = self.reader.text()?;
                let (to, len) = self.allocate(text.len, 1, 1)?;
                text.decode(self.memory.bytes_mut(to, len)?);
                Ok(self.memory.store_slice(at, to, len)?)
            }
            (Kind::Bytes, Token::Text) => self.base64(node, at),
            (Kind::List, Token::Array) => self.list(node, at),
            (Kind::Record, Token::Object) => self.record(node, at),
            (Kind::Tuple, Token::Array) => self.tuple(node, at),
            (Kind::Variant, Token::Object) => self.variant(node, at),
            (Kind::Enum, Token::Text) => {
                let text = self.reader.text()?;
                let (tag, _) = self.named(node, text, "case")?;
                Ok(self.memory.store(at, node.extra, tag.into())?)
            }
            (Kind::Flags, Token::Array) => self.flags(node, at),
            (Kind::Option, Token::Null) => {
                self.reader.word("null")?;
                Ok(self.memory.store(at, node.extra, 0)?)
            }
            (Kind::Option, token) => {
                let some = self.table.member(node, 1)?;
                let inner = self.table.of(&some)?;
                self.memory.store(at, node.extra, 1)?;
                let at = plus(at, some.offset)?;
                match (inner.kind, token) {
                    (Kind::Option, Token::Object) => self.single(node, 1, at),
                    (Kind::Option, _) => {
                        expected("option of an option (null or an object with `some`)")
                    }
                    _ => self.value(&inner, at),
                }
            }
            (Kind::Result, Token::Object) => self.result(node, at),
            (Kind::Char, _) => expected("char (one character)"),
            (Kind::Bytes, _) => expected("list<u8> (base64 text)"),
            (Kind::List, _) => expected("list (an array)"),
            (Kind::Record, _) => expected("record (an object)"),
            (Kind::Tuple, _) => expected("tuple (an array)"),
            (Kind::Variant, _) => expected("variant (an object with `tag`)"),
            (Kind::Enum, _) => expected("enum (a string)"),
            (Kind::Flags, _) => expected("flags (an array of names)"),
            (Kind::Result, _) => expected("result (an object with `ok` or `err`)"),
            (kind, _) => expected(kind.name()),
        }
    }

    fn float(&mut self, token: Token, kind: Kind) -> Result<f64> {
        if token == Token::Number {
            let number = self.reader.number()?;
            return number
                .double()
                .filter(|value| kind == Kind::F64 || (-FLOAT32_MAX..=FLOAT32_MAX).contains(value))
                .ok_or_else(|| out_of_range(number.text, kind).into());
        }
        let text = self.reader.text()?;
        for (name, value) in [
            ("NaN", f64::NAN),
            ("Infinity", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
        ] {
            if text.is(name.as_bytes()) {
                return Ok(value);
            }
        }
        Err(Misfit::new(format!(
            "{} is not a number for {}; as text only `NaN`, `Infinity` and `-Infinity` are",
            quoted(text.raw),
            kind.name()
        ))
        .into())
    }

    fn base64(&mut self, node: &Node, at: u32) -> Result {
        let text = self.reader.text()?;
        let unescaped: Vec<u8>;
        let encoded = if text.is_plain() {
            text.raw
        } else {
            unescaped = text.to_vec();
            &unescaped
        };
        let padding = encoded
            .iter()
            .rev()
            .take_while(|byte| **byte == b'=')
            .count();
        let len = (encoded.len() / 4 * 3).saturating_sub(padding);
        self.count(len)?;
        let (to, _) = match node.extra {
            ANY => self.allocate(len, 1, 1)?,
            fixed if fixed as usize == len => (at, fixed),
            fixed => return Err(length(fixed, len, "bytes")),
        };
        let room = self.memory.bytes_mut(to, len as u32)?;
        match STANDARD.decode_slice(encoded, room) {
            Ok(written) if written == len => {}
            _ => {
                let message = "not canonical base64 for list<u8> (standard alphabet, padded)";
                return Err(Misfit::new(message).into());
            }
        }
        if node.extra == ANY {
            self.memory.store_slice(at, to, len as u32)?;
        }
        Ok(())
    }

    fn flags(&mut self, node: &Node, at: u32) -> Result {
        self.memory.bytes_mut(at, node.size)?.fill(0);
        let mut given = 0;
        self.reader.take(b'[');
        while self.reader.more(b']', given == 0)? {
            let got = self.reader.token();
            if got != Token::Text {
                return Err(expected("the name of a flag", got).at(given));
            }
            let text = self.reader.text()?;
            let (index, flag) = self
                .named(node, text, "flag")
                .map_err(|error| error.at(given))?;
            let place = plus(at, index / 8)?;
            let byte = self.memory.load(place, 1)?;
            let bit = 1 << (index % 8);
            if byte & bit != 0 {
                return Err(Error::from(Misfit::new(format!(
                    "flag {} is given twice",
                    quoted(flag.name)
                )))
                .at(given));
            }
            self.memory.store(place, 1, byte | bit)?;
            given += 1;
        }
        Ok(())
    }

    fn named(&self, node: &Node, text: Text<'_>, what: &str) -> Result<(u32, Member<'a>)> {
        self.find(node, text)?.ok_or_else(|| {
            let message = format!("unknown {what} {}{}", quoted(text.raw), self.known(node));
            Misfit::new(message).into()
        })
    }

    fn find(&self, node: &Node, name: Text<'_>) -> Result<Option<(u32, Member<'a>)>> {
        for index in 0..node.count {
            let member = self.table.member(node, index)?;
            if name.is(member.name) {
                return Ok(Some((index, member)));
            }
        }
        Ok(None)
    }

    /// The names that there are, for an error.
    fn known(&self, node: &Node) -> String {
        let mut names = String::from("; known are ");
        for index in 0..node.count.min(LISTED) {
            let Ok(member) = self.table.member(node, index) else {
                break;
            };
            if index > 0 {
                names.push_str(", ");
            }
            names.push_str(&quoted(member.name));
        }
        match node.count {
            0 => String::from("; none is known"),
            count if count > LISTED => format!("{names} and {} more", count - LISTED),
            _ => names,
        }
    }

    fn count(&mut self, values: usize) -> Result {
        self.values = self.values.checked_sub(values).ok_or_else(|| {
            Misfit::new(format!("the arguments have more than {MAX_VALUES} values"))
        })?;
        Ok(())
    }

    /// Room for so many items, and their number again.
    fn allocate(&mut self, count: usize, size: u32, align: u32) -> Result<(u32, u32)> {
        let bytes = count.saturating_mul(size as usize);
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| {
            Misfit::new(format!(
                "the arguments take more than {MAX_LOWERED} bytes of memory"
            ))
        })?;
        let at = self.memory.allocate(bytes as u32, align)?;
        Ok((at, count as u32))
    }
}
