//! Values that hold others.

use alloc::format;

use super::error::{expected, length, more, one_key, twice};
use super::{Lowering, MAX_MEMBERS, Result};
use crate::flat::plus;
use crate::layout::{ANY, Kind};
use crate::memory::{Fault, Memory};
use crate::misfit::{Misfit, quoted, shown};
use crate::reader::{Reader, Token};
use crate::table::{Member, Node};

impl<M: Memory> Lowering<'_, M> {
    pub(super) fn list(&mut self, node: &Node, at: u32) -> Result {
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

    pub(super) fn tuple(&mut self, node: &Node, at: u32) -> Result {
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

    pub(super) fn record(&mut self, node: &Node, at: u32) -> Result {
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

    pub(super) fn variant(&mut self, node: &Node, at: u32) -> Result {
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

    pub(super) fn result(&mut self, node: &Node, at: u32) -> Result {
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
    pub(super) fn single(&mut self, node: &Node, index: u32, at: u32) -> Result {
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
