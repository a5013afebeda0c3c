//! Calls that wait for a human, and what the human said.

use std::time::{Duration, SystemTime};

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value};

use super::{Store, StoreError, from_milliseconds, milliseconds, random_hex};

/// What became of a hold. It leaves `Pending` once and never comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApprovalStatus {
    /// Nobody has decided, and there is time left.
    Pending,
    /// A human said yes in time.
    Approved,
    /// A human said no.
    Denied,
    /// Nobody decided in time.
    Expired,
}

impl ApprovalStatus {
    /// The word for it on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }

    /// Reads the word for it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Approved, Self::Denied, Self::Expired]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// What a human says about a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The call may run.
    Approve,
    /// It may not.
    Deny,
}

/// Why a hold was not resolved. In each case nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no hold with this token.
    #[error("there is no approval `{0}`: list them first")]
    Unknown(String),
    /// Somebody was faster.
    #[error("approval `{token}` is already {}", status.as_str())]
    AlreadyResolved {
        /// The hold.
        token: String,
        /// `Approved` or `Denied`.
        status: ApprovalStatus,
    },
    /// The time for it is over; the call was refused.
    #[error("approval `{0}` has expired: the call has to be made again")]
    Expired(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A call that waits, or waited, for a human.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// The hold's token, which is also the approval's id.
    pub token: String,
    /// What became of it.
    pub status: ApprovalStatus,
    /// Whose agent it is.
    pub tenant_id: String,
    /// The agent that calls.
    pub agent_id: String,
    /// The user it works for.
    pub user_id: String,
    /// The agent run.
    pub session_id: String,
    /// The tool it wants to call.
    pub tool_name: String,
    /// The arguments, as canonical JSON (RFC 8785). They come from the agent: escape them for display.
    pub arguments: String,
    /// The SHA-256 of the arguments, in hex.
    pub arguments_digest: String,
    /// Why a human is asked, in the policy's words.
    pub reason: String,
    /// Since when it waits.
    pub requested_at: SystemTime,
    /// Until when it waits.
    pub expires_at: SystemTime,
    /// Who decided.
    pub resolved_by: Option<String>,
    /// When.
    pub resolved_at: Option<SystemTime>,
    /// Why, in that person's words.
    pub resolution_reason: Option<String>,
    /// What every answer about this hold repeats.
    pub(crate) evidence: Map<String, Value>,
    pub(crate) violation_id: String,
}

/// A hold to be stored.
pub(crate) struct NewHold<'a> {
    pub(crate) tenant_id: &'a str,
    pub(crate) agent_id: &'a str,
    pub(crate) user_id: &'a str,
    pub(crate) session_id: &'a str,
    pub(crate) tool_name: &'a str,
    pub(crate) arguments: &'a str,
    pub(crate) arguments_digest: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) evidence: &'a Map<String, Value>,
    pub(crate) violation_id: &'a str,
    pub(crate) waits: Duration,
}

const COLUMNS: &str = "token, status, tenant_id, agent_id, user_id, session_id, tool_name, arguments, \
                       arguments_digest, reason, requested_at, expires_at, resolved_by, resolved_at, \
                       resolution_reason, evidence, violation_id";

