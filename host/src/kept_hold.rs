//! What the log knows of a held call, for a process that picks it up after the one that made it.

use std::ops::ControlFlow;

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
    ended: bool,
}

impl KeptHold {
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
                        found = Self::of(&event.body, &event.call_id, token, &wanted);
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
                evidence: Evidence::default(),
            },
            ended: false,
        })
    }
}
