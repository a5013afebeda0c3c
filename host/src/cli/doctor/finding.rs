//! What a check found, for people and for programs.

use serde_json::{Value, json};
use thoth_host::inert;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works, and yet there is something to do.
    Warn,
    /// Calls are not governed, or do not run, until something is done.
    Fail,
}

/// One thing that was checked.
#[derive(Debug)]
pub(super) struct Finding {
    name: &'static str,
    pub(super) status: Status,
    what: String,
    todo: Option<String>,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Finding {
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            what: what.into(),
            todo: None,
        }
    }

    pub(super) fn warn(
        name: &'static str,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Warn,
            todo: Some(todo.into()),
            ..Self::ok(name, what)
        }
    }

    pub(super) fn fail(
        name: &'static str,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Fail,
            ..Self::warn(name, what, todo)
        }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "check": self.name,
            "status": self.status.as_str(),
            "what": self.what,
            "do": self.todo,
        })
    }

    pub(super) fn print(&self) {
        let line = format!("{:<5}{:<13} {}", self.status.as_str(), self.name, self.what);
        tell!("{}", inert(&line, 1_000));
        if let Some(todo) = &self.todo {
            tell!("                   → {}", inert(todo, 500));
        }
    }
}
