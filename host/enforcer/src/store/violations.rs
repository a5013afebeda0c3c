//! What was blocked, so that it can be explained later.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

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

impl Store {
    /// Keeps a block.
    pub(crate) fn keep_violation(&self, violation: &NewViolation<'_>) -> Result<(), StoreError> {
        let now = self.now();
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
}
