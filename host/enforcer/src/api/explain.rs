//! `POST /v1/explain`: a refusal in words for a human, and the tool inventory that needs no answer.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{ApiError, body, reply};
use crate::call::{CallError, Fields};
use crate::enforcer::Enforcer;

impl Enforcer {
    /// Explains what the body says was decided. If the violation is on record for this tenant and
    /// session, the record's reason counts and not the body's.
    pub(crate) fn explain(&self, bytes: &[u8]) -> Result<Response<Bytes>, ApiError> {
        let body = body(bytes)?;
        let fields = Fields(body.as_object().ok_or(CallError::NotAnObject)?);
        let asked_tool = fields.required_text("tool_name")?;
        let tenant_id = fields.text("tenant_id")?.unwrap_or_default();
        let session_id = fields.text("session_id")?.unwrap_or_default();
        let violation_id = fields.text("violation_id")?.unwrap_or_default();
        let decision = fields.text("decision")?.unwrap_or_default();

        let record = self
            .store()
            .violation(&tenant_id, &session_id, &violation_id)?;
        let (tool, reason, code) = match record {
            Some(record) => (
                record.tool_name,
                Some(record.reason),
                Some(record.reason_code),
            ),
            None => (
                asked_tool,
                fields.text("reason")?,
                fields.text("decision_reason_code")?,
            ),
        };
        let waits = decision.trim().eq_ignore_ascii_case("STEP_UP");
        let (happened, next, severity) = if waits {
            (
                format!("the call of `{tool}` waits for an approval"),
                "ask an approver to look at it, or wait",
                "medium",
            )
        } else {
            (
                format!("the call of `{tool}` was refused and did not run"),
                "change the call so that a policy allows it, or ask whoever keeps the policies",
                "high",
            )
        };
        let why = match (reason, &code) {
            (Some(reason), _) => reason,
            (None, Some(code)) => format!("the policies decided so, with the code `{code}`"),
            (None, None) => "no policy allowed it".to_owned(),
        };
        let mut answer = Map::new();
        let mut set = |name: &str, value: Value| {
            answer.insert(name.to_owned(), value);
        };
        set("violation_id", violation_id.into());
        set("what_happened", happened.into());
        set("why_it_was_blocked", why.into());
        set("what_to_do_next", next.into());
        let impact = "the tool did nothing; the agent has no result of this call";
        set("business_impact", impact.into());
        set("severity", severity.into());
        set("tool_name", tool.into());
        set("timestamp", self.store().now_text().into());
        if let Some(code) = code {
            set("decision_reason_code", code.into());
        }
        for name in ["tenant_id", "session_id", "agent_id", "user_id"] {
            if let Some(text) = fields.text(name)? {
                set(name, text.into());
            }
        }
        Ok(reply(StatusCode::OK, &Value::Object(answer)))
    }

    /// Accepts a list of tools. It is advice that this enforcer has no use for.
    pub(crate) fn tool_inventory(&self, bytes: &[u8]) -> Result<Response<Bytes>, ApiError> {
        let body = body(bytes)?;
        let tools = body.get("tools").and_then(Value::as_array);
        let tools = tools.ok_or_else(|| ApiError::invalid("`tools` must be an array"))?;
        let answer = json!({"accepted": tools.len()});
        Ok(reply(StatusCode::ACCEPTED, &answer))
    }
}
