//! One row of the corpus: what is loaded, what is called, and what must come of it.

use std::{path::PathBuf, time::Duration};

use serde_json::Value;
use thoth_tests::{Thoth, flags, hostile, thoth::Invocation, tool};

use super::seen::Seen;

/// Wall-clock time for a tool that is to end by it.
const SHORT: Duration = Duration::from_millis(100);
/// Wall-clock time for a tool that is to end by something else, on a busy machine.
const LONG: Duration = Duration::from_secs(30);
/// MiB of memory for every row.
const MEMORY: &str = "64";

/// A component.
enum Guest {
    /// `tests/corpus/NAME.wat`.
    Text(&'static str),
    /// A function of the tool under `tests/tools`.
    Tool(&'static str),
    /// Made here.
    Bytes(fn() -> Vec<u8>),
}

/// What must come of a row.
enum Expected {
    /// The call fails, with one of these causes.
    Fails(&'static [&'static str]),
    /// It is not loaded; the error has one of these texts.
    NotLoaded(&'static [&'static str]),
    /// The call gives a result, for which this holds.
    Gives(fn(&Value) -> bool),
}

/// One thing that a hostile component does.
pub(crate) struct Row {
    id: &'static str,
    what: String,
    guest: Guest,
    function: &'static str,
    arguments: Value,
    time: Duration,
    flags: Vec<String>,
    expected: Vec<Expected>,
    said: &'static [&'static str],
}

fn row(id: &'static str, what: &str, guest: Guest) -> Row {
    Row {
        id,
        what: what.into(),
        guest,
        function: "run",
        arguments: Value::Object(Default::default()),
        time: LONG,
        flags: Vec::new(),
        expected: Vec::new(),
        said: &[],
    }
}

/// The function `run` of a component of the corpus.
pub(crate) fn text(id: &'static str, name: &'static str) -> Row {
    row(id, name, Guest::Text(name))
}

/// A function of the tool `hostile`.
pub(crate) fn rust(id: &'static str, function: &'static str) -> Row {
    Row {
        function,
        ..row(id, function, Guest::Tool("hostile"))
    }
}

/// The tool `run` of a tool under `tests/tools`.
pub(crate) fn built(id: &'static str, name: &'static str) -> Row {
    row(id, name, Guest::Tool(name))
}

/// The function `run` of a component that is made here.
pub(crate) fn made(id: &'static str, what: &str, bytes: fn() -> Vec<u8>) -> Row {
    row(id, what, Guest::Bytes(bytes))
}

impl Row {
    /// With arguments, which tell it apart from the others of its function.
    pub(crate) fn with(mut self, arguments: Value) -> Self {
        self.what = format!("{} {arguments}", self.what);
        self.arguments = arguments;
        self
    }

    /// With arguments that need no mention.
    pub(crate) fn given(mut self, arguments: Value) -> Self {
        self.arguments = arguments;
        self
    }

    /// Under another name than its function's.
    pub(crate) fn called(mut self, what: &str) -> Self {
        self.what = what.into();
        self
    }

    /// Under another name, as a row of another number.
    pub(crate) fn called_in(self, id: &'static str, what: &str) -> Self {
        Self { id, ..self }.called(what)
    }

    /// With flags of `thoth call`, first of all grants. `{home}` in one is the home of the call.
    pub(crate) fn flags<F: Into<String>>(mut self, flags: impl IntoIterator<Item = F>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// It ends by its time limit, and not by itself.
    pub(crate) fn runs_out_of_time(self) -> Self {
        self.in_short().fails(&["limit_time", "limit_fuel"])
    }

    /// Within little time.
    pub(crate) fn in_short(mut self) -> Self {
        self.time = SHORT;
        self
    }

    /// The call fails, with one of these causes.
    pub(crate) fn fails(mut self, causes: &'static [&'static str]) -> Self {
        self.expected.push(Expected::Fails(causes));
        self
    }

    /// It is not loaded; the error has one of these texts.
    pub(crate) fn stays_out(mut self, texts: &'static [&'static str]) -> Self {
        self.expected.push(Expected::NotLoaded(texts));
        self
    }

    /// Where it is not loaded, the error has all of these texts.
    pub(crate) fn saying(mut self, texts: &'static [&'static str]) -> Self {
        self.said = texts;
        self
    }

    /// It gives a result for which this holds.
    pub(crate) fn gives(mut self, holds: fn(&Value) -> bool) -> Self {
        self.expected.push(Expected::Gives(holds));
        self
    }

    /// Id and what it does.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.id, self.what)
    }

    /// Whether it needs a flag that the command does not have yet.
    pub(crate) fn waits(&self) -> bool {
        flags::wait_for(&self.flags)
    }

    /// The call, without a policy.
    pub(crate) fn call(&self, thoth: &Thoth) -> Invocation {
        let home = thoth.path("");
        let home = home.to_string_lossy();
        let home = home.trim_end_matches('/').to_owned();
        thoth
            .call(self.component(thoth))
            .arg(self.function)
            .arg("-")
            .stdin(self.arguments.to_string())
            .arg("--tool-timeout")
            .arg(format!("{}ms", self.time.as_millis()))
            .args(["--max-memory", MEMORY])
            .args(self.flags.iter().map(|flag| flag.replace("{home}", &home)))
    }

    fn component(&self, thoth: &Thoth) -> PathBuf {
        match self.guest {
            Guest::Tool(name) => tool(name),
            Guest::Text(_) | Guest::Bytes(_) => thoth.file("hostile.wasm", self.bytes()),
        }
    }

    /// The component.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self.guest {
            Guest::Tool(name) => std::fs::read(tool(name)).unwrap(),
            Guest::Text(name) => hostile(name),
            Guest::Bytes(bytes) => bytes(),
        }
    }

    /// Whether it is called, and without a flag.
    pub(crate) fn is_for_one_process(&self) -> bool {
        let called = |expected: &Expected| !matches!(expected, Expected::NotLoaded(_));
        // Writing hundreds of mebibytes takes longer than all others together.
        self.flags.is_empty()
            && self.expected.iter().any(called)
            && self.function != "floods_output"
    }

    /// The wall-clock time of its call.
    pub(crate) fn time(&self) -> Duration {
        self.time
    }

    /// The function and its arguments, as JSON text.
    pub(crate) fn entry(&self) -> (&'static str, String) {
        (self.function, self.arguments.to_string())
    }

    /// Whether what came of it is what must.
    pub(crate) fn is_contained(&self, seen: &Seen) -> bool {
        self.expected.iter().any(|expected| match (expected, seen) {
            (Expected::Fails(causes), Seen::Failed { cause, .. }) => causes.contains(&&**cause),
            (Expected::NotLoaded(texts), Seen::NotLoaded(error)) => {
                texts.iter().any(|text| error.contains(text))
                    && self.said.iter().all(|text| error.contains(text))
            }
            (Expected::Gives(holds), Seen::Completed(result)) => holds(result),
            _ => false,
        })
    }
}
