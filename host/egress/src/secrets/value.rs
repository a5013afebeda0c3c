//! A secret's value.

use std::fmt;

use zeroize::Zeroizing;

use crate::SecretError;

/// Longest value, in bytes: what fits in a header.
pub(super) const MAX_VALUE: usize = 8 << 10;
/// Shortest value, in bytes: a shorter one would be found in harmless text.
const MIN_VALUE: usize = 8;

/// The value of a secret, hidden from `Debug` and overwritten when it is dropped.
pub(crate) struct Value(Zeroizing<Vec<u8>>);

impl Value {
    /// Takes what a source has given, without its last line ending.
    pub(super) fn new(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, SecretError> {
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