impl Store {
    /// Every approval, or those of one status, the oldest first.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn approvals(&self, status: Option<ApprovalStatus>) -> Result<Vec<Approval>, StoreError> {
        let now = self.now();
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM holds ORDER BY requested_at, rowid"
        ))?;
        let rows = statement.query_map([], |row| approval(row, now))?;
        let all = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(all
            .into_iter()
            .filter(|approval| status.is_none_or(|status| approval.status == status))
            .collect())
    }

    /// One approval.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn approval(&self, token: &str) -> Result<Option<Approval>, StoreError> {
        let now = self.now();
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM holds WHERE token = ?1"))?;
        Ok(statement
            .query_row([token], |row| approval(row, now))
            .optional()?)
    }

    /// Resolves a hold. Of any number of attempts, in any number of processes, exactly one succeeds.
    ///
    /// # Errors
    ///
    /// If there is no such hold, it is resolved or expired already, or the store fails.
    pub fn resolve(
        &self,
        token: &str,
        resolution: Resolution,
        by: &str,
        reason: Option<&str>,
    ) -> Result<Approval, ResolveError> {
        let status = match resolution {
            Resolution::Approve => ApprovalStatus::Approved,
            Resolution::Deny => ApprovalStatus::Denied,
        };
        let now = self.now();
        // INVARIANT: the condition and the change are one statement, so there is a single winner.
        let changed = self.connection().execute(
            "UPDATE holds SET status = ?2, resolved_by = ?3, resolved_at = ?4, resolution_reason = ?5
             WHERE token = ?1 AND status = 'pending' AND expires_at > ?4",
            params![token, status.as_str(), by, now, reason],
        );
        let won = changed.map_err(StoreError::from)? == 1;
        let found = self.approval(token)?;
        match found {
            Some(approval) if won => Ok(approval),
            None => Err(ResolveError::Unknown(token.to_owned())),
            Some(approval) => Err(match approval.status {
                ApprovalStatus::Approved | ApprovalStatus::Denied => {
                    ResolveError::AlreadyResolved {
                        token: approval.token,
                        status: approval.status,
                    }
                }
                ApprovalStatus::Pending | ApprovalStatus::Expired => {
                    ResolveError::Expired(approval.token)
                }
            }),
        }
    }

    /// Stores a hold under a fresh token of 128 random bits.
    pub(crate) fn hold(&self, hold: &NewHold<'_>) -> Result<String, StoreError> {
        let token = format!("hold_{}", random_hex::<16>()?);
        let now = self.now();
        let evidence = Value::Object(hold.evidence.clone()).to_string();
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "INSERT INTO holds (token, tenant_id, agent_id, user_id, session_id, tool_name, arguments,
                 arguments_digest, reason, evidence, violation_id, requested_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?;
        statement.execute(params![
            token,
            hold.tenant_id,
            hold.agent_id,
            hold.user_id,
            hold.session_id,
            hold.tool_name,
            hold.arguments,
            hold.arguments_digest,
            hold.reason,
            evidence,
            hold.violation_id,
            now,
            now.saturating_add(milliseconds(hold.waits)),
        ])?;
        Ok(token)
    }
}

fn approval(row: &Row<'_>, now: i64) -> rusqlite::Result<Approval> {
    let stored: String = row.get("status")?;
    let expires_at: i64 = row.get("expires_at")?;
    let status = match ApprovalStatus::from_name(&stored) {
        Some(ApprovalStatus::Approved) => ApprovalStatus::Approved,
        Some(ApprovalStatus::Pending) if now < expires_at => ApprovalStatus::Pending,
        Some(ApprovalStatus::Pending | ApprovalStatus::Expired) => ApprovalStatus::Expired,
        // A word that this version does not know is not an approval.
        Some(ApprovalStatus::Denied) | None => ApprovalStatus::Denied,
    };
    let evidence: String = row.get("evidence")?;
    let resolved_at: Option<i64> = row.get("resolved_at")?;
    Ok(Approval {
        token: row.get("token")?,
        status,
        tenant_id: row.get("tenant_id")?,
        agent_id: row.get("agent_id")?,
        user_id: row.get("user_id")?,
        session_id: row.get("session_id")?,
        tool_name: row.get("tool_name")?,
        arguments: row.get("arguments")?,
        arguments_digest: row.get("arguments_digest")?,
        reason: row.get("reason")?,
        requested_at: from_milliseconds(row.get("requested_at")?),
        expires_at: from_milliseconds(expires_at),
        resolved_by: row.get("resolved_by")?,
        resolved_at: resolved_at.map(from_milliseconds),
        resolution_reason: row.get("resolution_reason")?,
        evidence: serde_json::from_str(&evidence).unwrap_or_default(),
        violation_id: row.get("violation_id")?,
    })
}
