//! `GET /v1/enforce/hold/{token}`: what became of a hold, in the one shape that every SDK reads.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value};

use super::{ApiError, reply};
use crate::binding::{Claim, Mismatch};
use crate::enforcer::Enforcer;
use crate::store::{Approval, ApprovalStatus, time_text};

impl Enforcer {
    pub(crate) fn hold(
        &self,
        headers: &HeaderMap,
        token: &str,
    ) -> Result<Response<Bytes>, ApiError> {
        let claim = Claim::of(headers)?;
        let hold = self.store().approval(token)?;
        let hold = hold
            .filter(|hold| self.serves_tenant(&hold.tenant_id))
            .ok_or_else(|| ApiError::not_found("there is no such hold"))?;
        let is_ours = hold.policy == self.policy().pack().1;
        let mismatch = match hold.status {
            // What was held under other policies may be forbidden by these, so nobody's yes counts.
            ApprovalStatus::Pending | ApprovalStatus::Approved if !is_ours => {
                Some(Mismatch::Policy)
            }
            ApprovalStatus::Approved => self.store().redeem(&hold, claim.as_ref())?.err(),
            ApprovalStatus::Pending | ApprovalStatus::Denied | ApprovalStatus::Expired => None,
        };
        let answer = self.hold_answer(hold, mismatch);
        Ok(reply(StatusCode::OK, &Value::Object(answer)))
    }

    /// Pending: `resolution` is null and both decisions are STEP_UP. Resolved: all three are the same
    /// upper-case ALLOW or BLOCK. Nothing else is understood by every client; MODIFY goes only to one
    /// that said it runs what is approved.
    fn hold_answer(&self, hold: Approval, mismatch: Option<Mismatch>) -> Map<String, Value> {
        let by = hold.resolved_by.as_deref().unwrap_or("an approver");
        let because = |said: String| match &hold.resolution_reason {
            Some(reason) => format!("{said}: {reason}"),
            None => said,
        };
        let modified: Option<Value> = hold
            .asked_arguments
            .as_ref()
            .and_then(|_| serde_json::from_str(&hold.arguments).ok());
        let (decision, code, reason) = match (hold.status, mismatch) {
            (ApprovalStatus::Pending, None) => ("STEP_UP", None, hold.reason.clone()),
            (ApprovalStatus::Pending | ApprovalStatus::Approved, Some(mismatch)) => {
                ("BLOCK", Some(mismatch.reason_code()), mismatch.to_string())
            }
            (ApprovalStatus::Approved, None) => (
                match modified {
                    Some(_) => "MODIFY",
                    None => "ALLOW",
                },
                Some("step_up_approved"),
                because(format!("approved by {by}")),
            ),
            (ApprovalStatus::Denied, _) => (
                "BLOCK",
                Some("step_up_denied"),
                because(format!("denied by {by}")),
            ),
            (ApprovalStatus::Expired, _) => (
                "BLOCK",
                Some("step_up_timeout"),
                "approval timeout: nobody decided in time".to_owned(),
            ),
        };
        let resolved = decision != "STEP_UP";
        let mut answer = hold.evidence;
        let mut set = |name: &str, value: Value| {
            answer.insert(name.to_owned(), value);
        };
        set("decision", decision.into());
        set("authorization_decision", decision.into());
        set("resolved", resolved.into());
        set("resolution", resolved.then_some(decision).into());
        set("reason", reason.into());
        if let Some(code) = code {
            set("decision_reason_code", code.into());
        }
        if let ("MODIFY", Some(modified)) = (decision, modified) {
            set("modified_tool_args", modified);
        }
        if decision == "BLOCK" {
            set("violation_id", hold.violation_id.into());
        }
        if let Some(url) = self.approval_url(&hold.tenant_id, &hold.token) {
            set("approval_url", url.into());
        }
        set("tool_name", hold.tool_name.into());
        set("expires_at", time_text(hold.expires_at).into());
        set("hold_token", hold.token.as_str().into());
        set("token", hold.token.into());
        answer
    }
}
