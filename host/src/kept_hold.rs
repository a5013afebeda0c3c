//! What the log knows of a held call, for a process that picks it up after the one that made it.

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use thoth_core::{Evidence, Hold, json};
use thoth_outbox::Archive;

/// A call that waits, or waited, for a human.
#[derive(Debug)]
pub(crate) struct KeptHold {
    pub(crate) tool: String,
    /// The SHA-256 of the component that was to run.
    pub(crate) component: String,
    /// Without where to approve it, which the log does not keep.
    pub(crate) hold: Hold,
    /// For how long it has been held, by the wall clock.
    pub(crate) age: Duration,
    ended: bool,
}

impl KeptHold {
    /// The record of a hold, for [`Self::find`]. The token itself is nothing for a log that is exported, and
    /// where to approve may hold it.
    pub(crate) fn record(hold: &Hold, component: Option<&str>) -> Value {
        let evidence = &hold.evidence;
        let receipt = evidence.receipt.as_deref();
        serde_json::json!({
            "component_sha256": component,
            "digest": hold.digest,
            "hold_sha256": json::digest(&hold.token),
            "reason": hold.reason,
            "timeout_seconds": hold.timeout_seconds,
            "evidence": {
                "violation_id": evidence.violation_id,
                "decision_reason_code": evidence.reason_code,
                "action_classification": evidence.classification,
                "pack_id": evidence.pack_id,
                "pack_version": evidence.pack_version,
                "rule_version": evidence.rule_version,
                "risk_score": evidence.risk_score,
                "latency_ms": evidence.latency_ms,
                "regulatory_regimes": evidence.regulatory_regimes,
                "matched_rule_ids": evidence.matched_rule_ids,
                "matched_control_ids": evidence.matched_control_ids,
                "policy_references": evidence.policy_references,
                "model_signals": evidence.model_signals,
                "receipt": receipt.and_then(|receipt| json::parse(receipt).ok()),
                "decision_envelope_version": evidence.envelope_version,
            },
        })
    }

    /// Finds the call of a session that was held under this token.
    ///
    /// # Errors
    /// The log cannot be read, the session has no such hold, or the call has ended.
    pub(crate) fn find(archive: &Archive, session_id: &str, token: &str) -> Result<Self, String> {
        let wanted = json::digest(token);
        let mut found: Option<Self> = None;
        archive
            .session(session_id, |entry| {
                let event = entry.event;
                match (&mut found, event.event_type.as_str()) {
                    (None, "HOLD") => {
                        let held = Self::of(&event.body, &event.call_id, token, &wanted);
                        found = held.map(|held| Self {
                            age: age(entry.appended_at),
                            ..held
                        });
                    }
                    (Some(held), "APPROVAL" | "TOOL_CALL_POST" | "TOOL_CALL_BLOCK")
                        if held.hold.call_id == event.call_id =>
                    {
                        held.ended = true;
                        return ControlFlow::Break(());
                    }
                    _ => {}
                }
                ControlFlow::Continue(())
            })
            .map_err(|error| error.to_string())?;
        match found {
            Some(held) if held.ended => {
                Err("the held call has ended: an approval is for one run".into())
            }
            Some(held) => Ok(held),
            None => Err(format!(
                "session `{session_id}` has no such hold in the log"
            )),
        }
    }

    fn of(body: &str, call_id: &str, token: &str, wanted: &str) -> Option<Self> {
        let body: Value = serde_json::from_str(body).ok()?;
        let text = |name: &str| body.get(name)?.as_str();
        if text("hold_sha256") != Some(wanted) {
            return None;
        }
        let seconds = body.get("timeout_seconds").and_then(Value::as_u64);
        let evidence = body.get("evidence").and_then(Value::as_object);
        Some(Self {
            tool: text("tool_name")?.into(),
            component: text("component_sha256")?.into(),
            hold: Hold {
                token: token.into(),
                call_id: call_id.into(),
                digest: text("digest")?.into(),
                reason: text("reason").unwrap_or_default().into(),
                timeout_seconds: seconds.and_then(|seconds| seconds.try_into().ok()),
                approval_url: None,
                evidence: evidence
                    .and_then(Evidence::from_members)
                    .unwrap_or_default(),
            },
            age: Duration::ZERO,
            ended: false,
        })
    }
}

/// How long ago a record was appended. What is of the future was appended now.
fn age(milliseconds: i64) -> Duration {
    let appended = Duration::from_millis(milliseconds.try_into().unwrap_or_default());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().saturating_sub(appended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_comes_back_from_its_record_with_the_grounds_of_the_first_decision() {
        let evidence = Evidence {
            violation_id: Some("v".into()),
            reason_code: Some("code".into()),
            classification: Some("write".into()),
            pack_id: Some("pack".into()),
            pack_version: Some("1".into()),
            rule_version: Some(3),
            risk_score: Some(0.5),
            latency_ms: Some(1.5),
            regulatory_regimes: vec!["GDPR".into()],
            matched_rule_ids: vec!["rule".into()],
            matched_control_ids: vec!["control".into()],
            policy_references: vec!["policy".into()],
            model_signals: vec!["signal".into()],
            receipt: Some(r#"{"receipt_id":"r"}"#.into()),
            envelope_version: Some("2".into()),
        };
        for evidence in [evidence, Evidence::default()] {
            let hold = Hold {
                token: "hold_1".into(),
                call_id: "call".into(),
                digest: "digest".into(),
                reason: "why".into(),
                timeout_seconds: Some(9),
                approval_url: Some("https://thoth.example/hold_1".into()),
                evidence,
            };
            let mut record = KeptHold::record(&hold, Some("component"));
            record["tool_name"] = "pay".into();
            let record = record.to_string();
            assert!(!record.contains("hold_1"), "{record}");
            let kept = KeptHold::of(&record, "call", "hold_1", &json::digest("hold_1")).unwrap();
            let expected = Hold {
                approval_url: None,
                ..hold
            };
            assert_eq!(kept.hold, expected);
            assert_eq!(
                (kept.tool.as_str(), kept.component.as_str()),
                ("pay", "component")
            );
        }
    }
}
