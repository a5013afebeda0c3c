//! Reads a table of types.

use crate::layout::{FUNCTION, Kind, MEMBER, NODE, NONE, VERSION};
use crate::memory::Fault;

/// The types of a component's functions, in the form of [`layout`](crate::layout).
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(&'a [u8]);

/// A function.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    /// Its name as a tool.
    pub name: &'a [u8],
    /// Its parameters, a record.
    pub parameters: Node,
    /// Its result.
    pub result: Option<Node>,
    /// What its denial looks like, where it has one.
    pub denial: &'a [u8],
}

/// A type.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// Its kind.
    pub kind: Kind,
    /// Its size in memory, in bytes.
    pub size: u32,
    /// Its alignment in memory, in bytes.
    pub align: u32,
    /// As how many flat values it is passed.
    pub flats: u32,
    /// See [`layout`](crate::layout).
    pub extra: u32,
    /// How many members it has.
    pub count: u32,
    members: u32,
}

/// A field, an element, a case or a flag.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its name in JSON, where it has one.
    pub name: &'a [u8],
    /// Where it is in memory, from the beginning of its type.
    pub offset: u32,
    node: u32,
}

impl<'a> Table<'a> {
    /// A table.
    ///
    /// # Errors
    /// It is of another version.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let table = Self(bytes);
        match table.word(0)? {
            VERSION => Ok(table),
            _ => Err(Fault),
        }
    }

    /// The function there.
    ///
    /// # Errors
    /// There is none.
    pub fn function(self, at: u32) -> Result<Function<'a>, Fault> {
        let [name, name_len, parameters, result, denial, denial_len] =
            self.words::<{ FUNCTION as usize }>(at)?;
        Ok(Function {
            name: self.bytes(name, name_len)?,
            parameters: self.node(parameters)?,
            result: self.optional(result)?,
            denial: self.bytes(denial, denial_len)?,
        })
    }

    /// The member of that index.
    ///
    /// # Errors
    /// There is none.
    pub fn member(self, node: &Node, index: u32) -> Result<Member<'a>, Fault> {
        if index >= node.count {
            return Err(Fault);
        }
        let at = index.checked_mul(MEMBER * 4).ok_or(Fault)?;
        let at = node.members.checked_add(at).ok_or(Fault)?;
        let [name, name_len, node, offset] = self.words::<{ MEMBER as usize }>(at)?;
        Ok(Member {
            name: self.bytes(name, name_len)?,
            offset,
            node,
        })
    }

    /// The type of a member that has one.
    ///
    /// # Errors
    /// It has none.
    pub fn of(self, member: &Member<'_>) -> Result<Node, Fault> {
        self.payload(member)?.ok_or(Fault)
    }

    /// The type of a member, if it has one.
    ///
    /// # Errors
    /// The table is not a table.
    pub fn payload(self, member: &Member<'_>) -> Result<Option<Node>, Fault> {
        self.optional(member.node)
    }

    fn optional(self, at: u32) -> Result<Option<Node>, Fault> {
        match at {
            NONE => Ok(None),
            at => self.node(at).map(Some),
        }
    }

    fn node(self, at: u32) -> Result<Node, Fault> {
        let [kind, size, align, flats, extra, count] = self.words::<{ NODE as usize }>(at)?;
        Ok(Node {
            kind: Kind::of(kind).ok_or(Fault)?,
            size,
            align,
            flats,
            extra,
            count,
            members: at.checked_add(NODE * 4).ok_or(Fault)?,
        })
    }

    fn words<const N: usize>(self, at: u32) -> Result<[u32; N], Fault> {
        let bytes = self.bytes(at, N as u32 * 4)?;
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Ok(words)
    }

    fn word(self, at: u32) -> Result<u32, Fault> {
        self.words::<1>(at).map(|[word]| word)
    }

    fn bytes(self, at: u32, len: u32) -> Result<&'a [u8], Fault> {
        let rest = self.0.get(at as usize..).ok_or(Fault)?;
        rest.get(..len as usize).ok_or(Fault)
    }
}
