//! What the log knows of a session, for one that goes on after a restart.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use serde_json::Value;
use thoth_core::Session as Scope;
use thoth_outbox::{Archive, Entry};

use crate::budget::Sums;
use crate::session::remember;

/// A session's history and what it used.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) history: VecDeque<String>,
    pub(crate) spent: Sums,
}

impl Past {
    /// Reads what the log has of the session.
    ///
    /// # Errors
    /// The log cannot be read, has no such session, or it is somebody else's.
    pub(crate) fn read(archive: &Archive, scope: &Scope) -> Result<Self, String> {
        let mut past = Self::default();
        // Calls that are not known to have ended, and so may have run.
        let mut open: Vec<Open> = Vec::new();
        let mut known = false;
        let mut foreign = None;
        archive
            .session(&scope.session_id, |entry| {
                let Ok(body) = serde_json::from_str::<Value>(&entry.event.body) else {
                    return ControlFlow::Continue(());
                };
                if entry.event.event_type == "SESSION_START" {
                    known = true;
                    foreign = stranger(&body, scope);
                }
                past.take(&entry, &body, &mut open);
                match foreign {
                    Some(_) => ControlFlow::Break(()),
                    None => ControlFlow::Continue(()),
                }
            })
            .map_err(|error| error.to_string())?;
        match foreign {
            Some(why) => Err(why),
            None if known => {
                for call in open {
                    remember(&mut past.history, &call.tool);
                }
                Ok(past)
            }
            None => Err(format!("the log has no session `{}`", scope.session_id)),
        }
    }

    fn take(&mut self, entry: &Entry, body: &Value, open: &mut Vec<Open>) {
        let metadata = |name: &str| body.get("metadata")?.get(name);
        let tool = body.get("tool_name").and_then(Value::as_str);
        let tool = tool.filter(|tool| !tool.starts_with("effect:"));
        if metadata("effect").is_some() {
            return;
        }
        let (kind, call) = (&*entry.event.event_type, &*entry.event.call_id);
        // Who came too late to an approval was refused, and says nothing of whoever used it.
        open.retain(|open| open.call != call || (open.approved && kind == "TOOL_CALL_BLOCK"));
        if let ("TOOL_CALL_PRE" | "APPROVAL", Some(tool)) = (kind, tool) {
            open.push(Open {
                call: call.into(),
                tool: tool.into(),
                approved: kind == "APPROVAL",
            });
        }
        match kind {
            "TOOL_CALL_PRE" => self.spent.calls = self.spent.calls.saturating_add(1),
            "TOOL_CALL_POST" => {
                let failure = metadata("tool_failure_cause").and_then(Value::as_str);
                if let Some(tool) = tool
                    && !matches!(failure, Some("unknown_tool" | "invalid_arguments"))
                {
                    remember(&mut self.history, tool);
                }
                let usage = |name: &str| metadata("usage")?.get(name)?.as_u64().or(Some(0));
                let wall = Duration::from_micros(usage("wall_us").unwrap_or(0));
                self.spent.wall = self.spent.wall.saturating_add(wall);
                let fuel = usage("fuel").unwrap_or(0);
                self.spent.fuel = self.spent.fuel.saturating_add(fuel);
            }
            _ => {}
        }
    }
}

/// A call that may have run, as far as the log has come.
struct Open {
    call: String,
    tool: String,
    approved: bool,
}

/// Why a session that began so is not this one's to go on with.
fn stranger(body: &Value, scope: &Scope) -> Option<String> {
    for (name, own) in [
        ("tenant_id", &scope.tenant_id),
        ("agent_id", &scope.agent_id),
        ("user_id", &scope.user_id),
    ] {
        let begun = body.get(name).and_then(Value::as_str).unwrap_or_default();
        if begun != own {
            return Some(format!(
                "session `{}` was begun with the {name} `{begun}`, not `{own}`",
                scope.session_id
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use thoth_outbox::{Event, Outbox};

    use super::*;
    use crate::identity::Identity;

    #[tokio::test]
    async fn what_is_not_known_to_have_ended_counts_as_called() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let log = Outbox::open(&path, "test", thoth_outbox::Options::default()).unwrap();
        let scope = Identity::new("acme", "bot").user("sam").into_scope();
        let mut number = 0;
        let mut event = |kind: &str, call: &str, tool: &str| {
            number += 1;
            let body = json!({
                "tenant_id": "acme", "agent_id": "bot", "user_id": "sam", "tool_name": tool,
            });
            Event {
                id: format!("e-{number}"),
                session_id: scope.session_id.clone(),
                call_id: call.into(),
                event_type: kind.into(),
                body: body.to_string(),
                facts: String::new(),
            }
        };
        for event in [
            event("SESSION_START", "", "session_start"),
            event("TOOL_CALL_PRE", "1", "killed"),
            event("TOOL_CALL_PRE", "2", "refused"),
            event("TOOL_CALL_BLOCK", "2", "refused"),
            event("TOOL_CALL_PRE", "3", "done"),
            event("TOOL_CALL_POST", "3", "done"),
            event("TOOL_CALL_PRE", "4", "held"),
            event("HOLD", "4", "held"),
            event("TOOL_CALL_PRE", "5", "approved"),
            event("HOLD", "5", "approved"),
            event("APPROVAL", "5", "approved"),
            event("TOOL_CALL_PRE", "6", "used"),
            event("HOLD", "6", "used"),
            event("APPROVAL", "6", "used"),
            event("TOOL_CALL_BLOCK", "6", "used"),
        ] {
            log.append(event).await.unwrap();
        }
        let past = Past::read(&log.archive().unwrap(), &scope).unwrap();
        assert_eq!(past.history, ["done", "killed", "approved", "used"]);
        assert_eq!(past.spent.calls, 6);
    }
}
