//! The binary form of a [`Table`](crate::Table): 32-bit words, little endian, and the names between
//! them. `thoth wrap` writes it, the adapter reads it.
//!
//! A table begins with [`VERSION`]. Everything else is found by its offset in bytes from there.
//!
//! * A *function*: name (offset, length), node of its parameters (a record), node of its result or
//!   [`NONE`], the template of its [denial](crate::denial) (offset, length; empty where it has none).
//! * A *node*: [`Kind`], size, alignment, number of flat values (at most [`MANY`]), `extra`, number of
//!   members, and the members.
//! * A *member*: name (offset, length), node or [`NONE`], offset in memory.
//!
//! | kind | `extra` | members |
//! |---|---|---|
//! | list | [`ANY`] or its fixed length | the element |
//! | bytes (`list<u8>`) | [`ANY`] or its fixed length | |
//! | record, tuple | | the fields, with their offsets |
//! | variant, option, result | size of the tag | the cases, with the offset of the payload |
//! | enum | size of the tag | the cases |
//! | flags | | the flags |

/// What a table of this layout begins with.
pub const VERSION: u32 = 0x7401;

/// No node.
pub const NONE: u32 = 0;

/// No fixed length.
pub const ANY: u32 = u32::MAX;

/// More flat values than parameters may have.
pub const MANY: u32 = 17;

/// Words of a function.
pub const FUNCTION: u32 = 6;
/// Words of a node before its members.
pub const NODE: u32 = 6;
/// Words of a member.
pub const MEMBER: u32 = 4;

/// The kinds of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[expect(missing_docs, reason = "they are WIT's types")]
pub enum Kind {
    Bool,
    U8,
    S8,
    U16,
    S16,
    U32,
    S32,
    U64,
    S64,
    F32,
    F64,
    Char,
    Text,
    Bytes,
    List,
    Record,
    Tuple,
    Variant,
    Enum,
    Flags,
    Option,
    Result,
}

impl Kind {
    /// The kind of that number.
    #[must_use]
    pub fn of(word: u32) -> Option<Kind> {
        const KINDS: [Kind; 22] = [
            Kind::Bool,
            Kind::U8,
            Kind::S8,
            Kind::U16,
            Kind::S16,
            Kind::U32,
            Kind::S32,
            Kind::U64,
            Kind::S64,
            Kind::F32,
            Kind::F64,
            Kind::Char,
            Kind::Text,
            Kind::Bytes,
            Kind::List,
            Kind::Record,
            Kind::Tuple,
            Kind::Variant,
            Kind::Enum,
            Kind::Flags,
            Kind::Option,
            Kind::Result,
        ];
        KINDS.get(word as usize).copied()
    }

    /// What an error calls the type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::U8 => "u8",
            Kind::S8 => "s8",
            Kind::U16 => "u16",
            Kind::S16 => "s16",
            Kind::U32 => "u32",
            Kind::S32 => "s32",
            Kind::U64 => "u64",
            Kind::S64 => "s64",
            Kind::F32 => "f32",
            Kind::F64 => "f64",
            Kind::Char => "char",
            Kind::Text => "string",
            Kind::Bytes => "list<u8>",
            Kind::List => "list",
            Kind::Record => "record",
            Kind::Tuple => "tuple",
            Kind::Variant => "variant",
            Kind::Enum => "enum",
            Kind::Flags => "flags",
            Kind::Option => "option",
            Kind::Result => "result",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_its_own_kind() {
        for word in 0..22 {
            assert_eq!(Kind::of(word).unwrap() as u32, word);
        }
        assert_eq!(Kind::of(22), None);
    }
}
