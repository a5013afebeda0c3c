//! The eight WIT integers: ranges, and the two ways in which JSON writes them.

use serde_json::{Number, Value};
use wasmtime::component::Val;

use crate::misfit::{Misfit, Path, kind, quoted};

/// The largest magnitude up to which every integer is one JSON number (RFC 7493, section 2.2).
pub(crate) const SAFE: i128 = (1 << 53) - 1;

/// A WIT integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Integer {
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
}

impl Integer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Integer::U8 => "u8",
            Integer::U16 => "u16",
            Integer::U32 => "u32",
            Integer::U64 => "u64",
            Integer::S8 => "s8",
            Integer::S16 => "s16",
            Integer::S32 => "s32",
            Integer::S64 => "s64",
        }
    }

    /// The smallest and the largest value.
    pub(crate) fn range(self) -> (i128, i128) {
        match self {
            Integer::U8 => (0, u8::MAX.into()),
            Integer::U16 => (0, u16::MAX.into()),
            Integer::U32 => (0, u32::MAX.into()),
            Integer::U64 => (0, u64::MAX.into()),
            Integer::S8 => (i8::MIN.into(), i8::MAX.into()),
            Integer::S16 => (i16::MIN.into(), i16::MAX.into()),
            Integer::S32 => (i32::MIN.into(), i32::MAX.into()),
            Integer::S64 => (i64::MIN.into(), i64::MAX.into()),
        }
    }

    /// Whether values may need more than a JSON number can carry.
    pub(crate) fn is_wide(self) -> bool {
        matches!(self, Integer::U64 | Integer::S64)
    }

    pub(crate) fn lower(self, json: &Value, path: &Path<'_>) -> Result<Val, Misfit> {
        let name = self.name();
        let out_of_range = |shown: &dyn std::fmt::Display| {
            path.misfit(format!("{shown} is out of range for {name}"))
        };
        match json {
            Value::Number(number) => {
                let value = whole(number).ok_or_else(|| {
                    path.misfit(format!("{number} is not a whole number for {name}"))
                })?;
                let (least, most) = self.range();
                // Beyond 2^53 two integers share one JSON number, so the number does not say which.
                if self.is_wide() && (least..=most).contains(&value) && value.abs() > SAFE {
                    return Err(path.misfit(format!(
                        "{number} is beyond 2^53-1; write the {name} as decimal text"
                    )));
                }
                self.val(value).ok_or_else(|| out_of_range(number))
            }
            Value::String(text) if self.is_wide() => {
                if !is_canonical(text) {
                    return Err(
                        path.misfit(format!("{} is not decimal text for {name}", quoted(text)))
                    );
                }
                text.parse()
                    .ok()
                    .and_then(|value| self.val(value))
                    .ok_or_else(|| out_of_range(&quoted(text)))
            }
            other => Err(path.misfit(format!("expected {name}, got {}", kind(other)))),
        }
    }

    fn val(self, value: i128) -> Option<Val> {
        match self {
            Integer::U8 => value.try_into().ok().map(Val::U8),
            Integer::U16 => value.try_into().ok().map(Val::U16),
            Integer::U32 => value.try_into().ok().map(Val::U32),
            Integer::U64 => value.try_into().ok().map(Val::U64),
            Integer::S8 => value.try_into().ok().map(Val::S8),
            Integer::S16 => value.try_into().ok().map(Val::S16),
            Integer::S32 => value.try_into().ok().map(Val::S32),
            Integer::S64 => value.try_into().ok().map(Val::S64),
        }
    }

    /// The JSON of a value of this type; `None` if it is of another.
    pub(crate) fn lift(self, val: &Val) -> Option<Value> {
        Some(match (self, val) {
            (Integer::U8, Val::U8(v)) => Value::from(*v),
            (Integer::U16, Val::U16(v)) => Value::from(*v),
            (Integer::U32, Val::U32(v)) => Value::from(*v),
            (Integer::S8, Val::S8(v)) => Value::from(*v),
            (Integer::S16, Val::S16(v)) => Value::from(*v),
            (Integer::S32, Val::S32(v)) => Value::from(*v),
            (Integer::U64, Val::U64(v)) if i128::from(*v) <= SAFE => Value::from(*v),
            (Integer::U64, Val::U64(v)) => Value::from(v.to_string()),
            (Integer::S64, Val::S64(v)) if i128::from(*v).abs() <= SAFE => Value::from(*v),
            (Integer::S64, Val::S64(v)) => Value::from(v.to_string()),
            _ => return None,
        })
    }
}

/// The integer that a JSON number stands for, however it is written: RFC 8785 prints `1.0` as `1`
/// and `1e20` as `100000000000000000000`, so all spellings of one number must mean the same.
fn whole(number: &Number) -> Option<i128> {
    if let Some(value) = number.as_i64() {
        return Some(value.into());
    }
    if let Some(value) = number.as_u64() {
        return Some(value.into());
    }
    let value = number.as_f64()?;
    // A cast to an integer saturates, so a huge number stays out of every range.
    (value.is_finite() && value.fract() == 0.0).then_some(value as i128)
}

/// Whether text is a decimal integer in the one spelling that is accepted.
fn is_canonical(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=20).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    plain && (text == "0" || !digits.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_of_decimal_text_is_accepted() {
        for good in [
            "0",
            "1",
            "-1",
            "18446744073709551615",
            "-9223372036854775808",
        ] {
            assert!(is_canonical(good), "{good}");
        }
        for bad in [
            "", "-", "-0", "00", "01", "+1", "1.0", "1e3", " 1", "1 ", "0x1", "٣", "-01",
        ] {
            assert!(!is_canonical(bad), "{bad}");
        }
        assert!(!is_canonical(&"9".repeat(21)));
    }

    #[test]
    fn every_spelling_of_a_number_is_the_same_integer() {
        for text in ["100", "100.0", "1e2", "1E+2", "1000e-1"] {
            let number: Number = serde_json::from_str(text).unwrap();
            assert_eq!(whole(&number), Some(100), "{text}");
        }
        let zero: Number = serde_json::from_str("-0.0").unwrap();
        assert_eq!(whole(&zero), Some(0));
        let huge: Number = serde_json::from_str("1e300").unwrap();
        assert_eq!(whole(&huge), Some(i128::MAX));
    }
}
