//! Durations as an operator writes them.

use alloc::string::{String, ToString};
use core::time::Duration;

/// A duration that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a duration: write a whole number with ms, s, m or h, for instance 500ms, 5s or 2m"
)]
pub struct DurationError(String);

/// Reads a whole number followed by `ms`, `s`, `m` or `h`: `500ms`, `5s`, `2m`, `1h`. Zero is a
/// duration.
///
/// # Errors
/// Anything else, and what does not fit.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let trimmed = text.trim();
    let unit = trimmed.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = trimmed.strip_suffix(unit).unwrap_or_default();
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DurationError(text.to_string())),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(milliseconds))
        .map(Duration::from_millis)
        .ok_or_else(|| DurationError(text.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_with_a_unit_are_durations() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("5s", 5000),
            (" 2m ", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "+5s",
            "1.5s",
            "5 s",
            "5S",
            "5d",
            "99999999999999999999s",
            "18446744073709551615h",
            "5s5s",
            "٥s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
