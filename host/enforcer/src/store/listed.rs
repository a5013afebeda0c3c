//! Approvals as they are listed: all of them, a page, or the latest; and how many wait.

use rusqlite::named_params;

use super::clock::HAS_TIME_LEFT;
use super::holds::{Approval, ApprovalStatus, approval};
use super::{Store, StoreError};

/// As many of the latest holds are looked at for those that wait: a file may have months of others.
const LOOKED_AT: u32 = 2000;

/// The latest holds, which wait before those that do not. Which these are is told by an index, so that
/// only what is shown is read whole: arguments can be long.
pub(super) fn latest() -> String {
    let waits = format!("status = 'pending' AND {HAS_TIME_LEFT}");
    format!(
        "SELECT * FROM holds WHERE rowid IN (
             SELECT id FROM (
                 SELECT rowid AS id, requested_at, status, expires_at, deadline, boot FROM holds
                 ORDER BY requested_at DESC LIMIT {LOOKED_AT})
             ORDER BY {waits} DESC, requested_at DESC, id DESC LIMIT :limit)
         ORDER BY {waits} DESC, requested_at DESC, rowid DESC"
    )
}

impl Store {
    /// Every approval, or those of one status, the oldest first.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn approvals(&self, status: Option<ApprovalStatus>) -> Result<Vec<Approval>, StoreError> {
        let now = self.now();
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT * FROM holds ORDER BY requested_at, rowid")?;
        let rows = statement.query_map([], |row| approval(row, &now))?;
        let all = rows.collect::<Result<Vec<_>, _>>()?;
        Ok(all
            .into_iter()
            .filter(|approval| status.is_none_or(|status| approval.status == status))
            .collect())
    }

    /// Approvals of one tenant, or those of one status, the oldest first: at most `limit` of them after the
    /// first `skipped`, and how many there are. Only what is given is read whole.
    pub(crate) fn page_of_approvals(
        &self,
        tenant: &str,
        status: Option<ApprovalStatus>,
        skipped: usize,
        limit: usize,
    ) -> Result<(Vec<Approval>, u64), StoreError> {
        let now = self.now();
        let rows = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let wanted = format!(
            "tenant_id = :tenant AND (:status IS NULL OR :status = CASE
                 WHEN status = 'pending' AND {HAS_TIME_LEFT} THEN 'pending'
                 WHEN status IN ('pending', 'expired') THEN 'expired'
                 WHEN status = 'approved' THEN 'approved' ELSE 'denied' END)"
        );
        let status = status.map(ApprovalStatus::as_str);
        let connection = self.connection();
        let total: i64 = connection
            .prepare_cached(&format!("SELECT count(*) FROM holds WHERE {wanted}"))?
            .query_row(
                named_params! {
                    ":tenant": tenant, ":status": status,
                    ":wall": now.wall, ":uptime": now.uptime, ":boot": &*now.boot,
                },
                |row| row.get(0),
            )?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT * FROM holds WHERE rowid IN (
                 SELECT rowid FROM holds WHERE {wanted}
                 ORDER BY requested_at, rowid LIMIT :limit OFFSET :skipped)
             ORDER BY requested_at, rowid"
        ))?;
        let page = statement.query_map(
            named_params! {
                ":tenant": tenant, ":status": status,
                ":wall": now.wall, ":uptime": now.uptime, ":boot": &*now.boot,
                ":limit": rows(limit), ":skipped": rows(skipped),
            },
            |row| approval(row, &now),
        )?;
        let total = u64::try_from(total).unwrap_or_default();
        Ok((page.collect::<Result<_, _>>()?, total))
    }

    /// Of the last two thousand approvals at most `limit`, those that wait before the others and the
    /// newest first.
    pub(crate) fn latest_approvals(&self, limit: usize) -> Result<Vec<Approval>, StoreError> {
        let now = self.now();
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&latest())?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(
            named_params! {
                ":wall": now.wall, ":uptime": now.uptime, ":boot": &*now.boot, ":limit": limit,
            },
            |row| approval(row, &now),
        )?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    }

    /// How many of the last two thousand holds wait.
    pub(crate) fn waiting(&self) -> Result<u64, StoreError> {
        let now = self.now();
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT count(*) FROM (
                 SELECT requested_at, status, expires_at, deadline, boot FROM holds
                 ORDER BY requested_at DESC LIMIT {LOOKED_AT})
             WHERE status = 'pending' AND {HAS_TIME_LEFT}"
        ))?;
        let waiting: i64 = statement.query_row(
            named_params! {":wall": now.wall, ":uptime": now.uptime, ":boot": &*now.boot},
            |row| row.get(0),
        )?;
        Ok(u64::try_from(waiting).unwrap_or_default())
    }
}
