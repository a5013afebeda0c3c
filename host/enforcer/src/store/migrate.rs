//! From the file of an earlier version to one of this version.

use rusqlite::{Connection, TransactionBehavior};

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
    transaction.commit()
}
