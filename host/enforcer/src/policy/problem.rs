//! What is wrong with a policy text, and on which line.

use std::fmt;
use std::path::PathBuf;

use miette::Diagnostic;

/// One finding about a policy text, at a place of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named by the caller.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, where there is something to say.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            message,
            help,
        } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        match help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// A policy that cannot be used. `Display` gives one problem a line, in the order of the text.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file could not be read.
    #[error("cannot read policy file `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text has these problems; never empty.
    #[error("{}", one_per_line(.0))]
    Invalid(Vec<Problem>),
}

impl PolicyError {
    /// The problems in the text; none if it could not be read at all.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid(problems) => problems,
        }
    }
}

fn one_per_line(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    lines.join("\n")
}

/// A policy text with its name: turns byte offsets into places.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// A problem at a byte offset of the text.
    pub(super) fn problem(&self, offset: usize, message: impl Into<String>) -> Problem {
        let before = self
            .text
            .get(..offset.min(self.text.len()))
            .unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Problem {
            file: self.name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before
                .get(line_start..)
                .map_or(0, |part| part.chars().count())
                + 1,
            message: one_line(&message.into()),
            help: None,
        }
    }

    /// A problem from what Cedar says about the text.
    pub(super) fn diagnosed(&self, diagnostic: &dyn Diagnostic) -> Problem {
        let label = diagnostic.labels().and_then(|mut labels| labels.next());
        let offset = label.as_ref().map_or(0, |label| label.offset());
        let mut message = diagnostic.to_string();
        // The label holds the expected tokens, which say more than "unexpected token".
        if let Some(text) = label.as_ref().and_then(|label| label.label()) {
            message = format!("{message}: {text}");
        }
        Problem {
            help: diagnostic.help().map(|help| one_line(&help.to_string())),
            ..self.problem(offset, message)
        }
    }

    /// Every problem that Cedar found, not only the first.
    pub(super) fn all_diagnosed(&self, diagnostic: &dyn Diagnostic) -> Vec<Problem> {
        let mut problems = vec![self.diagnosed(diagnostic)];
        for related in diagnostic.related().into_iter().flatten() {
            problems.push(self.diagnosed(related));
        }
        problems
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
