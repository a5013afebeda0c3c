//! How much there is for a destination, and how much may wait.

use rusqlite::{Connection, OptionalExtension};

use crate::chain::Head;

/// How much may wait for one destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cap {
    pub(crate) events: i64,
    pub(crate) bytes: i64,
}

/// How many events there are for one destination up to some point, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) events: i64,
    pub(crate) bytes: i64,
}

impl Count {
    /// Of all its events; where it is known up to some record only what comes after is looked at.
    pub(crate) fn read(
        transaction: &Connection,
        destination: i64,
        known: Option<(Head, Self)>,
    ) -> rusqlite::Result<Self> {
        let (after, before) = match known {
            Some((head, count)) => (i64::try_from(head.index).unwrap_or(i64::MAX), count),
            None => (0, Self::default()),
        };
        let last = Self::after(transaction, destination, after)?;
        Ok(last.unwrap_or(before))
    }

    /// Of all its events, if there is one after this row.
    pub(crate) fn after(
        transaction: &Connection,
        destination: i64,
        row: i64,
    ) -> rusqlite::Result<Option<Self>> {
        transaction
            .prepare_cached(
                "SELECT nth, bytes FROM event WHERE destination = ?1 AND seq > ?2
                 ORDER BY seq DESC LIMIT 1",
            )?
            .query_row([destination, row], |row| {
                Ok(Self {
                    events: row.get(0)?,
                    bytes: row.get(1)?,
                })
            })
            .optional()
    }

    /// Of those that were delivered or rejected.
    pub(crate) fn settled(transaction: &Connection, destination: i64) -> rusqlite::Result<Self> {
        transaction
            .prepare_cached(
                "SELECT delivered + rejected, settled_bytes FROM destination WHERE id = ?1",
            )?
            .query_row([destination], |row| {
                Ok(Self {
                    events: row.get(0)?,
                    bytes: row.get(1)?,
                })
            })
    }

    pub(crate) fn with(self, bytes: i64) -> Self {
        Self {
            events: self.events.saturating_add(1),
            bytes: self.bytes.saturating_add(bytes),
        }
    }

    /// Whether more than the cap waits if so much is settled.
    pub(crate) fn exceeds(self, cap: Cap, settled: Self) -> bool {
        self.events.saturating_sub(settled.events) > cap.events
            || self.bytes.saturating_sub(settled.bytes) > cap.bytes
    }
}
