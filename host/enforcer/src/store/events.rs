//! Behavioural events, each kept once.

use rusqlite::params;

use super::{Store, StoreError};

/// An event as it is kept.
pub(crate) struct StoredEvent {
    pub(crate) tenant_id: String,
    pub(crate) event_id: String,
    pub(crate) session_id: String,
    pub(crate) event_type: String,
    pub(crate) body: String,
}

impl Store {
    /// Keeps a batch, all of it or nothing, and returns how many were new. An event whose id its tenant
    /// has used before is a repetition, and the first one stays.
    pub(crate) fn keep_events(&self, events: &[StoredEvent]) -> Result<usize, StoreError> {
        let now = self.now();
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let mut new = 0;
        {
            let mut statement = transaction.prepare_cached(
                "INSERT INTO events (tenant_id, event_id, session_id, event_type, received_at, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            )?;
            for event in events {
                new += statement.execute(params![
                    event.tenant_id,
                    event.event_id,
                    event.session_id,
                    event.event_type,
                    now,
                    event.body,
                ])?;
            }
        }
        transaction.commit()?;
        Ok(new)
    }

    /// How many events are kept.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn event_count(&self) -> Result<u64, StoreError> {
        let count = "SELECT count(*) FROM events";
        let count: i64 = self.connection().query_row(count, [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The last events that came, at most `limit`, in the order in which they came: JSON objects with
    /// keys in snake case.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn events(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT body FROM (SELECT rowid, body FROM events ORDER BY rowid DESC LIMIT ?1)
             ORDER BY rowid",
        )?;
        let rows = statement.query_map([limit], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
