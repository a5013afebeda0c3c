//! What was blocked, so that it can be explained later.

use std::time::SystemTime;

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError, from_milliseconds};

/// A block to be kept.
pub(crate) struct NewViolation<'a> {
    pub(crate) id: &'a str,
    pub(crate) tenant_id: &'a str,
    pub(crate) agent_id: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) session_id: &'a str,
    pub(crate) tool_name: &'a str,
    pub(crate) reason_code: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) matched_rules: String,
    pub(crate) pack_version: &'a str,
}

/// A decision that refused a call.
pub(crate) struct Violation {
    pub(crate) tool_name: String,
    pub(crate) reason_code: String,
    pub(crate) reason: String,
}

/// A block that was kept.
pub(crate) struct KeptBlock {
    pub(crate) id: String,
    pub(crate) decided_at: SystemTime,
    pub(crate) tenant_id: String,
    pub(crate) agent_id: String,
    pub(crate) user_id: String,
    pub(crate) session_id: String,
    pub(crate) tool_name: String,
    pub(crate) reason_code: String,
    pub(crate) reason: String,
}

impl Store {
    /// Keeps a block.
    pub(crate) fn keep_violation(&self, violation: &NewViolation<'_>) -> Result<(), StoreError> {
        let now = self.now().wall;
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "INSERT INTO decisions (decided_at, tenant_id, agent_id, user_id, session_id, tool_name,
                 decision, reason_code, reason, matched_rules, pack_version, violation_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'BLOCK', ?7, ?8, ?9, ?10, ?11)",
        )?;
        statement.execute(params![
            now,
            violation.tenant_id,
            violation.agent_id,
            violation.user_id,
            violation.session_id,
            violation.tool_name,
            violation.reason_code,
            violation.reason,
            violation.matched_rules,
            violation.pack_version,
            violation.id,
        ])?;
        self.changed();
        Ok(())
    }

    /// The refusal with this id in this session; another session's is nobody else's business.
    pub(crate) fn violation(
        &self,
        tenant_id: &str,
        session_id: &str,
        violation_id: &str,
    ) -> Result<Option<Violation>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT tool_name, reason_code, reason FROM decisions
             WHERE violation_id = ?3 AND tenant_id = ?1 AND session_id = ?2",
        )?;
        let found = statement.query_row([tenant_id, session_id, violation_id], |row| {
            Ok(Violation {
                tool_name: row.get(0)?,
                reason_code: row.get(1)?,
                reason: row.get(2)?,
            })
        });
        Ok(found.optional()?)
    }

    /// The last blocks, at most `limit`, the oldest first.
    pub(crate) fn latest_blocks(&self, limit: usize) -> Result<Vec<KeptBlock>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT violation_id, decided_at, tenant_id, agent_id, user_id, session_id, tool_name,
                 reason_code, reason
             FROM decisions WHERE violation_id IS NOT NULL ORDER BY id DESC LIMIT ?1",
        )?;
        let rows = statement.query_map([limit], |row| {
            Ok(KeptBlock {
                id: row.get(0)?,
                decided_at: from_milliseconds(row.get(1)?),
                tenant_id: row.get(2)?,
                agent_id: row.get(3)?,
                user_id: row.get(4)?,
                session_id: row.get(5)?,
                tool_name: row.get(6)?,
                reason_code: row.get(7)?,
                reason: row.get(8)?,
            })
        })?;
        let mut blocks = rows.collect::<Result<Vec<_>, _>>()?;
        blocks.reverse();
        Ok(blocks)
    }
}
