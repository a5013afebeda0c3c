//! Calls that wait for a human, and what the human said.

use std::time::{Duration, SystemTime};

use rusqlite::{OptionalExtension, Row, named_params};
use serde_json::{Map, Value};

use super::clock::{Deadline, HAS_TIME_LEFT, Now};
use super::{Store, StoreError, from_milliseconds, milliseconds, random_hex};
use crate::binding::{Binding, Claim, Mismatch};

/// How long after its hold's end an approval is for: hosts ask every few seconds.
const GRACE: Duration = Duration::from_secs(60);

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
    /// What was looked at is not what would be approved.
    #[error("approval `{0}` is for another call than the one that was shown: look at it again")]
    NotTheOneShown(String),
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
    /// What runs if it is approved, as canonical JSON (RFC 8785). Some of it comes from the agent:
    /// escape it for display.
    pub arguments: String,
    /// The SHA-256 of the arguments, in hex.
    pub arguments_digest: String,
    /// What the agent asked for, where a policy has changed it; as canonical JSON.
    pub asked_arguments: Option<String>,
    /// The SHA-256, in hex, of everything that the approval is for. Empty in a hold of a version before
    /// this was there.
    pub digest: String,
    /// The SHA-256 of the tool's component, where its host said so.
    pub component: Option<String>,
    /// What the client says the call is for: `purpose`, `session_intent` and such, each where it is there.
    pub context: Map<String, Value>,
    /// Why a human is asked, in the policy's words.
    pub reason: String,
    /// Since when it waits.
    pub requested_at: SystemTime,
    /// Until when it waits.
    pub expires_at: SystemTime,
    /// How much time there was to decide when this was read, by a clock that nobody can set.
    pub time_left: Duration,
    /// Who decided.
    pub resolved_by: Option<String>,
    /// When.
    pub resolved_at: Option<SystemTime>,
    /// Why, in that person's words.
    pub resolution_reason: Option<String>,
    /// What every answer about this hold repeats.
    pub(crate) evidence: Map<String, Value>,
    pub(crate) violation_id: String,
    /// The revision of the policies that held it.
    pub(crate) policy: String,
    /// Whether its host names what it is about to run.
    pub(crate) is_claimed: bool,
}

/// A hold to be stored.
pub(crate) struct NewHold<'a> {
    pub(crate) binding: &'a Binding,
    pub(crate) is_claimed: bool,
    pub(crate) context: &'a Map<String, Value>,
    pub(crate) reason: &'a str,
    pub(crate) evidence: &'a Map<String, Value>,
    pub(crate) violation_id: &'a str,
    pub(crate) waits: Duration,
}

impl Store {
    /// One approval.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn approval(&self, token: &str) -> Result<Option<Approval>, StoreError> {
        let now = self.now();
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT * FROM holds WHERE token = ?1")?;
        Ok(statement
            .query_row([token], |row| approval(row, &now))
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
        self.resolve_shown(token, resolution, by, reason, None)
    }

