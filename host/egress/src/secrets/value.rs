//! A secret's value.

use std::fmt;

use zeroize::Zeroizing;

use super::SecretError;

/// Longest value, in bytes: what fits in a header.
pub(super) const MAX_VALUE: usize = 8 << 10;
/// Shortest value, in bytes: a shorter one would be found in harmless text.
const MIN_VALUE: usize = 8;

/// The value of a secret, hidden from `Debug` and overwritten when it is dropped.
pub(crate) struct Value(Zeroizing<Vec<u8>>);

impl Value {
    /// Takes what a source has given, without its last line ending.
    pub(crate) fn new(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, SecretError> {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        match bytes.len() {
            ..MIN_VALUE => Err(SecretError::TooShort),
            MIN_VALUE..=MAX_VALUE if bytes.iter().all(u8::is_ascii_graphic) => Ok(Self(bytes)),
            MIN_VALUE..=MAX_VALUE => Err(SecretError::NotVisible),
            _ => Err(SecretError::TooLong),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value, SecretError> {
        Value::new(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn one_line_ending_is_not_part_of_the_value() {
        for text in ["12345678", "12345678\n", "12345678\r\n"] {
            assert_eq!(value(text).unwrap().bytes(), b"12345678", "{text:?}");
        }
    }

    #[test]
    fn what_does_not_fit_a_header_or_could_not_be_masked_is_refused() {
        for short in ["", "\n", "1234567", "1234567\n"] {
            assert!(
                matches!(value(short), Err(SecretError::TooShort)),
                "{short:?}"
            );
        }
        for odd in [
            "12345678\n\n",
            "1234 5678",
            "1234\r\n5678",
            "12345678\0",
            "clé-12345",
            "12345678\r",
        ] {
            assert!(
                matches!(value(odd), Err(SecretError::NotVisible)),
                "{odd:?}"
            );
        }
        assert!(value(&"k".repeat(MAX_VALUE)).is_ok());
        let long = value(&"k".repeat(MAX_VALUE + 1));
        assert!(matches!(long, Err(SecretError::TooLong)));
    }

    #[test]
    fn a_value_is_never_shown() {
        assert_eq!(format!("{:?}", value("hunter22").unwrap()), "Value(..)");
    }
}
