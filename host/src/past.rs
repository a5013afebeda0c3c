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
        let mut open: Vec<(String, String)> = Vec::new();
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
                for (_, tool) in open {
                    remember(&mut past.history, &tool);
                }
                Ok(past)
            }
            None => Err(format!("the log has no session `{}`", scope.session_id)),
        }
    }

    fn take(&mut self, entry: &Entry, body: &Value, open: &mut Vec<(String, String)>) {
        let metadata = |name: &str| body.get("metadata")?.get(name);
        let tool = body.get("tool_name").and_then(Value::as_str);
        let tool = tool.filter(|tool| !tool.starts_with("effect:"));
        if metadata("effect").is_some() {
            return;
        }
        let (kind, call) = (&*entry.event.event_type, &*entry.event.call_id);
        open.retain(|(other, _)| other != call);
        if let ("TOOL_CALL_PRE" | "APPROVAL", Some(tool)) = (kind, tool) {
            open.push((call.into(), tool.into()));
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
