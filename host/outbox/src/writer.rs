//! The writes of one process: whoever finds the log free commits for everyone who waits, as one group.
//!
//! A commit takes some ten microseconds, less than waking a thread for it. So it is done in the
//! caller's own place as long as it is quick; a thread takes over where it may wait: for another
//! process, for a slow disk, for a disk that must be synced.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::AppendError;
use crate::ledger::{Change, Committed, Ledger, Patience};
use crate::reader::Reader;

/// The most changes that share a transaction.
const GROUP: usize = 256;

/// The most changes that wait to be written; more make their callers wait.
const QUEUE: usize = 1024;

/// Groups that one caller commits before the thread goes on, so that nobody serves the others for ever.
const ROUNDS: usize = 4;

/// A commit that takes longer than this is not done in a caller's place the next time.
const SLOW: Duration = Duration::from_millis(1);

/// A change and whoever waits for it.
#[derive(Debug)]
struct Request {
    change: Change,
    reply: oneshot::Sender<Result<(), AppendError>>,
    _room: OwnedSemaphorePermit,
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

/// The writing side of a log. Its thread ends when this is dropped and what waited is committed.
#[derive(Debug)]
pub(crate) struct Writer {
    // Before the waker: the thread ends when the waker goes, and is to close the log.
    desk: Arc<Desk>,
    waker: SyncSender<()>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Desk {
    ledger: Mutex<Ledger>,
    waiting: Mutex<Vec<Request>>,
    /// Whether every commit waits for the disk.
    synced: bool,
    /// Whether a commit may be done in a caller's place.
    quick: AtomicBool,
    signals: Arc<Signals>,
}

impl Writer {
    /// Starts the thread. It also keeps the reader, so that the last connection is closed there, where
    /// the sync that closing ends in holds up nobody.
    ///
    /// `synced` says that every commit waits for the disk; none is done in a caller's place then.
    pub(crate) fn start(
        ledger: Ledger,
        reader: Arc<Reader>,
        signals: Arc<Signals>,
        synced: bool,
    ) -> io::Result<Self> {
        let desk = Arc::new(Desk {
            ledger: Mutex::new(ledger),
            waiting: Mutex::default(),
            synced,
            quick: AtomicBool::new(!synced),
            signals,
        });
        let (waker, woken) = sync_channel(1);
        let own = Arc::clone(&desk);
        thread::Builder::new()
            .name("thoth-outbox".into())
            .spawn(move || {
                own.serve(&woken);
                drop(reader);
            })?;
        Ok(Self {
            desk,
            waker,
            room: Arc::new(Semaphore::new(QUEUE)),
        })
    }

    /// Has a change committed.
    ///
    /// # Cancel safety
    /// Once the change waits in the queue it is committed, whether or not anyone listens.
    pub(crate) async fn change(&self, change: Change) -> Result<(), AppendError> {
        let stopped = || AppendError::Unavailable("its writer has stopped; restart".into());
        let room = Arc::clone(&self.room);
        let room = room.acquire_owned().await.map_err(|_| stopped())?;
        let (reply, mut answer) = oneshot::channel();
        lock(&self.desk.waiting).push(Request {
            change,
            reply,
            _room: room,
        });
        if !self.desk.quick.load(Ordering::Relaxed) || !self.desk.work(ROUNDS, Patience::None) {
            // Full means that the thread has been woken already.
            let _ = self.waker.try_send(());
        }
        // In most cases it is there already.
        match answer.try_recv() {
            Ok(answer) => answer,
            Err(_) => answer.await.map_err(|_| stopped())?,
        }
    }
}

impl Desk {
    /// The thread: commits what callers left to it, until every writer is gone.
    fn serve(&self, woken: &Receiver<()>) {
        loop {
            let over = woken.recv().is_err();
            self.work(usize::MAX, Patience::Full);
            if over {
                lock(&self.ledger).close();
                return;
            }
        }
    }

    /// Commits what waits, in at most so many groups, unless somebody else is at it: who holds the
    /// ledger looks again after letting go of it, so that nothing put down meanwhile is left.
    ///
    /// False means that something is left for the thread.
    fn work(&self, rounds: usize, patience: Patience) -> bool {
        for _ in 0..rounds {
            let mut ledger = match (patience, self.ledger.try_lock()) {
                (_, Ok(ledger)) => ledger,
                (_, Err(TryLockError::Poisoned(poisoned))) => poisoned.into_inner(),
                (Patience::None, Err(TryLockError::WouldBlock)) => return true,
                (Patience::Full, Err(TryLockError::WouldBlock)) => lock(&self.ledger),
            };
            let mut group = {
                let mut waiting = lock(&self.waiting);
                let most = waiting.len().min(GROUP);
                waiting.drain(..most).collect::<Vec<_>>()
            };
            if group.is_empty() {
                // A caller may have left this to the thread.
                let tidy = ledger.tidy(patience);
                drop(ledger);
                if !tidy {
                    return false;
                }
                if lock(&self.waiting).is_empty() {
                    return true;
                }
                continue;
            }
            let start = Instant::now();
            match ledger.commit(group.iter().map(|request| &request.change), patience) {
                Ok(Committed::Answers(answers)) => self.answer(group, answers),
                Ok(Committed::Busy) => {
                    // In front again: order is kept within a session.
                    let mut waiting = lock(&self.waiting);
                    group.append(&mut waiting);
                    *waiting = group;
                    return false;
                }
                Err(why) => {
                    for request in group {
                        let _ = request
                            .reply
                            .send(Err(AppendError::Unavailable(why.clone())));
                    }
                }
            }
            let quick = !self.synced && start.elapsed() < SLOW;
            self.quick.store(quick, Ordering::Relaxed);
            if !ledger.tidy(patience) {
                return false;
            }
        }
        false
    }

    fn answer(&self, group: Vec<Request>, answers: Vec<Result<(), AppendError>>) {
        let (mut appended, mut settled) = (false, false);
        for (request, answer) in group.into_iter().zip(answers) {
            match request.change {
                Change::Append(_) => appended |= answer.is_ok(),
                Change::Settle(_) => settled = true,
                Change::Trouble(_) | Change::Sign => {}
            }
            // A caller that gave up has dropped its end; the change is committed all the same.
            let _ = request.reply.send(answer);
        }
        if appended {
            self.signals.appended.notify_one();
        }
        if settled {
            self.signals.settled.notify_waiters();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
