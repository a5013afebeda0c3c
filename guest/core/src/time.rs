//! Points in time and identifiers, as the wire writes them.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// A point in time by the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: u64,
    /// Nanoseconds within the second, below 1 000 000 000.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// RFC 3339 in UTC with `Z`: up to nine decimals, without trailing zeros.
    #[must_use]
    pub fn rfc3339(self) -> String {
        // Keeps the year at four digits, whatever a broken clock says.
        const LAST_SECOND_OF_9999: u64 = 253_402_300_799;
        let seconds = self.seconds.min(LAST_SECOND_OF_9999);
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        for (last, number, digits) in [
            (3, year, 4),
            (6, month, 2),
            (9, day, 2),
            (12, hour, 2),
            (15, minute, 2),
            (18, second, 2),
            (28, self.nanoseconds.min(999_999_999).into(), 9),
        ] {
            write_digits(text.get_mut(..=last).unwrap_or_default(), number, digits);
        }
        let (point, fraction) = (19, text.get(20..29).unwrap_or_default());
        let decimals = fraction.iter().rposition(|digit| *digit != b'0');
        let end = decimals.map_or(point, |last| point + 2 + last);
        if let Some(zone) = text.get_mut(end) {
            *zone = b'Z';
        }
        ascii(text.get(..=end).unwrap_or_default())
    }
}

/// Writes the last so many decimal digits of a number over the end of a text.
fn write_digits(text: &mut [u8], mut number: u64, digits: usize) {
    for place in text.iter_mut().rev().take(digits) {
        // Below ten.
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// A text that was put together from ASCII.
fn ascii(text: &[u8]) -> String {
    core::str::from_utf8(text).unwrap_or_default().to_owned()
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that a leap day is the last day of its year.
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// A version 4 UUID from random bytes.
#[must_use]
pub fn uuid_v4(random: [u8; 16]) -> String {
    let bits = u128::from_be_bytes(random);
    let bits = bits & !(0xf << 76) | (4 << 76);
    let bits = bits & !(0x3 << 62) | (2 << 62);
    let mut text = Vec::with_capacity(36);
    for (index, byte) in bits.to_be_bytes().iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        text.push(hex(byte >> 4));
        text.push(hex(byte & 0xf));
    }
    ascii(&text)
}

fn hex(digit: u8) -> u8 {
    digit + if digit < 10 { b'0' } else { b'a' - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, nanoseconds: u32) -> String {
        Timestamp {
            seconds,
            nanoseconds,
        }
        .rfc3339()
    }

    #[test]
    fn time_stamps_are_utc_without_trailing_zeros() {
        assert_eq!(at(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400, 0), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_767_323_045, 700_000_000), "2026-01-02T03:04:05.7Z");
        assert_eq!(
            at(1_767_323_045, 678_901_234),
            "2026-01-02T03:04:05.678901234Z"
        );
        assert_eq!(at(4_107_542_399, 1), "2100-02-28T23:59:59.000000001Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00Z");
        assert_eq!(at(1_735_689_599, 0), "2024-12-31T23:59:59Z");
    }

    #[test]
    fn a_broken_clock_still_gives_a_time_stamp() {
        assert_eq!(at(u64::MAX, u32::MAX), "9999-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn a_uuid_says_version_4_and_variant_1() {
        assert_eq!(uuid_v4([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid_v4([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let mixed = [
            0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96, 0xa5, 0xb4, 0xc3, 0xd2,
            0xe1, 0xf0,
        ];
        assert_eq!(uuid_v4(mixed), "0f1e2d3c-4b5a-4978-8796-a5b4c3d2e1f0");
    }
}
