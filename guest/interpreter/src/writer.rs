//! Writes JSON text, up to a limit.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::number::SAFE;

/// The text would be longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excess;

pub(crate) struct Writer {
    text: Vec<u8>,
    max: usize,
}

impl Writer {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            text: Vec::new(),
            max,
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.text
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        if bytes.len() > self.max - self.text.len() {
            return Err(Excess);
        }
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    /// A string, in quotes.
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), Excess> {
        self.raw(b"\"")?;
        self.escaped(text)?;
        self.raw(b"\"")
    }

    /// What is between the quotes of a string.
    pub(crate) fn escaped(&mut self, text: &[u8]) -> Result<(), Excess> {
        // Escapes only make it longer: what cannot fit is not even begun.
        if text.len() > self.max - self.text.len() {
            return Err(Excess);
        }
        let mut rest = text;
        loop {
            let plain = plain_prefix(rest);
            let (copied, behind) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
            self.raw(copied)?;
            let Some((byte, behind)) = behind.split_first() else {
                return Ok(());
            };
            match byte {
                b'"' => self.raw(b"\\\"")?,
                b'\\' => self.raw(b"\\\\")?,
                b'\n' => self.raw(b"\\n")?,
                b'\r' => self.raw(b"\\r")?,
                b'\t' => self.raw(b"\\t")?,
                0x08 => self.raw(b"\\b")?,
                0x0c => self.raw(b"\\f")?,
                control => {
                    let digit =
                        |value: u8| *b"0123456789abcdef".get(value as usize).unwrap_or(&b'0');
                    self.raw(&[
                        b'\\',
                        b'u',
                        b'0',
                        b'0',
                        digit(control >> 4),
                        digit(control & 15),
                    ])?;
                }
            }
            rest = behind;
        }
    }

    /// The key of a member, which needs no escapes, and its colon.
    pub(crate) fn key(&mut self, name: &[u8]) -> Result<(), Excess> {
        self.raw(b"\"")?;
        self.raw(name)?;
        self.raw(b"\":")
    }

    /// An integer: as text where a double does not hold every one.
    pub(crate) fn integer(&mut self, negative: bool, magnitude: u64) -> Result<(), Excess> {
        let mut digits = [0_u8; 20];
        let mut left = magnitude;
        let mut count = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
            count += 1;
            if left == 0 {
                break;
            }
        }
        let digits = digits.get(digits.len() - count..).unwrap_or_default();
        let quote: &[u8] = if magnitude > SAFE { b"\"" } else { b"" };
        self.raw(quote)?;
        self.raw(if negative { b"-" } else { b"" })?;
        self.raw(digits)?;
        self.raw(quote)
    }

    pub(crate) fn double(&mut self, value: f64) -> Result<(), Excess> {
        self.float(value, value.is_nan(), value.is_infinite(), value < 0.0)
    }

    /// In its shortest form: 0.1, and not 0.10000000149011612.
    pub(crate) fn single(&mut self, value: f32) -> Result<(), Excess> {
        self.float(value, value.is_nan(), value.is_infinite(), value < 0.0)
    }

    fn float(
        &mut self,
        value: impl fmt::Debug,
        nan: bool,
        infinite: bool,
        negative: bool,
    ) -> Result<(), Excess> {
        match (nan, infinite, negative) {
            (true, ..) => self.raw(b"\"NaN\""),
            (_, true, false) => self.raw(b"\"Infinity\""),
            (_, true, true) => self.raw(b"\"-Infinity\""),
            // The shortest digits, with an exponent where there would be many zeros.
            _ => write!(self, "{value:?}").map_err(|_| Excess),
        }
    }

    /// Bytes as base64 text.
    pub(crate) fn base64(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        let len = bytes.len().div_ceil(3).saturating_mul(4);
        let start = self.text.len() + 1;
        if len.saturating_add(2) > self.max - self.text.len() {
            return Err(Excess);
        }
        self.raw(b"\"")?;
        self.text.resize(start + len, 0);
        let room = self.text.get_mut(start..).unwrap_or_default();
        STANDARD.encode_slice(bytes, room).map_err(|_| Excess)?;
        self.raw(b"\"")
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.raw(text.as_bytes()).map_err(|Excess| fmt::Error)
    }
}

/// How many bytes come before the first quote, backslash or control character: eight at a time.
pub(crate) fn plain_prefix(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (words, _) = text.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        // A byte is zero after the exclusive or where it is that character; the high bit of a byte is
        // set where it was below what is subtracted. Borrows only ever come from a byte that is found.
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let found = (word.wrapping_sub(ONES * 0x20) & !word)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        if found & HIGH != 0 {
            break;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at + rest.iter().position(special).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn written(write: impl FnOnce(&mut Writer) -> Result<(), Excess>) -> String {
        let mut writer = Writer::new(10_000);
        write(&mut writer).unwrap();
        String::from_utf8(writer.finish()).unwrap()
    }

    #[test]
    fn the_first_special_byte_is_found_wherever_it_is() {
        for special in [b'"', b'\\', 0, b'\n', 0x1f] {
            for len in 0..40 {
                for at in 0..len {
                    let mut text = alloc::vec![0x80_u8; len];
                    text[at] = special;
                    assert_eq!(plain_prefix(&text), at, "{special} of {len}");
                }
            }
        }
        let all: Vec<u8> = (0x20..=0xff).filter(|b| !b"\"\\".contains(b)).collect();
        assert_eq!(plain_prefix(&all), all.len());
    }

    #[test]
    fn text_is_escaped() {
        let text = written(|w| w.text("a\"b\\c\nd\u{1}é\u{1f600}\u{7f}".as_bytes()));
        assert_eq!(text, "\"a\\\"b\\\\c\\nd\\u0001é\u{1f600}\u{7f}\"");
    }

    #[test]
    fn integers_beyond_what_a_double_holds_are_text() {
        assert_eq!(written(|w| w.integer(false, 0)), "0");
        assert_eq!(written(|w| w.integer(true, SAFE)), "-9007199254740991");
        assert_eq!(
            written(|w| w.integer(false, SAFE + 1)),
            "\"9007199254740992\""
        );
        assert_eq!(
            written(|w| w.integer(false, u64::MAX)),
            "\"18446744073709551615\""
        );
    }

    #[test]
    fn floats_have_their_shortest_form() {
        assert_eq!(written(|w| w.single(0.1)), "0.1");
        assert_eq!(written(|w| w.double(1e300)), "1e300");
        assert_eq!(written(|w| w.double(-0.0)), "-0.0");
        assert_eq!(
            written(|w| w.double(9007199254740993.0)),
            "9007199254740992.0"
        );
        assert_eq!(written(|w| w.double(f64::NEG_INFINITY)), "\"-Infinity\"");
    }

    #[test]
    fn nothing_is_longer_than_it_may_be() {
        let mut writer = Writer::new(6);
        assert_eq!(writer.text(b"12345"), Err(Excess));
        let mut writer = Writer::new(6);
        assert_eq!(writer.text(b"1234"), Ok(()));
        assert_eq!(writer.raw(b"x"), Err(Excess));
        assert_eq!(Writer::new(5).base64(b"abc"), Err(Excess));
        assert_eq!(Writer::new(6).base64(b"abc"), Ok(()));
    }
}
