//! An API key that cannot be printed by accident.

use std::fmt;

use http::HeaderValue;
use thiserror::Error;

/// Longest key accepted, so that the head of a request stays small.
const MAX_KEY: usize = 4096;

/// An API key: visible ASCII, fit for a header, hidden from `Debug`; it has no `Display`.
///
/// Cloning shares the bytes. The header values are marked sensitive, so their `Debug` hides them
/// as well.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    plain: HeaderValue,
    bearer: HeaderValue,
}

impl Secret {
    /// Takes a key as it is; nothing is trimmed.
    ///
    /// # Errors
    ///
    /// [`SecretError`] if the key is empty, longer than 4096 bytes, or has anything but visible
    /// ASCII (a line break from a file is the usual case). The message never shows the key.
    pub fn new(key: &str) -> Result<Self, SecretError> {
        if key.is_empty() {
            return Err(SecretError::Empty);
        }
        if key.len() > MAX_KEY {
            return Err(SecretError::TooLong);
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::NotVisible);
        }
        let sensitive = |text: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_| SecretError::NotVisible)?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(Self {
            plain: sensitive(key)?,
            bearer: sensitive(&format!("Bearer {key}"))?,
        })
    }

    /// The key alone, as `X-Api-Key` wants it.
    pub fn header_value(&self) -> HeaderValue {
        self.plain.clone()
    }

    /// `Bearer` and the key, as `Authorization` wants it.
    pub fn bearer_value(&self) -> HeaderValue {
        self.bearer.clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a text is no API key. Never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    /// Nothing was given.
    #[error("the api key is empty; unset it or give the key")]
    Empty,
    /// Over 4096 bytes.
    #[error("the api key is longer than {MAX_KEY} bytes; check that it is a key and not a file")]
    TooLong,
    /// Spaces, line breaks, control or non-ASCII characters.
    #[error("the api key has spaces, line breaks or non-ASCII characters; remove them")]
    NotVisible,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_becomes_both_header_values() {
        let secret = Secret::new("k-1.~").unwrap();
        assert_eq!(secret.header_value(), "k-1.~");
        assert_eq!(secret.bearer_value(), "Bearer k-1.~");
    }

    #[test]
    fn a_key_is_never_shown() {
        let secret = Secret::new("hunter2").unwrap();
        let shown = format!(
            "{secret:?} {:?} {:?}",
            secret.header_value(),
            secret.bearer_value()
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn text_that_could_split_a_header_is_no_key() {
        for bad in ["k\r\nX: y", "k\n", " k", "k k", "k\0", "k\u{7f}", "clé"] {
            assert_eq!(Secret::new(bad), Err(SecretError::NotVisible), "{bad:?}");
        }
        assert_eq!(Secret::new(""), Err(SecretError::Empty));
        assert_eq!(
            Secret::new(&"k".repeat(MAX_KEY + 1)),
            Err(SecretError::TooLong)
        );
        assert!(Secret::new(&"k".repeat(MAX_KEY)).is_ok());
    }
}
