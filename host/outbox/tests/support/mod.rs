//! What the suites share: events, a carrier that follows a script, and children that can be killed.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::collections::VecDeque;
use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thoth_outbox::{Carrier, Event, Options, Outbox, Sent};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The folder that a child works in; set in children only.
const CHILD: &str = "THOTH_OUTBOX_TEST_CHILD";

/// An event of a session.
pub(crate) fn event(session: &str, number: usize) -> Event {
    Event {
        id: format!("acme:{session}-{number:06}"),
        session_id: session.into(),
        call_id: format!("call-{number}"),
        event_type: "TOOL_CALL_PRE".into(),
        body: format!("{{\"number\":{number}}}"),
        facts: String::new(),
    }
}

/// The log in a folder.
pub(crate) fn log(folder: &Path) -> PathBuf {
    folder.join("state").join("log.db")
}

/// Opens the log in a folder, for the embedded enforcer.
pub(crate) fn open(folder: &Path) -> Outbox {
    Outbox::open(&log(folder), "embedded", Options::default()).unwrap()
}

/// Every id in the log, in order.
pub(crate) fn ids(folder: &Path) -> Vec<String> {
    let log = rusqlite::Connection::open(log(folder)).unwrap();
    let mut rows = log.prepare("SELECT id FROM event ORDER BY seq").unwrap();
    let ids = rows.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}

/// In a child: the folder to work in. In the suite itself: nothing, so the child's test does nothing.
pub(crate) fn child_folder() -> Option<PathBuf> {
    env::var_os(CHILD).map(Into::into)
}

/// A process of this suite that runs one of its tests as a child's part, and its output.
pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Runs the test `name` in a child; `prepare` may change the command.
    pub(crate) fn start(
        name: &str,
        folder: &Path,
        prepare: impl FnOnce(Command) -> Command,
    ) -> Self {
        let command = Command::new(env::current_exe().unwrap());
        let mut process = prepare(command)
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(CHILD, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// What it printed after `word` on the next line that starts with it; none at its end.
    pub(crate) fn next(&mut self, word: &str) -> Option<String> {
        loop {
            let line = self.lines.next()?.unwrap();
            if let Some(rest) = line.strip_prefix(word) {
                return Some(rest.trim().into());
            }
        }
    }

    /// Everything else that it printed after `word`.
    pub(crate) fn rest(&mut self, word: &str) -> Vec<String> {
        std::iter::from_fn(|| self.next(word)).collect()
    }

    /// Ends it as the kernel would, without any chance to tidy up.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// One try that a carrier saw.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub(crate) at: Instant,
    pub(crate) ids: Vec<String>,
}

/// A carrier that answers from a script, then refuses what its destination never takes, then accepts.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    answers: Arc<Mutex<VecDeque<Sent>>>,
    refuses: Arc<Mutex<Vec<String>>>,
    tries: Arc<Mutex<Vec<Try>>>,
    tried: Arc<Notify>,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Sent>) -> Self {
        let scripted = Self::default();
        scripted.answers.lock().unwrap().extend(answers);
        scripted
    }

    pub(crate) fn refusing(events: &[&Event]) -> Self {
        let scripted = Self::default();
        let ids = events.iter().map(|event| event.id.clone());
        scripted.refuses.lock().unwrap().extend(ids);
        scripted
    }

    pub(crate) fn tries(&self) -> Vec<Try> {
        self.tries.lock().unwrap().clone()
    }

    /// All ids in the order in which they came.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.tries().into_iter().flat_map(|one| one.ids).collect()
    }

    /// Resolves after the next try.
    pub(crate) async fn tried(&self) {
        self.tried.notified().await;
    }
}

impl Carrier for Scripted {
    async fn send(&self, batch: &[Event]) -> Sent {
        let ids: Vec<String> = batch.iter().map(|event| event.id.clone()).collect();
        let refused = ids
            .iter()
            .any(|id| self.refuses.lock().unwrap().contains(id));
        self.tries.lock().unwrap().push(Try {
            at: Instant::now(),
            ids,
        });
        self.tried.notify_one();
        if let Some(answer) = self.answers.lock().unwrap().pop_front() {
            return answer;
        }
        if refused {
            return Sent::Never {
                why: "not\nwell-formed".into(),
            };
        }
        Sent::Accepted
    }
}

/// An answer that asks for another try.
pub(crate) fn later(after: Option<Duration>) -> Sent {
    Sent::Later {
        after,
        why: "503".into(),
    }
}
