//! JSON within the I-JSON profile (RFC 7493): written canonically (RFC 8785), digested; read strictly
//! by [`parse`] and [`parse_canonical`].
//!
//! Two readers of one text must not see two things. So what parsers are known to read differently is
//! refused: names that come twice, integers that a double cannot hold, lone surrogates, excess.
//!
//! The canonical writer is our own: `serde_json_canonicalizer` needs `std`, and it boxes a writer
//! for each fragment and parses each name again to sort it, on the path of every call. Numbers are
//! `ryu-js`'s, which that crate uses as well.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod body;
mod reader;
mod seen_through;
mod text;

use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

use crate::reader::Reader;
pub use crate::text::quote;

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// The deepest nesting that is read: an object or array in 31 others.
pub const MAX_DEPTH: usize = 32;

/// 2^53 − 1, the largest integer up to which a double holds every one.
pub const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// What keeps a text from being JSON within the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// The text is longer than [`MAX_BYTES`].
    TooLong,
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// An object has a name twice, perhaps with different escapes.
    DuplicateName(String),
    /// A name contains U+0000.
    NulInName,
    /// An integer beyond ±[`MAX_INTEGER`], written without fraction or exponent.
    IntegerTooLarge,
    /// The text is JSON, but not in its canonical form.
    NotCanonical,
    /// A number beyond what a double can hold.
    NumberTooLarge,
    /// The text is not UTF-8.
    NotUtf8,
    /// The text is not JSON: what was expected.
    Syntax(&'static str),
}

impl fmt::Display for JsonErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "longer than {MAX_BYTES} bytes"),
            Self::TooDeep => write!(f, "nested deeper than {MAX_DEPTH} levels"),
            Self::DuplicateName(name) => write!(f, "the name `{}` comes twice", quote(name)),
            Self::NulInName => f.write_str("a name contains the character U+0000"),
            Self::IntegerTooLarge => {
                f.write_str(
                    "an integer beyond ±9007199254740991; give it as text, or with an exponent for a float",
                )
            }
            Self::NotCanonical => f.write_str("not in canonical form (RFC 8785)"),
            Self::NumberTooLarge => f.write_str("a number beyond what a double can hold"),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::Syntax(message) => f.write_str(message),
        }
    }
}

/// A text that is not JSON within the profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (line {line}, column {column})")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// In which line, from 1.
    pub line: usize,
    /// In which column, from 1, in bytes.
    pub column: usize,
}

impl JsonError {
    /// A fault after so much of the text.
    fn after(kind: JsonErrorKind, before: &[u8]) -> Self {
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let column = 1 + before
            .iter()
            .rev()
            .take_while(|&&byte| byte != b'\n')
            .count();
        Self { kind, line, column }
    }
}

/// Reads one JSON value within the I-JSON profile, and nothing after it.
///
/// # Errors
/// Whatever [`JsonErrorKind`] names, with its place.
pub fn parse(text: impl AsRef<[u8]>) -> Result<Value, JsonError> {
    read(text.as_ref(), true)
}

/// Whether a text is one that [`parse`] takes, and the [type](type_name) of its value. Costs a fraction
/// of reading it where the names of each object ascend, as in canonical form.
///
/// # Errors
/// As [`parse`].
pub fn check(text: &str) -> Result<&'static str, JsonError> {
    if text.len() <= MAX_BYTES
        && let Some(kind) = Reader::new(text, true).seen_through()
    {
        return Ok(kind);
    }
    parse(text).map(|value| type_name(&value))
}

/// Reads a text that must be in canonical form already, as [`canonical`] writes it: the arguments
/// that a governor hands to `call-tool`, for instance.
///
/// The one difference to [`parse`] is that canonical form writes a double such as `1e20` as an
/// integer, and that here such an integer is welcome. Nothing is lost by that: a text that is its own
/// canonical form holds no digit that the double does not.
///
/// # Errors
/// Whatever [`JsonErrorKind`] names, with its place.
pub fn parse_canonical(text: &str) -> Result<Value, JsonError> {
    let value = read(text.as_bytes(), false)?;
    let written = canonical(&value);
    if written == text {
        return Ok(value);
    }
    let same = written
        .bytes()
        .zip(text.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let before = text.as_bytes().get(..same).unwrap_or_default();
    Err(JsonError::after(JsonErrorKind::NotCanonical, before))
}

fn read(text: &[u8], small_integers: bool) -> Result<Value, JsonError> {
    let fail = |kind, at| JsonError::after(kind, text.get(..at).unwrap_or_default());
    if text.len() > MAX_BYTES {
        return Err(fail(JsonErrorKind::TooLong, 0));
    }
    let text = core::str::from_utf8(text)
        .map_err(|error| fail(JsonErrorKind::NotUtf8, error.valid_up_to()))?;
    let mut reader = Reader::new(text, small_integers);
    let value = reader.document();
    value.map_err(|kind| fail(kind, reader.place()))
}

/// The canonical form of a value (RFC 8785): the same text for equal values, whoever wrote them.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut out = Out::default();
    write_value(&mut out, value);
    out.into_text()
}

