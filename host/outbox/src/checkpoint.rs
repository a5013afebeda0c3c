//! Checkpoints: the end of the chain at some time, signed, in a file of their own.
//!
//! Who removes records from the end of the log leaves a chain that is whole. A checkpoint says that
//! there was more. So a copy of it that the writer of the log cannot reach proves what was in the log
//! until then; the file beside the log is there to be copied away.

use std::fmt::Write as _;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::chain::{Hash, Head};

/// The end of a log's chain at some time, signed with ed25519 (RFC 8032).
///
/// What is signed is the text of five lines, each with its line feed: `thoth-log-checkpoint-v1`, the
/// log's id, the index, the hash and the milliseconds; ids and hashes in lower-case hex, numbers in
/// decimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The log's id, hex.
    pub log: String,
    /// The index of the last record.
    pub index: u64,
    /// Its hash, hex.
    pub hash: String,
    /// When it was signed, in milliseconds of the Unix epoch.
    pub at: u64,
    /// The public key, hex.
    pub key: String,
    /// The signature, hex.
    pub signature: String,
}

impl Checkpoint {
    pub(crate) fn sign(key: &Ed25519KeyPair, log: &[u8; 16], head: Head, at: u64) -> Self {
        let mut checkpoint = Self {
            log: hex(log),
            index: head.index,
            hash: head.hash.to_string(),
            at,
            key: hex(key.public_key().as_ref()),
            signature: String::new(),
        };
        let signature = key.sign(checkpoint.text().as_bytes());
        checkpoint.signature = hex(signature.as_ref());
        checkpoint
    }

    /// Reads one from its line.
    ///
    /// # Errors
    /// Why it is none, or was not signed by the key that it names.
    pub fn parse(line: &str) -> Result<Self, String> {
        let checkpoint: Self =
            serde_json::from_str(line).map_err(|error| format!("not a checkpoint: {error}"))?;
        let (Some(key), Some(signature)) = (
            unhex::<32>(&checkpoint.key),
            unhex::<64>(&checkpoint.signature),
        ) else {
            return Err(
                "not a checkpoint: its key or signature is not hex of the right length".into(),
            );
        };
        UnparsedPublicKey::new(&ED25519, key)
            .verify(checkpoint.text().as_bytes(), &signature)
            .map_err(|_| "its signature is not by the key that it names".to_owned())?;
        Ok(checkpoint)
    }

    /// The hash that it vouches for.
    pub(crate) fn hash(&self) -> Option<Hash> {
        unhex(&self.hash).map(Hash)
    }

    fn text(&self) -> String {
        let Self {
            log,
            index,
            hash,
            at,
            ..
        } = self;
        format!("thoth-log-checkpoint-v1\n{log}\n{index}\n{hash}\n{at}\n")
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The bytes of lower-case hex, if they are as many.
pub(crate) fn unhex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digit = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        Checkpoint::sign(&key, &[1; 16], Head::first(&[1; 16]), 5)
    }

    #[test]
    fn a_checkpoint_comes_back_from_its_line() {
        let line = serde_json::to_string(&checkpoint()).unwrap();
        assert_eq!(Checkpoint::parse(&line).unwrap(), checkpoint());
    }

    #[test]
    fn a_changed_checkpoint_is_refused() {
        let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
        let changes: [&dyn Fn(&mut Checkpoint); 7] = [
            &|checkpoint| checkpoint.log = "00".repeat(16),
            &|checkpoint| checkpoint.index += 1,
            &|checkpoint| checkpoint.hash = "00".repeat(32),
            &|checkpoint| checkpoint.at += 1,
            &|checkpoint| checkpoint.key = hex(other.public_key().as_ref()),
            &|checkpoint| checkpoint.signature = "00".repeat(64),
            &|checkpoint| checkpoint.signature.make_ascii_uppercase(),
        ];
        for change in changes {
            let mut checkpoint = checkpoint();
            change(&mut checkpoint);
            let line = serde_json::to_string(&checkpoint).unwrap();
            assert!(Checkpoint::parse(&line).is_err(), "{line}");
        }
        for line in ["", "7", "{}", r#"{"log":7}"#] {
            assert!(Checkpoint::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn hex_is_read_strictly() {
        assert_eq!(unhex::<2>("0aff"), Some([10, 255]));
        for odd in ["", "0a", "0affff", "0afg", "0AFF", "0a f", "é"] {
            assert_eq!(unhex::<2>(odd), None, "{odd}");
        }
    }
}
