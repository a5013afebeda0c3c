//! Whose a file is, and from one of an earlier version to one of this version.

use rusqlite::{Connection, TransactionBehavior};

/// Marks a SQLite file as an enforcer's store ("THOE"), so that nobody else's database is written to.
const APPLICATION: i64 = 0x5448_4F45;

/// The format this program writes, kept in `user_version`. 0 is also what a file has that nobody
/// numbered, and every file had until version 1.
pub(super) const VERSION: i64 = 1;

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A store, of this version or an earlier one, or an empty file.
    Ours,
    /// A store of a later version.
    Later(i64),
    /// Another program's database.
    Foreign,
}

/// Recognises a file without changing anything.
pub(super) fn recognise(connection: &Connection) -> rusqlite::Result<Found> {
    // One statement, so that another process which makes the tables meanwhile has made all or none.
    connection.query_row(
        "SELECT (SELECT application_id FROM pragma_application_id),
                (SELECT user_version FROM pragma_user_version),
                (SELECT count(*) FROM sqlite_schema) = 0,
                EXISTS (SELECT 1 FROM pragma_table_info('holds') WHERE name = 'arguments_digest')",
        [],
        |row| {
            let (application, version): (i64, i64) = (row.get(0)?, row.get(1)?);
            let (empty, unmarked_store): (bool, bool) = (row.get(2)?, row.get(3)?);
            Ok(match application {
                APPLICATION if version > VERSION => Found::Later(version),
                APPLICATION => Found::Ours,
                0 if version == 0 && (empty || unmarked_store) => Found::Ours,
                _ => Found::Foreign,
            })
        },
    )
}

/// The tables as they are now.
const SCHEMA: &str = include_str!("schema.sql");

/// What version 1 adds to the holds of version 0, which had no number.
const BOUND_HOLDS: &str = "
ALTER TABLE holds ADD COLUMN asked TEXT;
ALTER TABLE holds ADD COLUMN component TEXT;
ALTER TABLE holds ADD COLUMN policy TEXT NOT NULL DEFAULT '';
ALTER TABLE holds ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE holds ADD COLUMN digest TEXT NOT NULL DEFAULT '';
ALTER TABLE holds ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE holds ADD COLUMN used_by TEXT;
ALTER TABLE holds ADD COLUMN context TEXT NOT NULL DEFAULT '{}';
ALTER TABLE holds ADD COLUMN deadline INTEGER NOT NULL DEFAULT 0;
ALTER TABLE holds ADD COLUMN boot TEXT NOT NULL DEFAULT 'another';
";

/// Makes or completes the tables. Any number of processes may do so at once: the first one does.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let exists = |connection: &Connection, query: &str| -> rusqlite::Result<bool> {
        connection.query_row(query, [], |row| row.get(0))
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let holds = exists(
        &transaction,
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'holds'",
    )?;
    let bound = exists(
        &transaction,
        "SELECT count(*) FROM pragma_table_info('holds') WHERE name = 'boot'",
    )?;
    if holds && !bound {
        transaction.execute_batch(BOUND_HOLDS)?;
    }
    transaction.execute_batch(SCHEMA)?;
    // Who only looks writes nothing.
    for (name, ours) in [("application_id", APPLICATION), ("user_version", VERSION)] {
        let found: i64 = transaction.pragma_query_value(None, name, |row| row.get(0))?;
        if found != ours {
            transaction.pragma_update(None, name, ours)?;
        }
    }
    transaction.commit()
}
