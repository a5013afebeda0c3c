//! What came of a hostile call.

use std::fmt;

use serde_json::Value;
use thoth_tests::Run;

/// The longest error that a person has to read, in bytes.
const ERROR_MAX: usize = 2 << 10;

/// What came of it, as the command tells.
pub(crate) enum Seen {
    /// It gave a result.
    Completed(Value),
    /// It failed.
    Failed {
        /// Which limit, or what else.
        cause: String,
        /// In words.
        reason: String,
    },
    /// It was not loaded; the one line of the error.
    NotLoaded(String),
    /// What it said reached a terminal as it is: this character, and all that was written.
    Unescaped(char, String),
}

impl Seen {
    /// Reads a run, and checks what holds for all: the process ended by itself, with one line of
    /// JSON or one line of error, and no control character in them.
    pub(crate) fn of(run: &Run) -> Self {
        assert!(run.status.code().is_some(), "it was killed: {run}");
        assert!(!run.stderr.contains("panicked at"), "{run}");
        for text in [&run.stdout, &run.stderr] {
            if let Some(control) = text.chars().find(|c| c.is_control() && *c != '\n') {
                return Self::Unescaped(control, text.clone());
            }
        }
        assert!(run.stderr.len() < ERROR_MAX, "{run}");
        if run.stdout.is_empty() {
            // 2 where the component offers nothing of that name, or its grants cannot be.
            let code = if run.status.code() == Some(2) { 2 } else { 1 };
            return Self::NotLoaded(run.error(code).to_owned());
        }
        assert_eq!(run.stdout.lines().count(), 1, "{run}");
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        match json["outcome"].as_str() {
            Some("completed") => Self::Completed(json["result"].clone()),
            Some("failed") => Self::Failed {
                cause: json["cause"].as_str().unwrap().into(),
                reason: json["reason"].as_str().unwrap().into(),
            },
            _ => panic!("neither completed nor failed: {run}"),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed(result) => {
                let text: String = result.to_string().chars().take(60).collect();
                write!(out, "gave {text}")
            }
            Self::Failed { cause, reason } => write!(out, "{cause}: {reason}"),
            Self::NotLoaded(error) => write!(out, "not loaded: {error}"),
            Self::Unescaped(control, text) => write!(out, "wrote {control:?}: {text:?}"),
        }
    }
}
