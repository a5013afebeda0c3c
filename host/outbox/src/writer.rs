//! The one thread that writes: it takes what has queued up and commits it as one group.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::error::AppendError;
use crate::ledger::{Change, Ledger};
use crate::reader::Reader;

/// The most changes that share a transaction.
const GROUP: usize = 256;

/// The most changes that wait for the writer; more make their callers wait.
const QUEUE: usize = 1024;

/// A change and whoever waits for it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) change: Change,
    pub(crate) reply: oneshot::Sender<Result<(), AppendError>>,
}

/// What the parts of one process tell each other; other processes are noticed by polling.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Something was appended. One delivery loop listens.
    pub(crate) appended: Notify,
    /// Somebody waits for the log to drain, so there is no time to gather a batch.
    pub(crate) hurry: Notify,
    /// Something was delivered or rejected. Many may listen.
    pub(crate) settled: Notify,
}

/// Starts the writer. It stops when every sender is gone and what they sent is committed.
///
/// The thread also keeps the reader, so that the last connection is closed here, where the sync that
/// closing ends in holds up nobody.
pub(crate) fn start(
    ledger: Ledger,
    reader: Arc<Reader>,
    signals: Arc<Signals>,
) -> io::Result<mpsc::Sender<Request>> {
    let (sender, queue) = mpsc::channel(QUEUE);
    thread::Builder::new()
        .name("thoth-outbox".into())
        .spawn(move || {
            write(ledger, queue, &signals);
            drop(reader);
        })?;
    Ok(sender)
}

fn write(mut ledger: Ledger, mut queue: mpsc::Receiver<Request>, signals: &Signals) {
    let mut group: Vec<Request> = Vec::with_capacity(GROUP);
    while queue.blocking_recv_many(&mut group, GROUP) > 0 {
        let committed = ledger.commit(group.iter().map(|request| &request.change));
        let (mut appended, mut settled) = (false, false);
        match committed {
            Ok(answers) => {
                for (request, answer) in group.drain(..).zip(answers) {
                    match request.change {
                        Change::Append(_) => appended |= answer.is_ok(),
                        Change::Settle(_) => settled = true,
                        Change::Trouble(_) => {}
                    }
                    // A caller that gave up has dropped its end; the change is committed all the same.
                    let _ = request.reply.send(answer);
                }
            }
            Err(why) => {
                for request in group.drain(..) {
                    let _ = request
                        .reply
                        .send(Err(AppendError::Unavailable(why.clone())));
                }
            }
        }
        if appended {
            signals.appended.notify_one();
        }
        if settled {
            signals.settled.notify_waiters();
        }
        ledger.tidy();
    }
}
