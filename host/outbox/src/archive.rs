//! A log as somebody reads it who does not write it: nothing is made or changed.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use crate::chain::{self, Hash, Head};
use crate::error::{OpenError, StatusError, plain};
use crate::event::Event;
use crate::outbox::Status;
use crate::reader::{self, Seen};
use crate::schema::{self, Found, NOWHERE};

/// How long another process may keep the log locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most records of one call that are looked at.
const CALL_MAX: usize = 25_000;

/// A log, opened to be read.
#[derive(Debug)]
pub struct Archive {
    connection: Connection,
    log: [u8; 16],
}

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the chain; the first is one.
    pub index: u64,
    /// When it was appended, in milliseconds of the Unix epoch.
    pub appended_at: i64,
    /// The hash of the record before.
    pub previous: Hash,
    /// Its own, as the log has it; [`crate::verify()`] tells whether it is right.
    pub hash: Hash,
    /// What happened.
    pub event: Event,
    /// To whom it is told; none where it is kept only.
    pub destination: Option<String>,
    /// Whether it was told. Not in the chain, since it changes.
    pub delivery: Delivery,
}

/// How far a record has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is delivered to nobody.
    Kept,
    /// It waits.
    Waiting,
    /// Its destination has it.
    Delivered,
    /// Its destination refused it for good, and why.
    Refused(String),
}

/// The records that are read at once, before anybody looks at them: so many, or of so many bytes.
const PAGE: usize = 256;
const PAGE_BYTES: u64 = 4 << 20;

impl Archive {
    /// Opens the log at `path`. It may be in use, and stays as it is.
    ///
    /// # Errors
    /// There is none, it cannot be read, or it is not a log of this format.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let refused = |source: rusqlite::Error| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
                OpenError::NotALog { path: path.into() }
            }
            _ => OpenError::Database {
                path: path.into(),
                source,
            },
        };
        if !path.is_file() {
            return Err(OpenError::Missing { path: path.into() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(refused)?;
        connection.busy_timeout(PATIENCE).map_err(refused)?;
        // The file may be anybody's: what its schema says is not run.
        connection
            .pragma_update(None, "trusted_schema", false)
            .map_err(refused)?;
        match schema::recognise(&connection) {
            Ok(Found::Ours(log)) => Ok(Self { connection, log }),
            Ok(Found::Other(found)) => Err(OpenError::format(path, found)),
            Ok(Found::Foreign) => Err(OpenError::NotALog { path: path.into() }),
            Err(error) => Err(refused(error)),
        }
    }

    /// The log's id.
    pub(crate) fn id(&self) -> &[u8; 16] {
        &self.log
    }

    /// The end of the chain.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn head(&self) -> Result<Head, StatusError> {
        let head = self
            .connection
            .prepare_cached("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1")
            .and_then(|mut statement| {
                statement
                    .query_row([], |row| {
                        Ok(Head {
                            index: row.get(0)?,
                            hash: Hash(row.get(1)?),
                        })
                    })
                    .optional()
            })
            .map_err(failed)?;
        Ok(head.unwrap_or_else(|| Head::first(&self.log)))
    }

    /// Visits the records behind index `after`, in the order of the chain, until the visitor breaks.
    /// What is appended meanwhile is not among them. The visitor may take its time: the log is not held
    /// open while it looks at a record.
    ///
    /// # Errors
    /// The log cannot be read, or only up to some record: those were visited.
    pub fn visit(
        &self,
        after: u64,
        mut visitor: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), StatusError> {
        let mut after = i64::try_from(after).unwrap_or(i64::MAX);
        // A damaged end is met where it is come to.
        let end: i64 = self
            .connection
            .query_row("SELECT ifnull(max(seq), 0) FROM event", [], |row| {
                row.get(0)
            })
            .unwrap_or(i64::MAX);
        loop {
            let (from, mut page, mut bytes) = (after, Vec::new(), 0_u64);
            let read = self.read(
                from,
                "WHERE seq > ?1 AND seq <= ?2",
                params![from, end],
                |entry| {
                    after = i64::try_from(entry.index).unwrap_or(i64::MAX);
                    bytes = bytes.saturating_add(entry.event.bytes());
                    page.push(entry);
                    Ok(if page.len() < PAGE && bytes < PAGE_BYTES {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    })
                },
            );
            let is_last = page.is_empty();
            for entry in page {
                if visitor(entry).is_break() {
                    return Ok(());
                }
            }
            read?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// The records of one call and its effects, in the order of the chain.
    ///
    /// `call` is the call's id or the beginning of it.
    ///
    /// # Errors
    /// The log cannot be read, or the beginning fits several calls, or none.
    pub fn call(&self, call: &str) -> Result<Vec<Entry>, StatusError> {
        let call = self.resolve(call)?;
        let mut entries = Vec::new();
        let effects = format!("{call}.");
        self.read(
            0,
            "WHERE call_id = ?1 OR substr(call_id, 1, length(?2)) = ?2",
            params![call, effects],
            |entry| {
                entries.push(entry);
                Ok(if entries.len() < CALL_MAX {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            },
        )?;
        Ok(entries)
    }

    /// The whole id of the one call whose id begins so.
    fn resolve(&self, beginning: &str) -> Result<String, StatusError> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT DISTINCT call_id FROM event
                 WHERE call_id <> '' AND substr(call_id, 1, length(?1)) = ?1",
            )
            .map_err(failed)?;
        let ids = statement
            .query_map([beginning], |row| row.get::<_, String>(0))
            .map_err(failed)?;
        let mut calls: Vec<String> = Vec::new();
        for id in ids {
            let id = id.map_err(failed)?;
            if id == beginning {
                return Ok(id);
            }
            let call = root(&id).to_owned();
            if !calls.contains(&call) {
                calls.push(call);
            }
            if calls.len() > 1 {
                return Err(StatusError(format!(
                    "several calls begin with `{beginning}`; give more of the id"
                )));
            }
        }
        calls
            .pop()
            .ok_or_else(|| StatusError(format!("no call begins with `{beginning}`")))
    }

    /// Visits the records of a session, the oldest first; of a session that was resumed, all of them.
    ///
    /// # Errors
    /// The log cannot be read, or only up to some record: those were visited.
    pub fn session(
        &self,
        session: &str,
        mut visitor: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), StatusError> {
        // There are far fewer beginnings than records, and an index of them.
        let begun: Option<i64> = self
            .connection
            .query_row(
                "SELECT min(seq) FROM event
                 WHERE session_id = ?1 AND event_type = 'SESSION_START'",
                [session],
                |row| row.get(0),
            )
            .map_err(failed)?;
        let Some(begun) = begun else {
            return Ok(());
        };
        self.read(
            0,
            "WHERE seq >= ?1 AND session_id = ?2",
            params![begun, session],
            |entry| Ok(visitor(entry)),
        )
    }

    /// How the log stands for each destination, by its name.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn status(&self) -> Result<Vec<(String, Status)>, StatusError> {
        let read = || {
            let transaction = self.connection.unchecked_transaction()?;
            let mut statement = transaction.prepare_cached("SELECT id, name FROM destination")?;
            let mut rows = statement.query([])?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                all.push((
                    row.get(1)?,
                    reader::standing(&transaction, row.get(0)?, &mut Seen::default())?,
                ));
            }
            Ok(all)
        };
        read().map_err(failed)
    }

    /// Visits records behind row `after`, the oldest first, in one snapshot.
    pub(crate) fn read(
        &self,
        after: i64,
        which: &str,
        parameters: impl rusqlite::Params,
        mut visitor: impl FnMut(Entry) -> Result<ControlFlow<()>, StatusError>,
    ) -> Result<(), StatusError> {
        // One snapshot, so that a record is not read with a later state of its delivery.
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        let places = Places::read(&transaction).map_err(failed)?;
        let mut statement = transaction
            .prepare_cached(&format!(
                "SELECT seq, id, destination, session_id, call_id, event_type, appended_at, hash,
                        facts, body, (SELECT why FROM rejection WHERE rejection.seq = event.seq)
                 FROM event {which} ORDER BY seq"
            ))
            .map_err(failed)?;
        let mut before = transaction
            .prepare_cached("SELECT hash FROM event WHERE seq = ?1")
            .map_err(failed)?;
        let mut rows = statement.query(parameters).map_err(failed)?;
        let first = Head::first(&self.log);
        let mut last = first;
        let after = u64::try_from(after).unwrap_or_default();
        loop {
            let damaged = |error: rusqlite::Error| {
                let error = plain(&error);
                StatusError(format!(
                    "the record after index {} is damaged: {error}",
                    last.index.max(after)
                ))
            };
            let Some(row) = rows.next().map_err(damaged)? else {
                return Ok(());
            };
            let mut entry = places.entry(row).map_err(damaged)?;
            let index = entry.index.saturating_sub(1);
            entry.previous = if index == last.index {
                last.hash
            } else {
                let hash = before.query_row([index], |row| row.get(0)).optional();
                hash.map_err(damaged)?.map_or(first.hash, Hash)
            };
            last = Head {
                index: entry.index,
                hash: entry.hash,
            };
            if visitor(entry)?.is_break() {
                return Ok(());
            }
        }
    }
}

