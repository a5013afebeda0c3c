//! Numbers in JSON: every spelling of one number means the same.

use crate::misfit::shown;

/// The largest magnitude up to which every integer is one JSON number (RFC 7493, section 2.2).
pub(crate) const SAFE: u64 = (1 << 53) - 1;

/// The largest `f32` as its shortest form writes it: as a double, a little beyond `f32::MAX`, to which
/// it rounds.
pub(crate) const FLOAT32_MAX: f64 = 3.4028235e38;

/// A number as it is written, in the grammar of RFC 8259.
#[derive(Clone, Copy)]
pub(crate) struct Number<'a> {
    pub(crate) text: &'a [u8],
    /// It has no fraction and no exponent.
    pub(crate) plain: bool,
}

/// What keeps a number from being an integer of 64 bits.
pub(crate) enum NotWhole {
    Fraction,
    TooLarge,
}

impl Number<'_> {
    /// The integer that it is: `1.0` and `1e2` are some.
    pub(crate) fn whole(self) -> Result<i64, NotWhole> {
        if self.plain {
            return shown(self.text).parse().map_err(|_| NotWhole::TooLarge);
        }
        let value = self.double().ok_or(NotWhole::TooLarge)?;
        // A double beyond this is whole, and no integer type takes it as a number.
        if !(-9.3e18..9.3e18).contains(&value) {
            return Err(NotWhole::TooLarge);
        }
        let whole = value as i64;
        if whole as f64 == value {
            Ok(whole)
        } else {
            Err(NotWhole::Fraction)
        }
    }

    /// The double nearest to it, where one is that is finite.
    pub(crate) fn double(self) -> Option<f64> {
        let value: f64 = shown(self.text).parse().ok()?;
        value.is_finite().then_some(value)
    }
}

/// Whether text is a decimal integer in the one spelling that is accepted.
pub(crate) fn is_canonical(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = (1..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    plain && (text == b"0" || !digits.starts_with(b"0"))
}
