//! Values in memory, to and from the flat values that core functions pass.
//!
//! A flat value is a slot of 64 raw bits. The trampolines store each by its core type and load it by
//! that type, so the canonical ABI's coercions between the cases of a variant (an `f32` in an `i64`,
//! say) are already what they should be in the low bits.

use crate::layout::{ANY, Kind};
use crate::memory::{Fault, Memory};
use crate::table::{Node, Table};

/// Writes flat values to memory as one value of that type.
///
/// # Errors
/// There are fewer slots than the type has flat values, or a tag of no case.
pub fn gather(
    table: Table<'_>,
    node: &Node,
    slots: &[u64],
    memory: &mut impl Memory,
    at: u32,
) -> Result<(), Fault> {
    let slot = |index: usize| slots.get(index).copied().ok_or(Fault);
    match node.kind {
        Kind::Text | Kind::List | Kind::Bytes if node.extra == ANY => {
            memory.store_slice(at, slot(0)? as u32, slot(1)? as u32)
        }
        Kind::Record | Kind::Tuple => {
            let mut slots = slots;
            for index in 0..node.count {
                let member = table.member(node, index)?;
                let field = table.of(&member)?;
                gather(table, &field, slots, memory, plus(at, member.offset)?)?;
                slots = slots.get(field.flats as usize..).ok_or(Fault)?;
            }
            Ok(())
        }
        Kind::List | Kind::Bytes => {
            let item = Items::of(table, node)?;
            let mut slots = slots;
            for index in 0..node.extra {
                match &item.node {
                    Some(node) => gather(table, node, slots, memory, item.at(at, index)?)?,
                    None => memory.store(item.at(at, index)?, 1, *slots.first().ok_or(Fault)?)?,
                }
                slots = slots.get(item.flats as usize..).ok_or(Fault)?;
            }
            Ok(())
        }
        Kind::Variant | Kind::Option | Kind::Result => {
            let tag = slot(0)?;
            memory.store(at, node.extra, tag)?;
            let case = table.member(node, tag as u32)?;
            match table.payload(&case)? {
                Some(payload) => {
                    let slots = slots.get(1..).ok_or(Fault)?;
                    gather(table, &payload, slots, memory, plus(at, case.offset)?)
                }
                None => Ok(()),
            }
        }
        _ => memory.store(at, node.size, slot(0)?),
    }
}

/// Reads a value of that type from memory into flat values. Those that its case leaves open are zero.
///
/// # Errors
/// There are fewer slots than the type has flat values, or a tag of no case.
pub fn spread(
    table: Table<'_>,
    node: &Node,
    memory: &impl Memory,
    at: u32,
    slots: &mut [u64],
) -> Result<(), Fault> {
    let slots = slots.get_mut(..node.flats as usize).ok_or(Fault)?;
    match node.kind {
        Kind::Text | Kind::List | Kind::Bytes if node.extra == ANY => {
            let (to, len) = memory.slice(at)?;
            slots.copy_from_slice(&[to.into(), len.into()]);
            Ok(())
        }
        Kind::Record | Kind::Tuple => {
            let mut slots = slots;
            for index in 0..node.count {
                let member = table.member(node, index)?;
                let field = table.of(&member)?;
                let (own, rest) = slots
                    .split_at_mut_checked(field.flats as usize)
                    .ok_or(Fault)?;
                spread(table, &field, memory, plus(at, member.offset)?, own)?;
                slots = rest;
            }
            Ok(())
        }
        Kind::List | Kind::Bytes => {
            let item = Items::of(table, node)?;
            let mut slots = slots;
            for index in 0..node.extra {
                let (own, rest) = slots
                    .split_at_mut_checked(item.flats as usize)
                    .ok_or(Fault)?;
                match (&item.node, own.first_mut()) {
                    (Some(node), _) => spread(table, node, memory, item.at(at, index)?, own)?,
                    (None, Some(slot)) => *slot = memory.load(item.at(at, index)?, 1)?,
                    (None, None) => return Err(Fault),
                }
                slots = rest;
            }
            Ok(())
        }
        Kind::Variant | Kind::Option | Kind::Result => {
            let tag = memory.load(at, node.extra)?;
            let (first, rest) = slots.split_first_mut().ok_or(Fault)?;
            *first = tag;
            rest.fill(0);
            let case = table.member(node, tag as u32)?;
            match table.payload(&case)? {
                Some(payload) => spread(table, &payload, memory, plus(at, case.offset)?, rest),
                None => Ok(()),
            }
        }
        // The flat value is the integer as 32 bits, with its sign.
        Kind::S8 => one(slots, memory.load(at, 1)? as i8 as i32 as u32 as u64),
        Kind::S16 => one(slots, memory.load(at, 2)? as i16 as i32 as u32 as u64),
        _ => one(slots, memory.load(at, node.size)?),
    }
}

fn one(slots: &mut [u64], value: u64) -> Result<(), Fault> {
    *slots.first_mut().ok_or(Fault)? = value;
    Ok(())
}

/// The items of a list; a list of bytes has no node for them.
struct Items {
    node: Option<Node>,
    size: u32,
    flats: u32,
}

impl Items {
    fn of(table: Table<'_>, list: &Node) -> Result<Self, Fault> {
        if list.kind == Kind::Bytes {
            return Ok(Self {
                node: None,
                size: 1,
                flats: 1,
            });
        }
        let node = table.of(&table.member(list, 0)?)?;
        Ok(Self {
            node: Some(node),
            size: node.size,
            flats: node.flats,
        })
    }

    fn at(&self, list: u32, index: u32) -> Result<u32, Fault> {
        plus(list, index.checked_mul(self.size).ok_or(Fault)?)
    }
}

/// An address behind another.
pub(crate) fn plus(at: u32, offset: u32) -> Result<u32, Fault> {
    at.checked_add(offset).ok_or(Fault)
}
