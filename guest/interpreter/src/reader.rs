//! Reads JSON text (RFC 8259), one token after another: whoever reads knows what must come.

use alloc::format;
use alloc::vec::Vec;

use crate::misfit::Misfit;
use crate::number::Number;
use crate::writer::plain_prefix;

/// Where a text has been read to.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
    Nothing,
}

impl Token {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Token::Null => "null",
            Token::Bool => "a boolean",
            Token::Number => "a number",
            Token::Text => "a string",
            Token::Array => "an array",
            Token::Object => "an object",
            Token::Nothing => "no JSON",
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The kind of the next token, by its first byte.
    pub(crate) fn token(&mut self) -> Token {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        match self.peek() {
            Some(b'n') => Token::Null,
            Some(b't' | b'f') => Token::Bool,
            Some(b'-' | b'0'..=b'9') => Token::Number,
            Some(b'"') => Token::Text,
            Some(b'[') => Token::Array,
            Some(b'{') => Token::Object,
            _ => Token::Nothing,
        }
    }

    /// Goes past this byte if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        self.token();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Whether there is another item or member before the closing bracket, which is gone past.
    pub(crate) fn more(&mut self, close: u8, is_first: bool) -> Result<bool, Misfit> {
        if self.take(close) {
            return Ok(false);
        }
        if is_first || self.take(b',') {
            return Ok(true);
        }
        Err(self.broken("expected a comma or the end"))
    }

    /// Goes past a literal.
    pub(crate) fn word(&mut self, word: &str) -> Result<(), Misfit> {
        self.token();
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.broken("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    pub(crate) fn bool(&mut self) -> Result<bool, Misfit> {
        self.token();
        let value = self.peek() == Some(b't');
        self.word(if value { "true" } else { "false" })?;
        Ok(value)
    }

    /// The name of a member and its colon.
    pub(crate) fn key(&mut self) -> Result<Text<'a>, Misfit> {
        let key = self.text()?;
        if !self.take(b':') {
            return Err(self.broken("expected `:`"));
        }
        Ok(key)
    }

    /// Nothing but blanks may follow.
    pub(crate) fn end(&mut self) -> Result<(), Misfit> {
        match (self.token(), self.rest()) {
            (Token::Nothing, []) => Ok(()),
            _ => Err(self.broken("something follows the value")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<Text<'a>, Misfit> {
        if self.token() != Token::Text {
            return Err(self.broken("expected a string"));
        }
        self.at += 1;
        let start = self.at;
        let mut len = 0;
        loop {
            let plain = plain_prefix(self.rest());
            self.at += plain;
            len += plain;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let escape =
                        escape(self.rest()).ok_or_else(|| self.broken("an unknown escape"))?;
                    self.at += escape.len;
                    len += escape.character.len_utf8();
                }
                Some(_) => return Err(self.broken("a control character in a string")),
                None => return Err(self.broken("a string without an end")),
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Text { raw, len })
    }

    pub(crate) fn number(&mut self) -> Result<Number<'a>, Misfit> {
        self.token();
        let start = self.at;
        let mut plain = true;
        self.at += usize::from(self.peek() == Some(b'-'));
        let leading_zero = self.peek() == Some(b'0');
        let digits = self.digits();
        let mut good = digits > 0 && !(leading_zero && digits > 1);
        if self.peek() == Some(b'.') {
            plain = false;
            self.at += 1;
            good &= self.digits() > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            plain = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            good &= self.digits() > 0;
        }
        if !good {
            return Err(self.broken("a number that is not one"));
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(Number { text, plain })
    }

    /// Goes past a value of any kind. Only that its brackets match is looked at: it is read later.
    pub(crate) fn skip(&mut self) -> Result<(), Misfit> {
        let mut depth = 0_usize;
        loop {
            match self.token() {
                Token::Text => drop(self.text()?),
                Token::Number => drop(self.number()?),
                Token::Null => self.word("null")?,
                Token::Bool => drop(self.bool()?),
                Token::Array | Token::Object => {
                    self.at += 1;
                    depth += 1;
                    continue;
                }
                Token::Nothing => match self.peek() {
                    Some(b']' | b'}') if depth > 0 => {
                        self.at += 1;
                        depth -= 1;
                    }
                    Some(b',' | b':') if depth > 0 => {
                        self.at += 1;
                        continue;
                    }
                    _ => return Err(self.broken("expected a value")),
                },
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// How far it has read, in bytes.
    pub(crate) fn place(&self) -> usize {
        self.at
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn broken(&self, what: &str) -> Misfit {
        Misfit::new(format!("not JSON: {what} (byte {})", self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// A string, in the form in which it is written.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) raw: &'a [u8],
    /// How long it is in UTF-8.
    pub(crate) len: usize,
}

impl Text<'_> {
    /// Writes it to a place of exactly its length.
    pub(crate) fn decode(&self, mut to: &mut [u8]) {
        let mut rest = self.raw;
        if self.is_plain() {
            to.copy_from_slice(rest);
            return;
        }
        while !rest.is_empty() {
            let plain = rest
                .iter()
                .position(|byte| *byte == b'\\')
                .unwrap_or(rest.len());
            let (copied, behind) = rest.split_at_checked(plain).unwrap_or_default();
            let (room, left) = to.split_at_mut_checked(plain).unwrap_or_default();
            room.copy_from_slice(copied);
            to = left;
            rest = behind;
            if let Some(escape) = escape(rest) {
                let bytes = escape.character.len_utf8();
                let (room, left) = to.split_at_mut_checked(bytes).unwrap_or_default();
                escape.character.encode_utf8(room);
                to = left;
                rest = rest.get(escape.len..).unwrap_or_default();
            }
        }
    }

    pub(crate) fn to_vec(self) -> Vec<u8> {
        let mut bytes = alloc::vec![0; self.len];
        self.decode(&mut bytes);
        bytes
    }

    pub(crate) fn is(self, name: &[u8]) -> bool {
        if self.is_plain() {
            return self.raw == name;
        }
        self.len == name.len() && self.to_vec() == name
    }

    /// Whether it has no escapes.
    pub(crate) fn is_plain(&self) -> bool {
        self.raw.len() == self.len
    }
}

/// What an escape stands for, and how long it is.
struct Escape {
    character: char,
    len: usize,
}

fn escape(text: &[u8]) -> Option<Escape> {
    let character = match text.get(1)? {
        known @ (b'"' | b'\\' | b'/') => char::from(*known),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(text),
        _ => return None,
    };
    Some(Escape { character, len: 2 })
}

/// A lone surrogate is no character.
fn unicode(text: &[u8]) -> Option<Escape> {
    let first = hex(text.get(2..6)?)?;
    if !(0xd800..0xdc00).contains(&first) {
        let character = char::from_u32(first)?;
        return Some(Escape { character, len: 6 });
    }
    let second = hex(text.get(6..12)?.strip_prefix(b"\\u")?)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let character = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
    Some(Escape { character, len: 12 })
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| {
        Some(value * 16 + char::from(*digit).to_digit(16)?)
    })
}
