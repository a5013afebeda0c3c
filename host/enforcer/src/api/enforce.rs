//! `POST /v1/enforce`: decides about a call.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{ApiError, body, reply};
use crate::binding::{Binding, announced};
use crate::call::Call;
use crate::enforcer::Enforcer;
use crate::policy::{Decision, Verdict};
use crate::store::{NewHold, NewViolation, StoreError, random_hex};

/// The most holds that wait at a time: as many as the page looks through.
const WAITING_MAX: u64 = 2_000;
/// The longest arguments of one, in bytes of canonical JSON: as long as a governor lets through.
const HELD_BYTES_MAX: usize = thoth_core::json::MAX_BYTES;

impl Enforcer {
    pub(crate) fn enforce(
        &self,
        headers: &HeaderMap,
        bytes: &[u8],
    ) -> Result<Response<Bytes>, ApiError> {
        let started = Instant::now();
        let mut call = Call::from_json(&body(bytes)?)?;
        call.component = announced(headers)?;
        let verdict = if self.serves_tenant(&call.tenant_id) {
            self.bounded(&call, self.policy().decide(&call))
        } else {
            Verdict::block("tenant_mismatch", "this enforcer serves another tenant")
        };
        let mut answer = self.record(&call, &verdict).unwrap_or_else(|error| {
            // An error status would be an outage to the client, and some are set to run the tool then:
            // so the answer is a block.
            tracing::error!(%error, "the enforcer's store failed");
            let verdict = Verdict::block(
                "store_unavailable",
                "the enforcer could not record its decision",
            );
            self.answer(&call, &verdict, None)
        });
        if let Some(page) = self.page() {
            page.activity.decided(&call, &verdict, &answer);
        }
        let latency = (started.elapsed().as_secs_f64() * 1e6).round() / 1e3;
        answer.insert("latency_ms".to_owned(), latency.into());
        Ok(reply(StatusCode::OK, &Value::Object(answer)))
    }

    /// A verdict, or the block that comes of more holds, or larger ones, than people can decide about: an
    /// agent must not fill the store with them.
    fn bounded(&self, call: &Call, verdict: Verdict) -> Verdict {
        if !matches!(verdict.decision, Decision::StepUp { .. }) {
            return verdict;
        }
        let length = thoth_core::json::canonical(&Value::Object(call.arguments.clone())).len();
        if length > HELD_BYTES_MAX {
            let why = format!("arguments of more than {HELD_BYTES_MAX} bytes cannot be approved");
            return Verdict::block("arguments_too_large", why);
        }
        match self.store().waiting() {
            Ok(waiting) if waiting >= WAITING_MAX => {
                let why = format!("{waiting} calls wait for an approval: decide about some first");
                Verdict::block("too_many_holds", why)
            }
            // A store that fails says so when the hold is to be kept.
            Ok(_) | Err(_) => verdict,
        }
    }

    /// Words the answer, after what a client may come back for is kept: a hold, or a violation to be
    /// explained. Nobody asks about other decisions again; what became of them is in the events.
    fn record(&self, call: &Call, verdict: &Verdict) -> Result<Map<String, Value>, StoreError> {
        match verdict.decision {
            Decision::Allow | Decision::Modify(_) | Decision::Defer { .. } => {
                Ok(self.answer(call, verdict, None))
            }
            Decision::Block => {
                let id = new_violation_id()?;
                self.store().keep_violation(&NewViolation {
                    id: &id,
                    tenant_id: &call.tenant_id,
                    agent_id: &call.agent_id,
                    user_id: &call.user_id,
                    session_id: &call.session_id,
                    tool_name: &call.tool_name,
                    reason_code: &verdict.reason_code,
                    reason: &verdict.reason,
                    matched_rules: json!(verdict.matched).to_string(),
                    pack_version: self.policy().pack().1,
                })?;
                Ok(self.answer(call, verdict, Some(&id)))
            }
            Decision::StepUp { seconds, .. } => {
                let mut answer = self.answer(call, verdict, None);
                let waits = Duration::from_secs(u64::from(seconds));
                let token = self.open_hold(call, verdict, &answer, waits)?;
                if let Some(url) = self.approval_url(&call.tenant_id, &token) {
                    answer.insert("approval_url".to_owned(), url.into());
                }
                answer.insert("hold_token".to_owned(), token.into());
                Ok(answer)
            }
        }
    }

    fn open_hold(
        &self,
        call: &Call,
        verdict: &Verdict,
        answer: &Map<String, Value>,
        waits: Duration,
    ) -> Result<String, StoreError> {
        let mut binding = Binding::new(call, self.policy().pack().1, random_hex::<16>()?);
        if let Decision::StepUp {
            modified: Some(modified),
            ..
        } = &verdict.decision
        {
            binding.arguments = thoth_core::json::canonical(&Value::Object(modified.clone()));
        }
        self.store().hold(&NewHold {
            binding: &binding,
            is_claimed: call.component.is_some(),
            context: &call.context(),
            reason: &verdict.reason,
            evidence: answer,
            violation_id: &new_violation_id()?,
            waits,
        })
    }

    /// The answer's fields, but for those that only exist once it is recorded. Optional ones are left
    /// out, never null: clients check the type of whatever is there.
    fn answer(
        &self,
        call: &Call,
        verdict: &Verdict,
        violation_id: Option<&str>,
    ) -> Map<String, Value> {
        let decision = verdict.decision.wire_name();
        let (pack_id, pack_version) = self.policy().pack();
        let mut answer = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                answer.insert(name.to_owned(), value);
            }
        };
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        set("decision", Some(decision.into()));
        set("authorization_decision", Some(decision.into()));
        set("reason", Some(verdict.reason.as_str().into()));
        set(
            "decision_reason_code",
            Some(verdict.reason_code.as_str().into()),
        );
        set("action_classification", text(&verdict.classification));
        set("violation_id", violation_id.map(Value::from));
        set("matched_rule_ids", Some(json!(verdict.matched)));
        set("pack_id", Some(pack_id.into()));
        set("pack_version", Some(pack_version.into()));
        set("rule_version", verdict.rule_version.map(Value::from));
        // Echoed as sent, or left out: a client that checks them refuses anything else.
        set("request_id", text(&call.request_id));
        set("enforcement_trace_id", text(&call.trace_id));
        set("action_attestation_id", text(&call.action_attestation_id));
        match &verdict.decision {
            Decision::Allow | Decision::Block => {}
            Decision::Modify(arguments) => {
                set("modified_tool_args", Some(Value::Object(arguments.clone())));
                set("modification_reason", Some(verdict.reason.as_str().into()));
            }
            Decision::StepUp { seconds, .. } => {
                set("step_up_timeout_seconds", Some((*seconds).into()));
            }
            Decision::Defer { seconds } => {
                set("defer_reason", Some(verdict.reason.as_str().into()));
                set("defer_timeout_seconds", seconds.map(Value::from));
            }
        }
        answer
    }
}

fn new_violation_id() -> Result<String, StoreError> {
    Ok(format!("vio_{}", random_hex::<6>()?))
}
