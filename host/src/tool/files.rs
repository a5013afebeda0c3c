//! Between a tool's files and whoever decides about effects and records them.

use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};
use thoth_files::{Gate, Mode, Opening};

use super::effects::{Effect, Effects};

/// Asks about each file that a call opens. Without anybody to ask nothing is opened.
pub(super) struct Doorkeeper(pub(super) Option<Arc<dyn Effects>>);

impl Gate for Doorkeeper {
    fn refused(&self, opening: Opening) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match &self.0 {
            Some(effects) => effects.refused(
                effect(opening),
                "the folder's grant does not allow it".into(),
            ),
            None => Box::pin(async {}),
        }
    }

    fn open(&self, opening: Opening) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        match &self.0 {
            // It is opened after the answer; there is nothing else to do for it.
            Some(effects) => effects.perform(
                effect(opening),
                Box::new(|_| Box::pin(async { Ok(Value::Null) })),
            ),
            None => Box::pin(async { Err("nobody decides about files now".into()) }),
        }
    }
}

fn effect(opening: Opening) -> Effect {
    let mode = match opening.mode {
        Mode::Read => "read",
        Mode::Write => "write",
    };
    let mut arguments = Map::new();
    arguments.insert("path".into(), opening.guest_path.into());
    arguments.insert("mode".into(), mode.into());
    arguments.insert("create".into(), opening.create.into());
    arguments.insert("truncate".into(), opening.truncate.into());
    Effect {
        tool: "effect:file",
        arguments,
        server: None,
        govern: opening.governed,
    }
}
