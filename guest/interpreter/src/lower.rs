//! JSON to values in memory, type-checked on the way.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::flat::plus;
use crate::layout::{ANY, Kind};
use crate::memory::{Fault, Memory};
use crate::misfit::{Misfit, quoted, shown};
use crate::number::{FLOAT32_MAX, NotWhole, Number, SAFE, is_canonical};
use crate::reader::{Reader, Text, Token};
use crate::table::{Member, Node, Table};
use crate::{MAX_BYTES, MAX_LOWERED, MAX_VALUES};

/// How many members a record may have: `thoth wrap` refuses a type with more.
pub const MAX_MEMBERS: usize = 1_000;

/// How many names an error lists.
const LISTED: u32 = 16;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The JSON does not fit the type.
    Misfit(Misfit),
    /// The memory or the table is not what it should be.
    Fault,
}

impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        Error::Misfit(misfit)
    }
}

impl From<Fault> for Error {
    fn from(Fault: Fault) -> Self {
        Error::Fault
    }
}

impl Error {
    fn below(self, name: &[u8]) -> Self {
        match self {
            Error::Misfit(misfit) => Error::Misfit(misfit.below(name)),
            Error::Fault => Error::Fault,
        }
    }

    fn at(self, index: u32) -> Self {
        match self {
            Error::Misfit(misfit) => Error::Misfit(misfit.at(index)),
            Error::Fault => Error::Fault,
        }
    }
}

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

    fn list(&mut self, node: &Node, at: u32) -> Result {
        let item = self.table.of(&self.table.member(node, 0)?)?;
        let (mut place, mut room) = match node.extra {
            ANY => self.allocate(0, item.size, item.align)?,
            fixed => (at, fixed),
        };
        let mut count = 0;
        self.reader.take(b'[');
        while self.reader.more(b']', count == 0)? {
            if count == room {
                if node.extra != ANY {
                    return Err(more(node.extra));
                }
                let wider = (room as usize).saturating_mul(2).max(4);
                let (to, _) = self.allocate(wider, item.size, item.align)?;
                self.memory
                    .copy(place, to, count.checked_mul(item.size).ok_or(Fault)?)?;
                (place, room) = (to, wider as u32);
            }
            let offset = count.checked_mul(item.size).ok_or(Fault)?;
            self.value(&item, plus(place, offset)?)
                .map_err(|error| error.at(count))?;
            count += 1;
        }
        match node.extra {
            ANY => Ok(self.memory.store_slice(at, place, count)?),
            fixed if fixed == count => Ok(()),
            fixed => Err(length(fixed, count as usize, "items")),
        }
    }

    fn tuple(&mut self, node: &Node, at: u32) -> Result {
        let mut count = 0;
        self.reader.take(b'[');
        while self.reader.more(b']', count == 0)? {
            if count == node.count {
                return Err(more(node.count));
            }
            let member = self.table.member(node, count)?;
            let field = self.table.of(&member)?;
            self.value(&field, plus(at, member.offset)?)
                .map_err(|error| error.at(count))?;
            count += 1;
        }
        if count < node.count {
            return Err(length(node.count, count as usize, "items"));
        }
        Ok(())
    }

    fn record(&mut self, node: &Node, at: u32) -> Result {
        let mut seen = Seen::default();
        let mut is_first = true;
        self.reader.take(b'{');
        while self.reader.more(b'}', is_first)? {
            is_first = false;
            let key = self.reader.key()?;
            let (index, field) = self.find(node, key)?.ok_or_else(|| {
                Misfit::new(format!(
                    "unknown key {}{}",
                    quoted(key.raw),
                    self.known(node)
                ))
            })?;
            if seen.add(index) {
                return Err(twice(field.name));
            }
            let ty = self.table.of(&field)?;
            self.value(&ty, plus(at, field.offset)?)
                .map_err(|error| error.below(field.name))?;
        }
        for index in 0..node.count {
            if seen.has(index) {
                continue;
            }
            let field = self.table.member(node, index)?;
            self.absent(&field, at)
                .map_err(|error| error.below(field.name))?;
        }
        Ok(())
    }

    /// A field or a payload that is not there: an option is none.
    fn absent(&mut self, member: &Member<'_>, at: u32) -> Result {
        let ty = self.table.of(member)?;
        self.count(1)?;
        match ty.kind {
            Kind::Option => Ok(self.memory.store(plus(at, member.offset)?, ty.extra, 0)?),
            kind => Err(Misfit::new(format!("missing; a {} is required", kind.name())).into()),
        }
    }

    fn variant(&mut self, node: &Node, at: u32) -> Result {
        let mut case: Option<Member<'_>> = None;
        let mut value: Option<Reader<'_>> = None;
        let mut is_first = true;
        self.reader.take(b'{');
        while self.reader.more(b'}', is_first)? {
            is_first = false;
            let key = self.reader.key()?;
            if key.is(b"tag") && case.is_none() {
                let got = self.reader.token();
                if got != Token::Text {
                    return Err(expected("the name of a case", got).below(b"tag"));
                }
                let tag = self.reader.text()?;
                let (index, named) = self
                    .named(node, tag, "case")
                    .map_err(|error| error.below(b"tag"))?;
                self.memory.store(at, node.extra, index.into())?;
                case = Some(named);
            } else if key.is(b"val") && value.is_none() {
                // It is read when its type is known, whichever comes first.
                value = Some(self.reader);
                self.reader.skip()?;
            } else if key.is(b"tag") || key.is(b"val") {
                return Err(twice(key.raw));
            } else {
                let message = format!(
                    "unknown key {}; known keys are `tag`, `val`",
                    quoted(key.raw)
                );
                return Err(Misfit::new(message).into());
            }
        }
        let Some(case) = case else {
            let message = "missing; the name of a case is required";
            return Err(Misfit::new(message).below(b"tag").into());
        };
        let payload = self.table.payload(&case)?;
        let done = match (payload, value) {
            (None, None) => Ok(()),
            (None, Some(_)) => {
                Err(Misfit::new(format!("case {} has no value", quoted(case.name))).into())
            }
            (Some(_), None) => self.absent(&case, at),
            (Some(ty), Some(start)) => self.again(start, &ty, plus(at, case.offset)?),
        };
        done.map_err(|error| error.below(b"val"))
    }

    /// Reads a value that was gone past.
    fn again(&mut self, start: Reader<'_>, ty: &Node, at: u32) -> Result {
        let mut lowering = Lowering {
            table: self.table,
            memory: &mut *self.memory,
            reader: start,
            values: self.values,
            bytes: self.bytes,
        };
        lowering.value(ty, at)?;
        let mut end = start;
        end.skip()?;
        let read = lowering.reader.place();
        (self.values, self.bytes) = (lowering.values, lowering.bytes);
        if read != end.place() {
            return Err(Misfit::new("not JSON: brackets that do not match").into());
        }
        Ok(())
    }

    fn result(&mut self, node: &Node, at: u32) -> Result {
        let before = self.reader;
        self.reader.take(b'{');
        for index in 0..2 {
            let case = self.table.member(node, index)?;
            let mut ahead = self.reader;
            if ahead.token() == Token::Text && ahead.text()?.is(case.name) {
                self.reader = before;
                self.memory.store(at, node.extra, index.into())?;
                return self.single(node, index, plus(at, case.offset)?);
            }
        }
        Err(one_key("`ok` or `err`"))
    }

    /// An object with the name of that case as its one key.
    fn single(&mut self, node: &Node, index: u32, at: u32) -> Result {
        let case = self.table.member(node, index)?;
        self.reader.take(b'{');
        if !self.reader.more(b'}', true)? || !self.reader.key()?.is(case.name) {
            return Err(one_key(&format!("`{}`", shown(case.name))));
        }
        let done = match self.table.payload(&case)? {
            Some(ty) => self.value(&ty, at),
            None if self.reader.token() == Token::Null => Ok(self.reader.word("null")?),
            None => Err(expected("null", self.reader.token())),
        };
        done.map_err(|error| error.below(case.name))?;
        if self.reader.more(b'}', false)? {
            return Err(one_key(&format!("`{}`", shown(case.name))));
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

/// Which members have been read.
#[derive(Default)]
struct Seen([u64; MAX_MEMBERS.div_ceil(64)]);

impl Seen {
    /// Adds one, and says whether it was there.
    fn add(&mut self, index: u32) -> bool {
        let was = self.has(index);
        if let Some(word) = self.0.get_mut(index as usize / 64) {
            *word |= 1 << (index % 64);
        }
        was
    }

    fn has(&self, index: u32) -> bool {
        let word = self.0.get(index as usize / 64);
        // One that there is no room for counts as read, so that it is never taken for absent.
        word.is_none_or(|word| word >> (index % 64) & 1 == 1)
    }
}

/// The integer in the type's range.
fn integer(number: Number<'_>, kind: Kind) -> Result<i64> {
    let value = number.whole().map_err(|why| match why {
        NotWhole::TooLarge => out_of_range(number.text, kind),
        NotWhole::Fraction => Misfit::new(format!(
            "{} is not a whole number for {}",
            shown(number.text),
            kind.name()
        )),
    })?;
    let (least, most) = match kind {
        Kind::U8 => (0, u8::MAX.into()),
        Kind::U16 => (0, u16::MAX.into()),
        Kind::U32 => (0, u32::MAX.into()),
        Kind::U64 => (0, i64::MAX),
        Kind::S8 => (i8::MIN.into(), i8::MAX.into()),
        Kind::S16 => (i16::MIN.into(), i16::MAX.into()),
        Kind::S32 => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    };
    if !(least..=most).contains(&value) {
        return Err(out_of_range(number.text, kind).into());
    }
    // Beyond 2^53 two integers share one JSON number, so the number does not say which.
    if value.unsigned_abs() > SAFE {
        let text = shown(number.text);
        let kind = kind.name();
        let message = format!("{text} is beyond 2^53-1; write the {kind} as decimal text");
        return Err(Misfit::new(message).into());
    }
    Ok(value)
}

/// An error is made once and not in each place that may find one: the adapter is in every component.
#[cold]
#[inline(never)]
fn expected(what: &str, token: Token) -> Error {
    Misfit::new(format!("expected {what}, got {}", token.name())).into()
}

/// The 64 bits of an integer in decimal text.
fn decimal(text: Text<'_>, kind: Kind) -> Result<u64> {
    let text = text.to_vec();
    if !is_canonical(&text) {
        let message = format!("{} is not decimal text for {}", quoted(&text), kind.name());
        return Err(Misfit::new(message).into());
    }
    let value = match kind {
        Kind::U64 => shown(&text).parse().ok(),
        _ => shown(&text).parse().ok().map(|value: i64| value as u64),
    };
    value.ok_or_else(|| out_of_range(&text, kind).into())
}

#[cold]
#[inline(never)]
fn out_of_range(text: &[u8], kind: Kind) -> Misfit {
    Misfit::new(format!(
        "{} is out of range for {}",
        quoted(text),
        kind.name()
    ))
}

#[cold]
#[inline(never)]
fn length(expected: u32, found: usize, what: &str) -> Error {
    Misfit::new(format!("expected {expected} {what}, got {found}")).into()
}

#[cold]
#[inline(never)]
fn more(expected: u32) -> Error {
    Misfit::new(format!("expected {expected} items, got more")).into()
}

#[cold]
#[inline(never)]
fn twice(name: &[u8]) -> Error {
    Misfit::new(format!("the key {} comes twice", quoted(name))).into()
}

#[cold]
#[inline(never)]
fn one_key(names: &str) -> Error {
    Misfit::new(format!("expected an object with exactly one key, {names}")).into()
}
