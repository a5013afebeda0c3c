//! A write transaction whose statements are prepared once, since there is one for every event.

use std::ops::Deref;

use rusqlite::Connection;

/// A transaction that has the write lock from its beginning, where it is waited for: a reader turned
/// writer would fail at once. Rolled back unless it is committed.
pub(crate) struct Immediate<'a>(&'a Connection);

impl<'a> Immediate<'a> {
    pub(crate) fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        execute(connection, "BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }

    /// # Errors
    /// It is rolled back, as far as SQLite has not done that itself.
    pub(crate) fn commit(self) -> rusqlite::Result<()> {
        execute(self.0, "COMMIT")
    }
}

impl Deref for Immediate<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for Immediate<'_> {
    fn drop(&mut self) {
        // After a commit, or where an error ended it, there is no transaction left.
        if !self.0.is_autocommit() {
            // The next transaction cannot begin if this fails, and says so.
            let _ = execute(self.0, "ROLLBACK");
        }
    }
}

fn execute(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_committed_is_rolled_back_and_the_next_one_begins() {
        let connection = Connection::open_in_memory().unwrap();
        execute(&connection, "CREATE TABLE event (seq INTEGER)").unwrap();
        let count = || -> i64 {
            let count = "SELECT count(*) FROM event";
            connection.query_row(count, [], |row| row.get(0)).unwrap()
        };
        let insert = |transaction: &Connection| {
            transaction
                .execute("INSERT INTO event VALUES (1)", [])
                .unwrap()
        };
        let dropped = Immediate::begin(&connection).unwrap();
        insert(&dropped);
        drop(dropped);
        assert_eq!(count(), 0);
        for kept in 1..3 {
            let transaction = Immediate::begin(&connection).unwrap();
            insert(&transaction);
            transaction.commit().unwrap();
            assert_eq!(count(), kept);
        }
        let ended = Immediate::begin(&connection).unwrap();
        execute(&ended, "ROLLBACK").unwrap();
        assert!(ended.commit().is_err(), "SQLite had ended it");
        drop(Immediate::begin(&connection).unwrap());
    }
}
