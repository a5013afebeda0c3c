//! What was decided, so that a violation can be explained later.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

/// A decision to be kept.
pub(crate) struct DecisionRecord<'a> {
    pub(crate) tenant_id: &'a str,
    pub(crate) agent_id: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) session_id: &'a str,
    pub(crate) tool_name: &'a str,
    pub(crate) decision: &'a str,
    pub(crate) reason_code: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) matched_rules: String,
    pub(crate) pack_version: &'a str,
    pub(crate) violation_id: Option<&'a str>,
}

/// A decision that refused a call.
pub(crate) struct Violation {
    pub(crate) tool_name: String,
    pub(crate) reason_code: String,
    pub(crate) reason: String,
}

impl Store {
    /// Keeps a decision.
    pub(crate) fn keep_decision(&self, decision: &DecisionRecord<'_>) -> Result<(), StoreError> {
        let now = self.now();
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "INSERT INTO decisions (decided_at, tenant_id, agent_id, user_id, session_id, tool_name,
                 decision, reason_code, reason, matched_rules, pack_version, violation_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        statement.execute(params![
            now,
            decision.tenant_id,
            decision.agent_id,
            decision.user_id,
            decision.session_id,
            decision.tool_name,
            decision.decision,
            decision.reason_code,
            decision.reason,
            decision.matched_rules,
            decision.pack_version,
            decision.violation_id,
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
