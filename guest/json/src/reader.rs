//! The strict reader of JSON text: the grammar of RFC 8259, and the limits of the I-JSON profile in
//! the same pass.
//!
//! It is our own, since what it refuses is what keeps two readers of one text from seeing two
//! things, and `serde_json` cannot be told most of it: it takes 2^64 for a double without a word, it
//! lets the last of two equal names win, and its depth is fixed. Tests hold it against `serde_json`.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Number, Value};

use crate::text::plain;
use crate::{JsonErrorKind, MAX_DEPTH, MAX_INTEGER};

/// Reads one text, once.
pub(crate) struct Reader<'a> {
    text: &'a str,
    pub(crate) at: usize,
    pub(crate) depth: usize,
    small_integers: bool,
}

impl<'a> Reader<'a> {
    /// A reader that refuses integers beyond [`MAX_INTEGER`], or takes them for doubles.
    pub(crate) fn new(text: &'a str, small_integers: bool) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            small_integers,
        }
    }

    /// How far it has read, in bytes: after an error, where that is.
    pub(crate) fn place(&self) -> usize {
        self.at
    }

    /// One value, with nothing but blanks around it.
    pub(crate) fn document(&mut self) -> Result<Value, JsonErrorKind> {
        let value = self.value()?;
        match self.next_token() {
            None => Ok(value),
            Some(_) => Err(JsonErrorKind::Syntax("something follows the value")),
        }
    }

    fn value(&mut self) -> Result<Value, JsonErrorKind> {
        match self.next_token() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(JsonErrorKind::Syntax("expected a value")),
        }
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Value, JsonErrorKind>,
    ) -> Result<Value, JsonErrorKind> {
        // INVARIANT: bounds the recursion, here and in whatever walks the value later.
        if self.depth == MAX_DEPTH {
            return Err(JsonErrorKind::TooDeep);
        }
        self.at += 1;
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, JsonErrorKind> {
        let mut members = Map::new();
        if self.skip(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            if self.next_token() != Some(b'"') {
                return Err(JsonErrorKind::Syntax("expected a name in quotes"));
            }
            let place = self.at;
            let name = self.string()?;
            let wrong = if name.contains('\0') {
                Some(JsonErrorKind::NulInName)
            } else if members.contains_key(&name) {
                Some(JsonErrorKind::DuplicateName(name.clone()))
            } else {
                None
            };
            if let Some(wrong) = wrong {
                self.at = place;
                return Err(wrong);
            }
            if !self.skip(b':') {
                return Err(JsonErrorKind::Syntax("expected `:`"));
            }
            let value = self.value()?;
            members.insert(name, value);
            if self.skip(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.skip(b',') {
                return Err(JsonErrorKind::Syntax("expected `,` or `}`"));
            }
        }
    }

    fn array(&mut self) -> Result<Value, JsonErrorKind> {
        let mut items = Vec::new();
        if self.skip(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            if self.skip(b']') {
                return Ok(Value::Array(items));
            }
            if !self.skip(b',') {
                return Err(JsonErrorKind::Syntax("expected `,` or `]`"));
            }
        }
    }

    /// A string, from its opening quote on.
    fn string(&mut self) -> Result<String, JsonErrorKind> {
        let mut string = String::new();
        self.at += 1;
        loop {
            let plain = self.plain();
            string.push_str(plain);
            self.at += plain.len();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escape()?);
                }
                Some(_) => return Err(JsonErrorKind::Syntax("a control character in a string")),
                None => return Err(JsonErrorKind::Syntax("a string without an end")),
            }
        }
    }

    /// What follows a backslash.
    pub(crate) fn escape(&mut self) -> Result<char, JsonErrorKind> {
        let character = match self.peek() {
            Some(known @ (b'"' | b'\\' | b'/')) => char::from(known),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(JsonErrorKind::Syntax("an unknown escape")),
        };
        self.at += 1;
        Ok(character)
    }

    fn unicode(&mut self) -> Result<char, JsonErrorKind> {
        const LONE: JsonErrorKind = JsonErrorKind::Syntax("a lone surrogate in a string");
        let first = self.hex()?;
        let code = match first {
            0xd800..=0xdbff => {
                if !self.rest().starts_with("\\u") {
                    return Err(LONE);
                }
                self.at += 2;
                let second = self.hex()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(LONE);
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        // Only a trailing surrogate without a leading one is left to fail.
        char::from_u32(code).ok_or(LONE)
    }

    fn hex(&mut self) -> Result<u32, JsonErrorKind> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let digit = digit.ok_or(JsonErrorKind::Syntax("expected four hex digits"))?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    pub(crate) fn number(&mut self) -> Result<Value, JsonErrorKind> {
        const NONE: JsonErrorKind = JsonErrorKind::Syntax("a number that is not one");
        let start = self.at;
        self.take(b'-');
        let leading_zero = self.peek() == Some(b'0');
        match self.digits() {
            0 => return Err(NONE),
            1 => {}
            _ if leading_zero => return Err(NONE),
            _ => {}
        }
        let mut is_integer = true;
        if self.take(b'.') {
            is_integer = false;
            if self.digits() == 0 {
                return Err(NONE);
            }
        }
        if self.take(b'e') || self.take(b'E') {
            is_integer = false;
            if !self.take(b'-') {
                self.take(b'+');
            }
            if self.digits() == 0 {
                return Err(NONE);
            }
        }
        let token = self.text.get(start..self.at).unwrap_or_default();
        let number = if is_integer && token != "-0" {
            self.integer(token)
        } else {
            double(token)
        };
        number.map(Value::Number).inspect_err(|_| self.at = start)
    }

    fn integer(&self, token: &str) -> Result<Number, JsonErrorKind> {
        match token.parse::<i64>() {
            Ok(integer) if integer.unsigned_abs() <= MAX_INTEGER.unsigned_abs() => {
                Ok(integer.into())
            }
            _ if self.small_integers => Err(JsonErrorKind::IntegerTooLarge),
            _ => double(token),
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    pub(crate) fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonErrorKind> {
        if !self.rest().starts_with(word) {
            return Err(JsonErrorKind::Syntax("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    /// The next byte that is not a blank, and goes there.
    pub(crate) fn next_token(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                token => return token,
            }
        }
    }

    /// Goes past this byte if it comes next, blanks or not.
    pub(crate) fn skip(&mut self, byte: u8) -> bool {
        self.next_token();
        self.take(byte)
    }

    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What comes next of a string, up to what is not written as it is.
    pub(crate) fn plain(&self) -> &'a str {
        let rest = self.rest();
        // It ends at an ASCII character, so this never cuts one.
        rest.get(..plain(rest)).unwrap_or_default()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// The double nearest to a number's text, which is in the grammar of RFC 8259.
fn double(token: &str) -> Result<Number, JsonErrorKind> {
    let (negative, token) = match token.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, token),
    };
    let (digits, scale) = token.split_once(['e', 'E']).unwrap_or((token, "0"));
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let double: f64 = minimal_lexical::parse_float(
        integer.trim_start_matches('0').as_bytes().iter(),
        fraction.trim_end_matches('0').as_bytes().iter(),
        exponent(scale),
    );
    let double = if negative { -double } else { double };
    Number::from_f64(double).ok_or(JsonErrorKind::NumberTooLarge)
}

/// An exponent, cut to what leaves no other double whatever the digits: a text within the limits has
/// fewer of them.
fn exponent(text: &str) -> i32 {
    const MOST: i32 = 1_000_000;
    match text.parse::<i32>() {
        Ok(exponent) => exponent.clamp(-MOST, MOST),
        Err(_) if text.starts_with('-') => -MOST,
        Err(_) => MOST,
    }
}
