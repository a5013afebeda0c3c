//! A credential that never shows in a log and is compared in constant time.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A bearer credential. `Debug` redacts it, and there is no way to print it.
#[derive(Clone)]
pub struct Secret {
    /// Only the digest is kept: it makes lengths equal, and a memory dump holds no credential.
    digest: [u8; 32],
    blank: bool,
}

impl Secret {
    /// Takes a credential as it was configured; white space around it is dropped.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        Self {
            digest: Sha256::digest(text.as_bytes()).into(),
            blank: text.is_empty(),
        }
    }

    /// Whether the credential has no characters, so that it would protect nothing.
    pub fn is_blank(&self) -> bool {
        self.blank
    }

    /// Whether `offered` is this credential. A blank one is never matched.
    pub fn matches(&self, offered: &[u8]) -> bool {
        let offered: [u8; 32] = Sha256::digest(offered).into();
        !self.blank && bool::from(self.digest.ct_eq(&offered))
    }

    /// Whether two credentials are the same one.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        bool::from(self.digest.ct_eq(&other.digest))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn only_the_same_text_matches_and_a_blank_one_never_does() {
        let key = Secret::new(" k-1 ");
        assert!(key.matches(b"k-1"));
        assert!(!key.matches(b"k-2"));
        assert!(!key.matches(b""));
        assert!(!Secret::new("").matches(b""));
        assert_eq!(format!("{key:?}"), "Secret(…)");
    }
}
