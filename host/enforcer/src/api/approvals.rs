//! `/{tenant}/thoth/approvals`: what waits for a human, and what the human says.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{ApiError, body, reply};
use crate::call::{CallError, Fields};
use crate::enforcer::Enforcer;
use crate::store::{Approval, ApprovalStatus, Resolution, time_text};

const PER_PAGE: usize = 50;
const MAX_PER_PAGE: usize = 200;

/// A query string without escapes: the known values need none.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
    }

    /// A number from 1 on.
    fn number(&self, name: &str, default: usize) -> Result<usize, ApiError> {
        self.get(name).map_or(Ok(default), |text| {
            let number = text.parse().ok().filter(|number| *number >= 1);
            number.ok_or_else(|| ApiError::invalid(format!("`{name}` must be a number from 1 on")))
        })
    }
}

impl Enforcer {
    /// Lists approvals as `{"data": […], "total": n}`, the oldest first.
    pub(crate) fn approvals(&self, tenant: &str, query: &str) -> Result<Response<Bytes>, ApiError> {
        let query = Query(query);
        let status = query.get("status").map(|name| {
            ApprovalStatus::from_name(name).ok_or_else(|| {
                let words = "pending, approved, denied or expired";
                ApiError::invalid(format!("`status` must be {words}"))
            })
        });
        let per_page = query.number("per_page", PER_PAGE)?.min(MAX_PER_PAGE);
        let skipped = (query.number("page", 1)? - 1).saturating_mul(per_page);

        let status = status.transpose()?;
        let (page, total) = self
            .store()
            .page_of_approvals(tenant, status, skipped, per_page)?;
        let data: Vec<Value> = page.iter().map(row).collect();
        Ok(reply(
            StatusCode::OK,
            &json!({"data": data, "total": total}),
        ))
    }

    pub(crate) fn approval(&self, tenant: &str, id: &str) -> Result<Response<Bytes>, ApiError> {
        Ok(reply(StatusCode::OK, &row(&self.find(tenant, id)?)))
    }

    pub(crate) fn resolve(
        &self,
        tenant: &str,
        id: &str,
        bytes: &[u8],
    ) -> Result<Response<Bytes>, ApiError> {
        let body = body(bytes)?;
        let fields = Fields(body.as_object().ok_or(CallError::NotAnObject)?);
        let resolution = match fields.required_text("decision")?.as_str() {
            "approve" => Resolution::Approve,
            "deny" => Resolution::Deny,
            _ => return Err(ApiError::invalid("`decision` must be `approve` or `deny`")),
        };
        let reason = fields.text("reason")?;
        let by = fields.text("resolved_by")?;
        let by = by.as_deref().unwrap_or("approver");
        // What the human was shown, where the client tells: nothing else is approved then.
        let shown = fields.text("digest")?;
        self.find(tenant, id)?;
        let (reason, shown) = (reason.as_deref(), shown.as_deref());
        let resolved = self
            .store()
            .resolve_shown(id, resolution, by, reason, shown)?;
        Ok(reply(StatusCode::OK, &row(&resolved)))
    }

    fn find(&self, tenant: &str, id: &str) -> Result<Approval, ApiError> {
        let found = self.store().approval(id)?;
        found
            .filter(|approval| approval.tenant_id == tenant)
            .ok_or_else(|| ApiError::not_found("there is no such approval"))
    }
}

/// An approval on the wire.
pub(crate) fn row(approval: &Approval) -> Value {
    let evidence = |name: &str| approval.evidence.get(name).cloned();
    // Stored by this process's kind, so it is JSON; text is the honest form if it is not.
    let json = |text: &String| -> Value {
        serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
    };
    let time_left = u64::try_from(approval.time_left.as_millis()).unwrap_or(u64::MAX);
    json!({
        "id": approval.token,
        "hold_token": approval.token,
        "status": approval.status.as_str(),
        "tenant_id": approval.tenant_id,
        "agent_id": approval.agent_id,
        "user_id": approval.user_id,
        "session_id": approval.session_id,
        "tool_name": approval.tool_name,
        "tool_args": json(&approval.arguments),
        "tool_args_sha256": approval.arguments_digest,
        "asked_tool_args": approval.asked_arguments.as_ref().map(json),
        "tool_sha256": approval.component,
        "digest": approval.digest,
        "context": approval.context,
        "reason": approval.reason,
        "decision_reason_code": evidence("decision_reason_code"),
        "action_classification": evidence("action_classification"),
        "action_attestation_id": evidence("action_attestation_id"),
        "matched_rule_ids": evidence("matched_rule_ids"),
        "time_left_ms": time_left,
        "requested_at": time_text(approval.requested_at),
        "expires_at": time_text(approval.expires_at),
        "resolved_by": approval.resolved_by,
        "resolved_at": approval.resolved_at.map(time_text),
        "resolution_reason": approval.resolution_reason,
    })
}