/// A text in the making. As bytes, since most of what is added is one quotation mark or comma.
#[derive(Default)]
pub(crate) struct Out(Vec<u8>);

impl Out {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn byte(&mut self, ascii: u8) {
        self.0.push(ascii);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// The text: whole texts and ASCII are UTF-8.
    pub(crate) fn into_text(self) -> String {
        String::from_utf8(self.0).unwrap_or_default()
    }
}

pub(crate) fn write_value(out: &mut Out, value: &Value) {
    match value {
        Value::Null => out.text("null"),
        Value::Bool(true) => out.text("true"),
        Value::Bool(false) => out.text("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.byte(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.byte(b',');
                }
                write_value(out, item);
            }
            out.byte(b']');
        }
        Value::Object(members) => write_object(out, members),
    }
}

pub(crate) fn write_object(out: &mut Out, members: &Map<String, Value>) {
    out.byte(b'{');
    for (index, (name, value)) in in_order(members).into_iter().enumerate() {
        if index > 0 {
            out.byte(b',');
        }
        write_string(out, name);
        out.byte(b':');
        write_value(out, value);
    }
    out.byte(b'}');
}

/// The members as RFC 8785 sorts them: by the UTF-16 code units of their names.
fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    // The map may be ordered by bytes already, which is the same but beyond the basic plane.
    if members.keys().all(|name| name.is_ascii()) && members.keys().is_sorted() {
        return members.iter().collect();
    }
    struct Member<'a>(&'a String, &'a Value);
    impl Ord for Member<'_> {
        fn cmp(&self, other: &Self) -> Ordering {
            self.0.encode_utf16().cmp(other.0.encode_utf16())
        }
    }
    impl PartialOrd for Member<'_> {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }
    impl PartialEq for Member<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other).is_eq()
        }
    }
    impl Eq for Member<'_> {}

    // A heap and not a sort, since the library's sorts are a good part of the governor's size.
    let heap: BinaryHeap<_> = members
        .iter()
        .map(|(name, value)| Member(name, value))
        .collect();
    let sorted = heap.into_sorted_vec().into_iter();
    sorted.map(|Member(name, value)| (name, value)).collect()
}

fn write_number(out: &mut Out, number: &Number) {
    match number.as_i64() {
        Some(integer) if integer.unsigned_abs() <= MAX_INTEGER.unsigned_abs() => {
            out.text(&integer.to_string());
        }
        // A number that was parsed has a double; anything else is written as the nearest one.
        _ => {
            let double = number.as_f64().unwrap_or_default();
            out.text(ryu_js::Buffer::new().format(double));
        }
    }
}

pub(crate) fn write_string(out: &mut Out, text: &str) {
    out.byte(b'"');
    let mut rest = text;
    // Nearly all of a text goes out as it is, in one piece.
    loop {
        // An ASCII character is there, or the end, so nothing is cut.
        let (plain, escaped) = rest.split_at_checked(text::plain(rest)).unwrap_or_default();
        out.text(plain);
        let mut characters = escaped.chars();
        match characters.next() {
            Some('\u{8}') => out.text("\\b"),
            Some('\t') => out.text("\\t"),
            Some('\n') => out.text("\\n"),
            Some('\u{c}') => out.text("\\f"),
            Some('\r') => out.text("\\r"),
            Some(control @ '\0'..='\u{1f}') => {
                out.text(&format!("\\u{:04x}", u32::from(control)));
            }
            // Only these two are left, since everything else is plain.
            Some('"') => out.text("\\\""),
            Some(_) => out.text("\\\\"),
            None => break,
        }
        rest = characters.as_str();
    }
    out.byte(b'"');
}

/// SHA-256 of a text, in lower-case hex.
#[must_use]
pub fn digest(text: &str) -> String {
    digest_bytes(text.as_bytes())
}

/// SHA-256 of any bytes, in lower-case hex.
#[must_use]
pub fn digest_bytes(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    let digest = Sha256::digest(bytes);
    let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}

/// The JSON type of a text that is JSON: `object`, `array`, `string`, `number`, `boolean` or `null`.
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
