//! Integers, as JSON's numbers and as decimal text.

use alloc::format;

use super::Result;
use super::error::out_of_range;
use crate::layout::Kind;
use crate::misfit::{Misfit, quoted, shown};
use crate::number::{NotWhole, Number, SAFE, is_canonical};
use crate::reader::Text;

/// The integer in the type's range.
pub(super) fn integer(number: Number<'_>, kind: Kind) -> Result<i64> {
    let value = number.whole().map_err(|why| match why {
        NotWhole::TooLarge => out_of_range(number.text, kind),
        NotWhole::Fraction => Misfit::new(format!(
            "{} is not a whole number for {}",
            shown(number.text),
            kind.name()
        )),
    })?;
    let (least, most) = match kind {
        Kind::U8 => (0, u8::MAX.into()),
        Kind::U16 => (0, u16::MAX.into()),
        Kind::U32 => (0, u32::MAX.into()),
        Kind::U64 => (0, i64::MAX),
        Kind::S8 => (i8::MIN.into(), i8::MAX.into()),
        Kind::S16 => (i16::MIN.into(), i16::MAX.into()),
        Kind::S32 => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN, i64::MAX),
    };
    if !(least..=most).contains(&value) {
        return Err(out_of_range(number.text, kind).into());
    }
    // Beyond 2^53 two integers share one JSON number, so the number does not say which.
    if value.unsigned_abs() > SAFE {
        let text = shown(number.text);
        let kind = kind.name();
        let message = format!("{text} is beyond 2^53-1; write the {kind} as decimal text");
        return Err(Misfit::new(message).into());
    }
    Ok(value)
}

/// The 64 bits of an integer in decimal text.
pub(super) fn decimal(text: Text<'_>, kind: Kind) -> Result<u64> {
    let text = text.to_vec();
    if !is_canonical(&text) {
        let message = format!("{} is not decimal text for {}", quoted(&text), kind.name());
        return Err(Misfit::new(message).into());
    }
    let value = match kind {
        Kind::U64 => shown(&text).parse().ok(),
        _ => shown(&text).parse().ok().map(|value: i64| value as u64),
    };
    value.ok_or_else(|| out_of_range(&text, kind).into())
}
