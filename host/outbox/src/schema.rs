//! The tables, their version, and what each column is for.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// Marks a SQLite file as an outbox ("THOT"), so that nobody else's database is written to.
const APPLICATION: i64 = 0x5448_4F54;

/// The format this program writes, kept in `user_version`.
pub(crate) const VERSION: i64 = 2;

/// Rows of `event` are never changed after they are written, and are chained by hash; what moves is in
/// `destination` and not in the chain. So marking a batch as delivered dirties one page.
///
/// INVARIANT: `seq` counts from one without a gap, and is given out under SQLite's write lock. So a row
/// that commits later is behind every row seen before.
///
/// How much waits is the difference of what the last event of a destination and its row in
/// `destination` count, so that an append changes no other row. `nth` and `bytes` are not in the chain:
/// they follow from it.
///
/// `event.destination` names a row of `destination`, or is 0 for what is delivered nowhere; a foreign
/// key would be looked up for every append and could only catch a mistake in this crate.
///
/// What is long comes last, so that a search by the short columns does not read it.
const TABLES: &str = "
CREATE TABLE log (
    id              BLOB NOT NULL               -- 16 random bytes; the chain begins with them
) STRICT;
CREATE TABLE destination (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,       -- an enforcer's origin, or `embedded`
    settled_through INTEGER NOT NULL DEFAULT 0, -- its events up to this seq were delivered or rejected
    settled_bytes   INTEGER NOT NULL DEFAULT 0, -- of those events
    delivered       INTEGER NOT NULL DEFAULT 0,
    rejected        INTEGER NOT NULL DEFAULT 0,
    last_error      TEXT                        -- of the batch now being retried
) STRICT;
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    destination INTEGER NOT NULL,
    session_id  TEXT NOT NULL,
    call_id     TEXT NOT NULL,
    event_type  TEXT NOT NULL,
    appended_at INTEGER NOT NULL,               -- milliseconds of the Unix epoch
    nth         INTEGER NOT NULL,               -- of the events for its destination; from 1
    bytes       INTEGER NOT NULL,               -- of those events, this one included
    hash        BLOB NOT NULL,                  -- over the row before and all of this one: see `chain`
    facts       TEXT NOT NULL,                  -- what is not delivered
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX session_start ON event (session_id) WHERE event_type = 'SESSION_START';
CREATE TABLE rejection (
    seq         INTEGER PRIMARY KEY,            -- of an event that its destination refused for good
    why         TEXT NOT NULL,
    rejected_at INTEGER NOT NULL
) STRICT;
";

/// In place of a destination's row: kept and delivered nowhere.
pub(crate) const NOWHERE: i64 = 0;

/// What a file turned out to be.
pub(crate) enum Found {
    /// An outbox of the current format, and its id.
    Ours([u8; 16]),
    /// An outbox of another format.
    Other(i64),
    /// Somebody else's database.
    Foreign,
}

/// What a database is, without changing anything; nothing where it is empty.
pub(crate) fn found(connection: &mut Connection) -> rusqlite::Result<Option<Found>> {
    // One moment, in which another process has made the tables or not.
    let transaction = connection.transaction()?;
    let found = match is_new(&transaction)? {
        true => None,
        false => Some(recognise(&transaction)?),
    };
    transaction.commit()?;
    Ok(found)
}

/// Makes the tables in an empty database and recognises what is there otherwise.
pub(crate) fn prepare(connection: &mut Connection) -> rusqlite::Result<Found> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_new(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.execute("INSERT INTO log (id) VALUES (randomblob(16))", [])?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    let found = recognise(&transaction)?;
    transaction.commit()?;
    Ok(found)
}

/// Recognises a log without changing anything.
pub(crate) fn recognise(connection: &Connection) -> rusqlite::Result<Found> {
    if number(connection, "PRAGMA application_id")? != APPLICATION {
        return Ok(Found::Foreign);
    }
    let version = number(connection, "PRAGMA user_version")?;
    if version != VERSION {
        return Ok(Found::Other(version));
    }
    // A view in place of a table, or a trigger, would show another log than the one that is there.
    let strange = number(
        connection,
        "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')",
    )?;
    let id: Option<Vec<u8>> = connection
        .query_row("SELECT id FROM log", [], |row| row.get(0))
        .optional()?;
    match id.and_then(|id| id.try_into().ok()) {
        Some(id) if strange == 0 => Ok(Found::Ours(id)),
        Some(_) | None => Ok(Found::Foreign),
    }
}

fn is_new(connection: &Connection) -> rusqlite::Result<bool> {
    for sql in [
        "PRAGMA application_id",
        "PRAGMA user_version",
        "SELECT count(*) FROM sqlite_schema",
    ] {
        if number(connection, sql)? != 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_row(sql, [], |row| row.get(0))
}
