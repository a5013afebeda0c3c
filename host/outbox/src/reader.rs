//! The reads, on a connection of their own so that they never hold up an append.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::count::Count;
use crate::error::plain;
use crate::event::Event;
use crate::outbox::Status;

/// The most events that are delivered at once.
pub const BATCH: usize = 10;

/// The most bytes that are delivered at once, unless one event alone has more.
const BATCH_BYTES: u64 = 1 << 20;

/// The oldest waiting events.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Event>,
    /// The last of these rows; if there is none, a row up to which nothing waits.
    pub(crate) through: i64,
    pub(crate) bytes: u64,
    /// No more would have fitted, so there is no point in waiting for more.
    pub(crate) full: bool,
}

/// The reading side of a log, for one destination.
#[derive(Debug)]
pub(crate) struct Reader {
    connection: Mutex<(Connection, Seen)>,
    destination: i64,
}

impl Reader {
    pub(crate) fn new(connection: Connection, destination: i64) -> Self {
        Self {
            connection: Mutex::new((connection, Seen::default())),
            destination,
        }
    }

    /// The oldest events that wait after row `after`, at most `limit`.
    ///
    /// # Errors
    /// Says in one line why the log could not be read.
    pub(crate) fn batch(&self, after: i64, limit: usize) -> Result<Batch, String> {
        self.read(|connection, _| batch(connection, self.destination, after, limit))
    }

    /// # Errors
    /// Says in one line why the log could not be read.
    pub(crate) fn status(&self) -> Result<Status, String> {
        self.read(|connection, seen| status(connection, self.destination, seen))
    }

    fn read<T>(
        &self,
        query: impl FnOnce(&mut Connection, &mut Seen) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        let mut held = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (connection, seen) = &mut *held;
        query(connection, seen).map_err(|error| plain(&error))
    }
}

fn batch(
    connection: &mut Connection,
    destination: i64,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Batch> {
    // One snapshot for both queries: with two, a row could commit between them and be passed over.
    let transaction = connection.transaction()?;
    let mut batch = Batch::default();
    {
        let mut statement = transaction.prepare_cached(
            "SELECT seq, id, session_id, call_id, event_type, body, facts FROM event
             WHERE destination = ?1
               AND seq > max(?2, (SELECT settled_through FROM destination WHERE id = ?1))
             ORDER BY seq LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![destination, after, limit])?;
        while let Some(row) = rows.next()? {
            let event = Event {
                id: row.get(1)?,
                session_id: row.get(2)?,
                call_id: row.get(3)?,
                event_type: row.get(4)?,
                body: row.get(5)?,
                facts: row.get(6)?,
            };
            let bytes = batch.bytes.saturating_add(event.bytes());
            if bytes > BATCH_BYTES && !batch.events.is_empty() {
                batch.full = true;
                break;
            }
            batch.bytes = bytes;
            batch.through = row.get(0)?;
            batch.events.push(event);
        }
    }
    if batch.events.is_empty() {
        batch.through = transaction
            .prepare_cached("SELECT max(?1, ifnull(max(seq), 0)) FROM event")?
            .query_row([after], |row| row.get(0))?;
    }
    batch.full |= batch.events.len() >= limit;
    Ok(batch)
}

fn status(
    connection: &mut Connection,
    destination: i64,
    seen: &mut Seen,
) -> rusqlite::Result<Status> {
    standing(&connection.transaction()?, destination, seen)
}

/// The events for a destination up to some row, so that none is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    row: i64,
    count: Count,
}

/// How the log stands for a destination, in a transaction of the caller's.
pub(crate) fn standing(
    transaction: &Transaction<'_>,
    destination: i64,
    seen: &mut Seen,
) -> rusqlite::Result<Status> {
    let end: i64 = transaction
        .prepare_cached("SELECT ifnull(max(seq), 0) FROM event")?
        .query_row([], |row| row.get(0))?;
    if let Some(count) = Count::after(transaction, destination, seen.row)? {
        seen.count = count;
    }
    seen.row = end;
    let settled = Count::settled(transaction, destination)?;
    let (delivered, rejected, last_error, settled_through) = transaction
        .prepare_cached(
            "SELECT delivered, rejected, last_error, settled_through
             FROM destination WHERE id = ?1",
        )?
        .query_row([destination], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?))
        })?;
    let mut status = Status {
        waiting: count(seen.count.events.saturating_sub(settled.events)),
        waiting_bytes: count(seen.count.bytes.saturating_sub(settled.bytes)),
        delivered: count(delivered),
        rejected: count(rejected),
        oldest_waiting: None,
        last_error,
    };
    if status.waiting > 0 {
        status.oldest_waiting = transaction
            .prepare_cached(
                "SELECT appended_at FROM event WHERE destination = ?1 AND seq > ?2
                 ORDER BY seq LIMIT 1",
            )?
            .query_row([destination, settled_through], |row| row.get(0))
            .optional()?
            .and_then(time);
    }
    Ok(status)
}

/// A counter; a damaged file may say less than nothing.
fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

fn time(millis: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(millis).ok()?))
}
