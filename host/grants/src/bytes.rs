//! Sizes, with their unit.

use std::fmt;
use std::str::FromStr;

use crate::words::shown;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

const UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write a whole number of B, KiB, MiB or GiB, as in `256MiB`")]
pub struct BadSize(String);

impl FromStr for Bytes {
    type Err = BadSize;

    /// A whole number and a unit: `512B`, `64KiB`, `256MiB`, `1GiB`. `256MB` is refused, since it
    /// means one thing to some and another to others.
    fn from_str(text: &str) -> Result<Self, BadSize> {
        let bad = || BadSize(shown(text));
        let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = text.strip_suffix(unit).unwrap_or_default();
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(bad)?;
        digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))
            .map(Self)
            .ok_or_else(bad)
    }
}

impl fmt::Display for Bytes {
    /// In the largest unit that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |factor: &u64| self.0 != 0 && self.0.is_multiple_of(*factor);
        match UNITS.iter().find(|(_, factor)| whole(factor)) {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_that_is_clear() {
        for (text, bytes) in [
            ("0B", 0),
            ("512B", 512),
            ("64KiB", 64 << 10),
            ("256MiB", 256 << 20),
            ("1GiB", 1 << 30),
            ("1025KiB", 1025 << 10),
        ] {
            let size: Bytes = text.parse().expect(text);
            assert_eq!(size, Bytes(bytes));
            assert_eq!(size.to_string(), text);
        }
        for text in [
            "",
            "256",
            "256MB",
            "256MB?",
            "256M",
            "MiB",
            "-1MiB",
            "+1MiB",
            "1.5GiB",
            "1 GiB",
            "1mib",
            "99999999999GiB",
            "1MiB ",
            "١MiB",
        ] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}