    /// As [`Self::resolve`], for somebody who was shown the call with this [`Approval::digest`].
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`], and if the hold is for something else than what was shown.
    pub fn resolve_shown(
        &self,
        token: &str,
        resolution: Resolution,
        by: &str,
        reason: Option<&str>,
        shown: Option<&str>,
    ) -> Result<Approval, ResolveError> {
        let status = match resolution {
            Resolution::Approve => ApprovalStatus::Approved,
            Resolution::Deny => ApprovalStatus::Denied,
        };
        let now = self.now();
        // INVARIANT: the condition and the change are one statement, so there is a single winner.
        let changed = self.connection().execute(
            &format!(
                "UPDATE holds SET status = :status, resolved_by = :by, resolved_at = :wall,
                     resolution_reason = :reason
                 WHERE token = :token AND status = 'pending' AND {HAS_TIME_LEFT}
                     AND digest = coalesce(:shown, digest)"
            ),
            named_params! {
                ":status": status.as_str(), ":by": by, ":reason": reason, ":token": token,
                ":shown": shown, ":wall": now.wall, ":uptime": now.uptime, ":boot": &*now.boot,
            },
        );
        let won = changed.map_err(StoreError::from)? == 1;
        let found = self.approval(token)?;
        match found {
            Some(approval) if won => {
                self.changed();
                Ok(approval)
            }
            None => Err(ResolveError::Unknown(token.to_owned())),
            Some(approval) if shown.is_some_and(|shown| shown != approval.digest) => {
                Err(ResolveError::NotTheOneShown(approval.token))
            }
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

    /// Takes an approval for the run that a host claims to be about to make. The first one to do so is
    /// the only one; it may ask again, since an answer can be lost. An approval that nobody took when
    /// its hold was over, and [`GRACE`] after that, is none any more.
    pub(crate) fn redeem(
        &self,
        approval: &Approval,
        claim: Option<&Claim>,
    ) -> Result<Result<(), Mismatch>, StoreError> {
        let claim = match claim {
            Some(claim) => claim,
            // A client that does not know of claims asks by the token alone, as it always did.
            None if !approval.is_claimed => return Ok(Ok(())),
            None => return Ok(Err(Mismatch::Unclaimed)),
        };
        if let Err(mismatch) = claim.fits(approval) {
            return Ok(Err(mismatch));
        }
        let now = self.now();
        let grace = milliseconds(GRACE);
        let connection = self.connection();
        // INVARIANT: as in `resolve`, one statement, so that one use wins.
        let used = connection.execute(
            &format!(
                "UPDATE holds SET used_by = :use WHERE token = :token AND status = 'approved'
                     AND (used_by = :use OR used_by IS NULL AND {HAS_TIME_LEFT})"
            ),
            named_params! {
                ":use": claim.use_id, ":token": approval.token, ":wall": now.wall - grace,
                ":uptime": now.uptime - grace, ":boot": &*now.boot,
            },
        )?;
        if used == 1 {
            return Ok(Ok(()));
        }
        let free: bool = connection.query_row(
            "SELECT status = 'approved' AND used_by IS NULL FROM holds WHERE token = ?1",
            [&approval.token],
            |row| row.get(0),
        )?;
        Ok(Err(if free { Mismatch::Late } else { Mismatch::Used }))
    }

    /// Stores a hold under a fresh token of 128 random bits.
    pub(crate) fn hold(&self, hold: &NewHold<'_>) -> Result<String, StoreError> {
        let token = format!("hold_{}", random_hex::<16>()?);
        let deadline = Deadline::after(&self.now(), hold.waits);
        let binding = hold.binding;
        let json = |object: &Map<String, Value>| Value::Object(object.clone()).to_string();
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "INSERT INTO holds (token, tenant_id, agent_id, user_id, session_id, tool_name, arguments,
                 arguments_digest, asked, component, policy, nonce, digest, claimed, context, reason,
                 evidence, violation_id, requested_at, expires_at, deadline, boot)
             VALUES (:token, :tenant, :agent, :user, :session, :tool, :arguments,
                 :arguments_digest, :asked, :component, :policy, :nonce, :digest, :claimed, :context,
                 :reason, :evidence, :violation, :requested_at, :expires_at, :deadline, :boot)",
        )?;
        statement.execute(named_params! {
            ":token": token,
            ":tenant": binding.tenant_id,
            ":agent": binding.agent_id,
            ":user": binding.user_id,
            ":session": binding.session_id,
            ":tool": binding.tool_name,
            ":arguments": binding.arguments,
            ":arguments_digest": thoth_core::json::digest(&binding.arguments),
            ":asked": (binding.asked != binding.arguments).then_some(&binding.asked),
            ":component": binding.component,
            ":policy": binding.policy,
            ":nonce": binding.nonce,
            ":digest": binding.digest(),
            ":claimed": hold.is_claimed,
            ":context": json(hold.context),
            ":reason": hold.reason,
            ":evidence": json(hold.evidence),
            ":violation": hold.violation_id,
            ":requested_at": deadline.requested_at,
            ":expires_at": deadline.expires_at,
            ":deadline": deadline.uptime,
            ":boot": deadline.boot,
        })?;
        self.changed();
        Ok(token)
    }
}

pub(super) fn approval(row: &Row<'_>, now: &Now) -> rusqlite::Result<Approval> {
    let stored: String = row.get("status")?;
    let deadline = Deadline {
        requested_at: row.get("requested_at")?,
        expires_at: row.get("expires_at")?,
        uptime: row.get("deadline")?,
        boot: row.get("boot")?,
    };
    let time_left = deadline.left(now);
    let status = match ApprovalStatus::from_name(&stored) {
        Some(ApprovalStatus::Approved) => ApprovalStatus::Approved,
        Some(ApprovalStatus::Pending) if !time_left.is_zero() => ApprovalStatus::Pending,
        Some(ApprovalStatus::Pending | ApprovalStatus::Expired) => ApprovalStatus::Expired,
        // A word that this version does not know is not an approval.
        Some(ApprovalStatus::Denied) | None => ApprovalStatus::Denied,
    };
    let object = |column: &str| -> rusqlite::Result<Map<String, Value>> {
        let text: String = row.get(column)?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    };
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
        asked_arguments: row.get("asked")?,
        digest: row.get("digest")?,
        component: row.get("component")?,
        context: object("context")?,
        reason: row.get("reason")?,
        requested_at: from_milliseconds(deadline.requested_at),
        expires_at: from_milliseconds(deadline.expires_at),
        time_left: match status {
            ApprovalStatus::Pending => time_left,
            ApprovalStatus::Approved | ApprovalStatus::Denied | ApprovalStatus::Expired => {
                Duration::ZERO
            }
        },
        resolved_by: row.get("resolved_by")?,
        resolved_at: resolved_at.map(from_milliseconds),
        resolution_reason: row.get("resolution_reason")?,
        evidence: object("evidence")?,
        violation_id: row.get("violation_id")?,
        policy: row.get("policy")?,
        is_claimed: row.get("claimed")?,
    })
}
