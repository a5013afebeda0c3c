//! Behavioural events, each kept once.

use std::time::SystemTime;

use rusqlite::params;

use super::{Store, StoreError, from_milliseconds};

/// An event as it is kept.
pub(crate) struct StoredEvent {
    pub(crate) tenant_id: String,
    pub(crate) event_id: String,
    pub(crate) session_id: String,
    pub(crate) event_type: String,
    pub(crate) body: String,
}

/// An event that was kept.
pub(crate) struct KeptEvent {
    /// Where it stands among all of them.
    pub(crate) position: i64,
    pub(crate) tenant_id: String,
    pub(crate) received_at: SystemTime,
    pub(crate) body: String,
}

impl Store {
    /// Keeps a batch, all of it or nothing, and returns how many were new. An event whose id its tenant
    /// has used before is a repetition, and the first one stays.
    pub(crate) fn keep_events(&self, events: &[StoredEvent]) -> Result<usize, StoreError> {
        // What cannot be forgotten now is forgotten another day.
        let _ = self.forget_daily();
        let now = self.now().wall;
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
        self.changed();
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

    /// The events after a position, whichever process kept them; without one, the last ones. At most
    /// `limit`, and of more the last ones; the oldest first.
    pub(crate) fn events_since(
        &self,
        position: Option<i64>,
        limit: usize,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT rowid, tenant_id, received_at, body FROM events WHERE rowid > ?1
             ORDER BY rowid DESC LIMIT ?2",
        )?;
        let rows = statement.query_map([position.unwrap_or_default(), limit], |row| {
            Ok(KeptEvent {
                position: row.get(0)?,
                tenant_id: row.get(1)?,
                received_at: from_milliseconds(row.get(2)?),
                body: row.get(3)?,
            })
        })?;
        let mut events = rows.collect::<Result<Vec<_>, _>>()?;
        events.reverse();
        Ok(events)
    }
}
