//! What is said on stderr. A server says it from a thread of its own: a client that started it may never read
//! there, and what waits for that client must not be everything.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait to be read; more are not said.
const WAITING: usize = 1_024;

/// How long the end of the program waits for what was said last.
const PATIENCE: Duration = Duration::from_secs(1);

static APART: OnceLock<SyncSender<Said>> = OnceLock::new();
static UNSAID: AtomicU64 = AtomicU64::new(0);

enum Said {
    Text(Vec<u8>),
    /// All of it, up to here.
    All(SyncSender<()>),
}

/// From now on nobody waits for a reader of stderr.
pub(super) fn apart() {
    let (said, to_write) = sync_channel(WAITING);
    let writer = std::thread::Builder::new().name("thoth-stderr".into());
    // Without a thread it is said in place, as before.
    if writer.spawn(move || write(&to_write)).is_ok() {
        let _already = APART.set(said);
    }
}

fn write(said: &Receiver<Said>) {
    for said in said {
        let mut stderr = io::stderr().lock();
        let _closed = match said {
            Said::Text(text) => stderr.write_all(&text),
            Said::All(heard) => heard.try_send(()).map_err(io::Error::other),
        };
        let unsaid = UNSAID.swap(0, Ordering::Relaxed);
        if unsaid > 0 {
            let _closed = writeln!(stderr, "thoth: {unsaid} lines were not read in time");
        }
    }
}

/// Says a text, or counts it where nobody reads. Nobody may be there; that is no reason to fail.
pub(crate) fn say(text: &[u8]) {
    match APART.get() {
        Some(apart) => {
            if apart.try_send(Said::Text(text.to_owned())).is_err() {
                UNSAID.fetch_add(1, Ordering::Relaxed);
            }
        }
        None => {
            let _closed = io::stderr().write_all(text);
        }
    }
}

/// Waits until all was read, for a while.
pub(crate) fn finish() {
    let Some(apart) = APART.get() else { return };
    let (all, heard) = sync_channel(1);
    if apart.try_send(Said::All(all)).is_ok() {
        let _elapsed = heard.recv_timeout(PATIENCE);
    }
}

/// The same for a log.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        say(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
