//! The chain: what the hash of one record is over.
//!
//! Every field goes in with its length before it, so that no two records have the same bytes. All
//! numbers are big-endian.
//!
//! ```text
//! first   = SHA-256("thoth-log-v1"    ‖ log id, 16 bytes)
//! content = SHA-256("thoth-record-v1" ‖ for each of destination, id, session id, call id, type,
//!                                       body, facts: its length as u64, its bytes)
//! hash    = SHA-256("thoth-chain-v1"  ‖ hash of the record before, or `first`
//!                                     ‖ index as u64 ‖ milliseconds as u64 ‖ content)
//! ```

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::event::Event;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    /// Lower-case hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of a chain: the index and the hash of its last record. Before the first record the index
/// is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The record's index; the first is one.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// The beginning of the chain of a log.
    pub(crate) fn first(log: &[u8; 16]) -> Self {
        let hash = Sha256::new_with_prefix(b"thoth-log-v1").chain_update(log);
        Self {
            index: 0,
            hash: Hash(hash.finalize().into()),
        }
    }

    /// The head after one more record.
    pub(crate) fn next(self, appended_at: i64, content: Hash) -> Self {
        let index = self.index.saturating_add(1);
        let hash = Sha256::new_with_prefix(b"thoth-chain-v1")
            .chain_update(self.hash.0)
            .chain_update(index.to_be_bytes())
            .chain_update(appended_at.to_be_bytes())
            .chain_update(content.0);
        Self {
            index,
            hash: Hash(hash.finalize().into()),
        }
    }
}

/// The digest of what a record says, without its place in the chain.
pub(crate) fn content(destination: &str, event: &Event) -> Hash {
    let mut hash = Sha256::new_with_prefix(b"thoth-record-v1");
    for field in [
        destination,
        &event.id,
        &event.session_id,
        &event.call_id,
        &event.event_type,
        &event.body,
        &event.facts,
    ] {
        let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
        hash.update(length.to_be_bytes());
        hash.update(field.as_bytes());
    }
    Hash(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            id: "acme:1".into(),
            session_id: "s".into(),
            call_id: "c".into(),
            event_type: "TOOL_CALL_PRE".into(),
            body: "{}".into(),
            facts: String::new(),
        }
    }

    #[test]
    fn every_field_is_in_the_hash_and_none_can_borrow_from_its_neighbour() {
        let mut seen = vec![
            content("embedded", &event()).0,
            content("embedde", &event()).0,
        ];
        let change: [fn(&mut Event); 7] = [
            |event| event.id.push('x'),
            |event| event.session_id.push('x'),
            |event| event.call_id.push('x'),
            |event| event.event_type.push('x'),
            |event| event.body.push('x'),
            |event| event.facts.push('x'),
            |event| (event.session_id, event.call_id) = ("sc".into(), String::new()),
        ];
        for change in change {
            let mut event = event();
            change(&mut event);
            seen.push(content("embedded", &event).0);
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn a_record_is_bound_to_its_place_its_time_and_its_log() {
        let first = Head::first(&[7; 16]);
        let content = content("embedded", &event());
        let one = first.next(5, content);
        assert_eq!(one.index, 1);
        assert_ne!(one.hash, first.next(6, content).hash);
        assert_ne!(one.hash, Head::first(&[8; 16]).next(5, content).hash);
        assert_ne!(one.hash, one.next(5, content).hash);
    }

    /// The values were computed by the script in `host/docs/log.md`.
    #[test]
    fn the_chain_is_what_the_documentation_says() {
        let head = Head::first(&[0; 16]).next(0, content("embedded", &event()));
        assert_eq!(
            head.hash.to_string(),
            "fe80daa86825f5635f253ee7645be7fff715994a46f54e733e1a4f4681522d2b"
        );
    }
}
