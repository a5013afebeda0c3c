//! Ways to read bytes: as they are, or with escapes undone.

use std::ops::Range;

/// How the bytes are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Plain,
    /// `%2B` is `+` (RFC 3986, section 2.1).
    Percent,
    /// `\u002b`, `\/` and `\"` are `+`, `/` and `"` (RFC 8259, section 7).
    Json,
}

/// A byte as it is read, and where it is written.
pub(super) struct Symbol {
    pub(super) byte: u8,
    pub(super) range: Range<usize>,
}

impl Symbol {
    pub(super) fn is_base64(&self) -> bool {
        self.byte.is_ascii_alphanumeric() || b"+/-_".contains(&self.byte)
    }
}

impl View {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Percent, Self::Json];

    /// Whether these bytes may read otherwise than as they are; always for those as they are.
    pub(super) fn differs(self, bytes: &[u8]) -> bool {
        match self {
            Self::Plain => true,
            Self::Percent => bytes.contains(&b'%'),
            Self::Json => bytes.contains(&b'\\'),
        }
    }

    pub(super) fn symbols(self, bytes: &[u8]) -> impl Iterator<Item = Symbol> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = bytes.get(at..)?;
            let (byte, length) = self.first(rest)?;
            let range = at..at + length;
            at = range.end;
            Some(Symbol { byte, range })
        })
    }

    /// The first byte as it is read, and how many bytes it is written with.
    fn first(self, bytes: &[u8]) -> Option<(u8, usize)> {
        let plain = (*bytes.first()?, 1);
        let escaped = match (self, bytes) {
            (Self::Percent, [b'%', high, low, ..]) => hex(&[*high, *low]).map(|byte| (byte, 3)),
            (Self::Json, [b'\\', b'u', b'0', b'0', high, low, ..]) => {
                hex(&[*high, *low]).map(|byte| (byte, 6))
            }
            (Self::Json, [b'\\', byte @ (b'"' | b'\\' | b'/'), ..]) => Some((*byte, 2)),
            _ => None,
        };
        Some(escaped.unwrap_or(plain))
    }
}

fn hex(digits: &[u8; 2]) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let [high, low] = *digits;
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
