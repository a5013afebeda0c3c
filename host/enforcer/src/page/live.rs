//! What an open page is told: server-sent events with what is new to it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::activity::clip;
use crate::api::ApiError;
use crate::api::approvals::row;
use crate::enforcer::Enforcer;
use crate::store::{Approval, ApprovalStatus, KeptBlock, KeptEvent, Version, time_text};

/// Approvals that a page shows: all that wait, as long as they are not more, and the latest others.
const MAX_APPROVALS: usize = 200;
/// Arguments longer than this, in bytes, are sent when they are asked for.
const MAX_ARGUMENTS: usize = 16 * 1024;
/// Events and blocks of the time before that a page begins with, and the most that it is told at once.
const MAX_ENTRIES: usize = 200;
/// Entries of a list that are sent.
const MAX_LIST: usize = 32;
/// Events longer than this, in bytes, are told without what their client adds.
const MAX_EVENT: usize = 8 * 1024;

/// What one page has been told.
#[derive(Debug, Default)]
pub(crate) struct View {
    approvals: HashMap<String, ApprovalStatus>,
    decisions: u64,
    event: Option<i64>,
    counts: Value,
    read: Option<Read>,
}

/// The store as it was when it was last read.
#[derive(Debug)]
struct Read {
    version: Version,
    /// When it has to be read again, since a hold expires: by [`Store::uptime`](crate::Store::uptime).
    until: i64,
}

/// A hold from before the machine's last start expires by a clock that can be set: it is looked at so
/// often, in milliseconds.
const LOOK_AGAIN: i64 = 30_000;

impl View {
    /// What the page does not know yet, as server-sent events. Begins with everything there is.
    pub(crate) fn news(&mut self, enforcer: &Enforcer) -> Result<String, ApiError> {
        let Some(page) = enforcer.page() else {
            return Err(ApiError::not_found("this enforcer has no page"));
        };
        let is_first = self.event.is_none();
        let mut out = String::new();
        let store = enforcer.store();
        let (version, now) = (store.version()?, store.uptime());
        let is_read = self.read.as_ref();
        let is_read = is_read.is_some_and(|read| read.version == version && now < read.until);
        if !is_read {
            let soonest = self.approvals(enforcer, &mut out)?;
            let until = now.saturating_add(soonest.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN));
            self.read = Some(Read { version, until });
        }

