//! What this process decided lately, for the page. The record that counts is the events; this is a
//! window on it that costs a call next to nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::call::Call;
use crate::policy::{Decision, Verdict};
use crate::store::time_text;

/// Decisions that are kept.
const MAX_DECISIONS: usize = 512;
/// Minutes that are counted.
const MINUTES: u64 = 60;
/// Arguments longer than this, in bytes, are not kept beside a decision that changed them.
const MAX_ARGUMENTS: usize = 8 * 1024;
/// Longer texts are cut, in characters.
const MAX_TEXT: usize = 512;

/// The decisions that a minute may have, in the order of [`Counts::by_decision`].
pub(crate) const DECISIONS: [&str; 5] = ["ALLOW", "MODIFY", "STEP_UP", "DEFER", "BLOCK"];

/// The last decisions, and how many there were in each of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    kept: Mutex<Kept>,
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Kept {
    decisions: VecDeque<Decided>,
    /// How many there have been in all.
    count: u64,
    minutes: VecDeque<Counts>,
}

/// The decisions of one minute.
#[derive(Clone, Debug)]
struct Counts {
    /// Since 1970.
    minute: u64,
    by_decision: [u32; DECISIONS.len()],
}

#[derive(Clone, Debug)]
struct Decided {
    at: SystemTime,
    decision: &'static str,
    reason: String,
    reason_code: String,
    matched: Vec<String>,
    tenant_id: String,
    agent_id: String,
    user_id: String,
    session_id: String,
    tool_name: String,
    call_id: Option<String>,
    purpose: Option<String>,
    hold_token: Option<String>,
    violation_id: Option<String>,
    /// What was asked for and what runs instead.
    modified: Option<(String, String)>,
}

impl Activity {
    /// Keeps a decision.
    pub(crate) fn decided(&self, call: &Call, verdict: &Verdict, answer: &Map<String, Value>) {
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        let canonical = |object: &Map<String, Value>| {
            thoth_core::json::canonical(&Value::Object(object.clone()))
        };
        let modified = match &verdict.decision {
            Decision::Modify(modified) => Some((canonical(&call.arguments), canonical(modified))),
            Decision::Allow
            | Decision::StepUp { .. }
            | Decision::Defer { .. }
            | Decision::Block => None,
        };
        let at = SystemTime::now();
        let decision = verdict.decision.wire_name();
        let decided = Decided {
            at,
            decision,
            reason: clip(&verdict.reason),
            reason_code: clip(&verdict.reason_code),
            matched: verdict.matched.clone(),
            tenant_id: clip(&call.tenant_id),
            agent_id: clip(&call.agent_id),
            user_id: clip(&call.user_id),
            session_id: clip(&call.session_id),
            tool_name: clip(&call.tool_name),
            call_id: call.action_attestation_id.as_deref().map(clip),
            purpose: call.purpose.as_deref().map(clip),
            hold_token: text("hold_token"),
            violation_id: text("violation_id"),
            modified: modified.filter(|(asked, runs)| asked.len().max(runs.len()) <= MAX_ARGUMENTS),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.count += 1;
        kept.tally(minute(at), decision);
        if kept.decisions.len() >= MAX_DECISIONS {
            kept.decisions.pop_front();
        }
        kept.decisions.push_back(decided);
        drop(kept);
        self.changes.send_replace(());
    }

    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// The decisions after the first `seen` ones, the oldest first, and how many there are now.
    pub(crate) fn since(&self, seen: u64) -> (Vec<Value>, u64) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let new = usize::try_from(kept.count.saturating_sub(seen)).unwrap_or(usize::MAX);
        let skipped = kept.decisions.len().saturating_sub(new);
        let decisions: Vec<Decided> = kept.decisions.iter().skip(skipped).cloned().collect();
        let count = kept.count;
        drop(kept);
        (decisions.iter().map(Decided::to_json).collect(), count)
    }

    /// How many decisions there were in each minute of the last hour that had any.
    pub(crate) fn counts(&self) -> Value {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let minutes = kept.minutes.iter();
        let rows: Vec<Value> = minutes
            .map(|counts| json!([counts.minute, counts.by_decision]))
            .collect();
        json!({"decisions": DECISIONS, "minutes": rows, "now": minute(SystemTime::now())})
    }
}

impl Kept {
    fn tally(&mut self, minute: u64, decision: &str) {
        // A clock that was set back counts into the last minute there is.
        let is_new = self.minutes.back().is_none_or(|last| last.minute < minute);
        if is_new {
            self.minutes.push_back(Counts {
                minute,
                by_decision: [0; DECISIONS.len()],
            });
            self.minutes
                .retain(|counts| counts.minute + MINUTES > minute);
        }
        let index = DECISIONS.iter().position(|name| *name == decision);
        let counts = self.minutes.back_mut();
        if let Some(count) = counts
            .zip(index)
            .and_then(|(counts, index)| counts.by_decision.get_mut(index))
        {
            *count = count.saturating_add(1);
        }
    }
}

impl Decided {
    fn to_json(&self) -> Value {
        let json = |text: &String| serde_json::from_str::<Value>(text).unwrap_or_default();
        json!({
            "kind": "decision",
            "at": time_text(self.at),
            "decision": self.decision,
            "reason": self.reason,
            "code": self.reason_code,
            "matched": self.matched,
            "tenant": self.tenant_id,
            "agent": self.agent_id,
            "user": self.user_id,
            "session": self.session_id,
            "tool": self.tool_name,
            "call": self.call_id,
            "purpose": self.purpose,
            "hold": self.hold_token,
            "violation": self.violation_id,
            "asked": self.modified.as_ref().map(|(asked, _)| json(asked)),
            "runs": self.modified.as_ref().map(|(_, runs)| json(runs)),
        })
    }
}

fn minute(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs() / 60
}

/// A text that cannot take much memory, however much of it an agent sent.
pub(crate) fn clip(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
