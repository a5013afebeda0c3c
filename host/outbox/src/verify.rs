//! Proving offline that a log is whole: every record, its place, and what was signed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use rusqlite::params;

use crate::archive::Archive;
use crate::chain::Head;
use crate::checkpoint::{Checkpoint, hex};
use crate::error::StatusError;

/// What was found out about a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Records that are right, from the first on.
    pub records: u64,
    /// The last of them.
    pub head: Head,
    /// Checkpoints that agree with them.
    pub checkpoints: u64,
    /// The last record that a checkpoint vouches for.
    pub signed_through: u64,
    /// The keys that signed those checkpoints, hex.
    pub keys: Vec<String>,
    /// The first thing that is wrong; none where all is right.
    pub flaw: Option<Flaw>,
}

/// Why a log is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A record is not what it was when its hash was made, or not in its place.
    Changed {
        /// The record's index.
        index: u64,
        /// Its event's id.
        id: String,
    },
    /// Records are missing before this index.
    Missing {
        /// The first that is missing.
        from: u64,
        /// The last.
        through: u64,
    },
    /// A record cannot be read.
    Unreadable(StatusError),
    /// A checkpoint vouches for a record with another hash: the chain was made anew.
    Rewritten {
        /// The record's index.
        index: u64,
        /// When the checkpoint was signed, in milliseconds of the Unix epoch.
        signed_at: u64,
    },
    /// A checkpoint vouches for records that are not there: the end was removed.
    Removed {
        /// The first that is missing.
        from: u64,
        /// The last that is known to have been there.
        through: u64,
        /// When the checkpoint was signed, in milliseconds of the Unix epoch.
        signed_at: u64,
    },
    /// A checkpoint is damaged, forged, or of another log or key.
    Checkpoint(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { index, id } => write!(
                f,
                "record {index} (event `{id}`) was changed or put in: its hash is not what it says"
            ),
            Self::Missing { from, through } if from == through => {
                write!(f, "record {from} is missing")
            }
            Self::Missing { from, through } => {
                write!(f, "records {from} to {through} are missing")
            }
            Self::Unreadable(error) => fmt::Display::fmt(error, f),
            Self::Rewritten { index, .. } => write!(
                f,
                "record {index} is not the one that a checkpoint was signed for: the log was rewritten"
            ),
            Self::Removed { from, through, .. } => write!(
                f,
                "records {from} to {through} were removed from the end: a checkpoint was signed for them"
            ),
            Self::Checkpoint(why) => f.write_str(why),
        }
    }
}

/// Checks a whole log: that every record is there, is what its hash says, and follows on the one
/// before; and that it agrees with every checkpoint.
///
/// `checkpoints` are lines, each with where it comes from, for messages; empty ones are passed over.
/// With `key` (hex) each must be signed by it. `progress` is told the records seen, now and then.
///
/// What this cannot see: a log that was made anew from its beginning with all its checkpoints, by
/// somebody who has the key. A checkpoint that was copied elsewhere in time shows that as well.
#[must_use]
pub fn verify(
    archive: &Archive,
    checkpoints: impl IntoIterator<Item = (String, String)>,
    key: Option<&str>,
    mut progress: impl FnMut(u64),
) -> Verified {
    let mut verified = Verified {
        records: 0,
        head: Head::first(archive.id()),
        checkpoints: 0,
        signed_through: 0,
        keys: Vec::new(),
        flaw: None,
    };
    let log = hex(archive.id());
    let mut signed: BTreeMap<u64, Vec<Checkpoint>> = BTreeMap::new();
    let mut bad_checkpoint = None;
    for (whence, line) in checkpoints {
        if line.trim().is_empty() {
            continue;
        }
        match accept(&line, &log, key) {
            Ok(checkpoint) => signed.entry(checkpoint.index).or_default().push(checkpoint),
            Err(why) => {
                bad_checkpoint.get_or_insert(Flaw::Checkpoint(format!("{whence}: {why}")));
            }
        }
    }
    let read = archive.read(0, "WHERE ?1", params![true], |entry| {
        let expected = verified.head.index.saturating_add(1);
        if entry.index > expected {
            verified.flaw = Some(Flaw::Missing {
                from: expected,
                through: entry.index - 1,
            });
            return Ok(ControlFlow::Break(()));
        }
        let head = entry.after(verified.head);
        if entry.index != expected || head.hash != entry.hash {
            verified.flaw = Some(Flaw::Changed {
                index: entry.index,
                id: entry.event.id,
            });
            return Ok(ControlFlow::Break(()));
        }
        for checkpoint in signed.remove(&head.index).unwrap_or_default() {
            if checkpoint.hash() != Some(head.hash) {
                verified.flaw = Some(Flaw::Rewritten {
                    index: head.index,
                    signed_at: checkpoint.at,
                });
                return Ok(ControlFlow::Break(()));
            }
            verified.checkpoints += 1;
            verified.signed_through = head.index;
            if !verified.keys.contains(&checkpoint.key) {
                verified.keys.push(checkpoint.key);
            }
        }
        verified.head = head;
        verified.records = head.index;
        if head.index % 10_000 == 0 {
            progress(head.index);
        }
        Ok(ControlFlow::Continue(()))
    });
    if let Err(error) = read {
        verified.flaw.get_or_insert(Flaw::Unreadable(error));
    }
    let removed = signed.pop_last().and_then(|(through, checkpoints)| {
        Some(Flaw::Removed {
            from: verified.head.index.saturating_add(1),
            through,
            signed_at: checkpoints.first()?.at,
        })
    });
    verified.flaw = verified.flaw.or(removed).or(bad_checkpoint);
    verified
}

fn accept(line: &str, log: &str, key: Option<&str>) -> Result<Checkpoint, String> {
    let checkpoint = Checkpoint::parse(line)?;
    if checkpoint.log != log {
        return Err("the checkpoint is of another log".into());
    }
    if key.is_some_and(|key| key != checkpoint.key) {
        return Err("the checkpoint is signed with another key".into());
    }
    if checkpoint.hash().is_none() {
        return Err("the checkpoint's hash is none".into());
    }
    Ok(checkpoint)
}