        // A decision to block is in the store as well. From the time before this process, only there.
        let (decisions, count) = page.activity.since(self.decisions);
        self.decisions = count;
        let blocks = if is_first {
            store.latest_blocks(MAX_ENTRIES)?
        } else {
            Vec::new()
        };
        let events = if is_read {
            Vec::new()
        } else {
            store.events_since(self.event, MAX_ENTRIES)?
        };
        self.event = events
            .last()
            .map(|event| event.position)
            .or(self.event)
            .or(Some(0));
        let known: Vec<String> = decisions
            .iter()
            .filter_map(|decision| Some(decision.get("violation")?.as_str()?.to_owned()))
            .collect();
        let blocks = blocks
            .iter()
            .filter(|block| enforcer.serves_tenant(&block.tenant_id))
            .filter(|block| !known.contains(&block.id))
            .map(block_row);
        let events = events
            .iter()
            .filter(|event| enforcer.serves_tenant(&event.tenant_id))
            .map(event_row);
        let mut entries: Vec<Value> = blocks.chain(events).chain(decisions).collect();
        // Times are all in one form, so their order is that of the text.
        entries.sort_by(|a, b| time(a).cmp(time(b)));
        if !entries.is_empty() {
            message(&mut out, "entries", &Value::Array(entries));
        }
        let counts = page.activity.counts();
        if counts != self.counts {
            message(&mut out, "counts", &counts);
            self.counts = counts;
        }
        if is_first {
            message(&mut out, "ready", &json!({"by": page.approver}));
        }
        Ok(out)
    }

    /// Tells of approvals, and in how many milliseconds the first of them expires.
    fn approvals(
        &mut self,
        enforcer: &Enforcer,
        out: &mut String,
    ) -> Result<Option<i64>, ApiError> {
        let mut latest = enforcer.store().latest_approvals(MAX_APPROVALS)?;
        latest.retain(|approval| enforcer.serves_tenant(&approval.tenant_id));
        let told = std::mem::take(&mut self.approvals);
        for approval in latest.iter().rev() {
            if told.get(&approval.token) != Some(&approval.status) {
                message(out, "approval", &short(approval));
            }
            self.approvals
                .insert(approval.token.clone(), approval.status);
        }
        let gone: Vec<&String> = told
            .keys()
            .filter(|token| !self.approvals.contains_key(*token))
            .collect();
        if !gone.is_empty() {
            message(out, "gone", &json!(gone));
        }
        let waiting = latest
            .iter()
            .filter(|approval| !approval.time_left.is_zero());
        let soonest = waiting.map(|approval| approval.time_left).min();
        Ok(soonest.map(|left| i64::try_from(left.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// An approval, without arguments that are too long to be sent unasked.
fn short(approval: &Approval) -> Value {
    let length = approval.arguments.len();
    let asked = approval.asked_arguments.as_ref().map_or(0, String::len);
    let mut row = row(approval);
    let Some(fields) = row.as_object_mut() else {
        return row;
    };
    if length.max(asked) > MAX_ARGUMENTS {
        fields.insert("tool_args".to_owned(), Value::Null);
        fields.insert("asked_tool_args".to_owned(), Value::Null);
        fields.insert("tool_args_bytes".to_owned(), length.max(asked).into());
    }
    for name in [
        "tenant_id",
        "agent_id",
        "user_id",
        "session_id",
        "tool_name",
        "action_attestation_id",
        "reason",
    ] {
        fields.get_mut(name).into_iter().for_each(shorten);
    }
    let context = fields.get_mut("context").and_then(Value::as_object_mut);
    context
        .into_iter()
        .flat_map(Map::values_mut)
        .for_each(shorten);
    row
}

/// Cuts a text, or a list of them, that would make the page long; that it is cut is to be seen.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) => *text = clip(text),
        Value::Array(texts) => {
            texts.truncate(MAX_LIST);
            texts.iter_mut().for_each(shorten);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

fn event_row(event: &KeptEvent) -> Value {
    let body: Map<String, Value> = serde_json::from_str(&event.body).unwrap_or_default();
    let metadata = body.get("metadata").and_then(Value::as_object);
    let of = |object: Option<&Map<String, Value>>, name: &str| {
        let text = object.and_then(|object| object.get(name)?.as_str());
        text.map(clip)
    };
    let own = |name: &str| of(Some(&body), name);
    let detail = |name: &str| of(metadata, name);
    let whole = (event.body.len() <= MAX_EVENT).then_some(metadata);
    json!({
        "kind": "event",
        "at": time_text(event.received_at),
        "type": own("event_type"),
        "tenant": own("tenant_id"),
        "agent": own("agent_id"),
        "user": own("user_id"),
        "session": own("session_id"),
        "tool": own("tool_name"),
        "reason": own("content"),
        "purpose": own("purpose"),
        "decision": detail("authorization_decision"),
        "code": detail("decision_reason_code"),
        "call": detail("action_attestation_id"),
        "metadata": whole,
    })
}

fn block_row(block: &KeptBlock) -> Value {
    json!({
        "kind": "decision",
        "at": time_text(block.decided_at),
        "decision": "BLOCK",
        "tenant": clip(&block.tenant_id),
        "agent": clip(&block.agent_id),
        "user": clip(&block.user_id),
        "session": clip(&block.session_id),
        "tool": clip(&block.tool_name),
        "reason": clip(&block.reason),
        "code": clip(&block.reason_code),
        "violation": block.id,
    })
}

fn time(entry: &Value) -> &str {
    entry.get("at").and_then(Value::as_str).unwrap_or_default()
}

/// One server-sent event. JSON has no line breaks of its own.
fn message(out: &mut String, name: &str, data: &Value) {
    out.push_str(&format!("event: {name}\ndata: {data}\n\n"));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{Options, Policy, Store};

    const ASK: &str = r#"@decision("STEP_UP") @step_up_seconds("60")
        permit (principal, action, resource);"#;

    fn enforcer(store: Store) -> Enforcer {
        let options = Options {
            approver_token: Some("approver-token".into()),
            ..Options::default()
        };
        Enforcer::new(Policy::parse("p.cedar", ASK).unwrap(), store, options).unwrap()
    }

    fn ask(enforcer: &Enforcer) {
        let body = json!({
            "agent_id": "bot", "tenant_id": "acme", "user_id": "sam", "session_id": "s",
            "tool_name": "sing", "approved_scope": [], "session_tool_calls": [],
            "enforcement_mode": "block",
        });
        let request = http::Request::post("/v1/enforce")
            .header("content-type", "application/json")
            .body(body.to_string().into());
        let response = enforcer.handle(request.unwrap());
        assert_eq!(response.status(), http::StatusCode::OK);
    }

    #[test]
    fn the_store_is_read_when_something_was_written_or_a_hold_expires_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("enforcer.db");
        let seconds = Arc::new(AtomicU64::new(1_000_000));
        let clock = Arc::clone(&seconds);
        let now =
            move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst));
        let enforcer = enforcer(Store::open(&path).unwrap().with_clock(now.clone()));
        let mut view = View::default();
        ask(&enforcer);
        assert!(view.news(&enforcer).unwrap().contains("event: approval"));
        // What is not there cannot be read.
        let away = |enforcer: &Enforcer, from: &str, to: &str| {
            let rename = format!("ALTER TABLE {from} RENAME TO {to}");
            enforcer.store().execute_for_test(&rename);
        };
        away(&enforcer, "holds", "gone");
        assert_eq!(view.news(&enforcer).unwrap(), "");
        away(&enforcer, "gone", "holds");
        // Another process writes.
        let other = self::enforcer(Store::open(&path).unwrap().with_clock(now));
        ask(&other);
        assert!(view.news(&enforcer).unwrap().contains("event: approval"));
        // And a hold expires without anybody writing.
        assert_eq!(view.news(&enforcer).unwrap(), "");
        seconds.fetch_add(60, Ordering::SeqCst);
        let news = view.news(&enforcer).unwrap();
        assert!(news.contains("expired"), "{news}");
    }
}