/// The call that an effect belongs to; a call itself.
fn root(id: &str) -> &str {
    match id.rsplit_once('.') {
        Some((call, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => call,
        Some(_) | None => id,
    }
}

/// The destinations, and how far each has come.
struct Places(HashMap<i64, (String, i64)>);

impl Places {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement =
            connection.prepare_cached("SELECT id, name, settled_through FROM destination")?;
        let places =
            statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
        places.collect::<rusqlite::Result<_>>().map(Self)
    }

    /// The record of a row, without the hash of the one before.
    fn entry(&self, row: &Row<'_>) -> rusqlite::Result<Entry> {
        let seq: i64 = row.get(0)?;
        let place: i64 = row.get(2)?;
        let known = self.0.get(&place);
        let why: Option<String> = row.get(10)?;
        let delivery = match (known, why) {
            (None, _) => Delivery::Kept,
            (Some(_), Some(why)) => Delivery::Refused(why),
            (Some((_, through)), None) if seq <= *through => Delivery::Delivered,
            (Some(_), None) => Delivery::Waiting,
        };
        let destination = match known {
            Some((name, _)) => Some(name.clone()),
            None if place == NOWHERE => None,
            None => Some(format!("unknown destination {place}")),
        };
        Ok(Entry {
            index: row.get(0)?,
            appended_at: row.get(6)?,
            previous: Hash([0; 32]),
            hash: Hash(row.get(7)?),
            event: Event {
                id: row.get(1)?,
                session_id: row.get(3)?,
                call_id: row.get(4)?,
                event_type: row.get(5)?,
                body: row.get(9)?,
                facts: row.get(8)?,
            },
            destination,
            delivery,
        })
    }
}

impl Entry {
    /// Where the chain stands after this record, if it follows on `head`.
    pub(crate) fn after(&self, head: Head) -> Head {
        let destination = self.destination.as_deref().unwrap_or("");
        head.next(self.appended_at, chain::content(destination, &self.event))
    }
}

fn failed(error: rusqlite::Error) -> StatusError {
    StatusError(plain(&error))
}
