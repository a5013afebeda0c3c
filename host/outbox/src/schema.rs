//! The tables, their version, and what each column is for.

use rusqlite::{Connection, TransactionBehavior};

/// Marks a SQLite file as an outbox ("THOT"), so that nobody else's database is written to.
const APPLICATION: i64 = 0x5448_4F54;

/// The format this program writes, kept in `user_version`.
pub(crate) const VERSION: i64 = 1;

/// Rows of `event` are never changed after they are written; what moves is in `destination`. So the
/// log can be chained by hash later, and marking a batch as delivered dirties one page.
///
/// INVARIANT: `seq` only grows: the row with the greatest one is never deleted, and it is given out
/// under SQLite's write lock. So a row that commits later is behind every row seen before.
///
/// `event.destination` names a row of `destination`; a foreign key would be looked up for every append
/// and could only catch a mistake in this crate.
const TABLES: &str = "
CREATE TABLE destination (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,       -- an enforcer's origin, or `embedded`
    settled_through INTEGER NOT NULL DEFAULT 0, -- its events up to this seq were delivered or rejected
    waiting         INTEGER NOT NULL DEFAULT 0, -- events after that, so that nobody has to count
    waiting_bytes   INTEGER NOT NULL DEFAULT 0,
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
    body        TEXT NOT NULL,
    appended_at INTEGER NOT NULL                -- milliseconds of the Unix epoch
) STRICT;
CREATE TABLE rejection (
    seq         INTEGER PRIMARY KEY,            -- of an event that its destination refused for good
    why         TEXT NOT NULL,
    rejected_at INTEGER NOT NULL
) STRICT;
";

/// What a file turned out to be.
pub(crate) enum Found {
    /// An outbox of the current format.
    Ours,
    /// An outbox of a newer format.
    Newer(i64),
    /// Somebody else's database.
    Foreign,
}

/// Makes the tables in an empty database and recognises what is there otherwise.
pub(crate) fn prepare(connection: &mut Connection) -> rusqlite::Result<Found> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application = number(&transaction, "PRAGMA application_id")?;
    let version = number(&transaction, "PRAGMA user_version")?;
    let tables = number(&transaction, "SELECT count(*) FROM sqlite_schema")?;
    match (application, version) {
        (0, 0) if tables == 0 => {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
            transaction.commit()?;
            Ok(Found::Ours)
        }
        (APPLICATION, VERSION) => Ok(Found::Ours),
        (APPLICATION, newer) if newer > VERSION => Ok(Found::Newer(newer)),
        _ => Ok(Found::Foreign),
    }
}

fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_row(sql, [], |row| row.get(0))
}
