//! The handle that everyone holds: append, ask for the state, wait until all is delivered.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::archive::Archive;
use crate::chain;
use crate::count::Cap;
use crate::error::{AppendError, OpenError, StatusError, one_line};
use crate::event::Event;
use crate::file::LogFile;
use crate::ledger::{Change, Kind, Ledger, Record, Settlement};
use crate::reader::{Batch, Reader};
use crate::signer::Signer;
use crate::turn;
use crate::wal::WriteAhead;
use crate::writer::{Signals, Writer};

/// How often a log that another process delivers is looked at by whoever waits for it to drain.
const DRAIN_POLL: Duration = Duration::from_millis(100);

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether an append also survives a loss of power: every commit then waits for the disk. Without
    /// it an append survives a killed process, and a loss of power may take the last of them.
    pub power_loss: bool,
    /// The most events that may wait for one destination before nothing new begins.
    pub max_waiting: u64,
    /// The most bytes of events that may wait for one destination before nothing new begins.
    pub max_waiting_bytes: u64,
}

impl Default for Options {
    /// Survives a killed process; a million events or 256 MiB may wait.
    fn default() -> Self {
        Self {
            power_loss: false,
            max_waiting: 1_000_000,
            max_waiting_bytes: 256 << 20,
        }
    }
}

/// What a log holds for one destination, over all processes that use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Events not yet delivered.
    pub waiting: u64,
    /// What they count for against the cap.
    pub waiting_bytes: u64,
    /// Events that the destination accepted.
    pub delivered: u64,
    /// Events that the destination refused for good; they stay in the log with the reason.
    pub rejected: u64,
    /// When the oldest waiting event was appended.
    pub oldest_waiting: Option<SystemTime>,
    /// What the destination last said, unless it accepted since.
    pub last_error: Option<String>,
}

/// A durable log of events for one destination. Clones share it.
///
/// When the last clone is dropped, what was accepted is committed and the writer's thread ends.
#[derive(Clone, Debug)]
pub struct Outbox {
    // Before the writer: its thread ends when the writer goes, and is to close the reader.
    reader: Arc<Reader>,
    writer: Arc<Writer>,
    signals: Arc<Signals>,
    turn: PathBuf,
    destination: Arc<str>,
    path: PathBuf,
}

impl Outbox {
    /// Opens the log at `path`, and makes it (for its owner only) if it is missing. `destination` is
    /// an enforcer's origin, or `embedded`: what is appended here is delivered there and nowhere else.
    ///
    /// Blocks for as long as the disk takes, or for about five seconds if another process keeps the
    /// log locked.
    ///
    /// # Errors
    /// A folder or file that cannot be used or is not private, a symbolic link, a damaged file or
    /// another program's, or a newer format: see [`OpenError`].
    pub fn open(path: &Path, destination: &str, options: Options) -> Result<Self, OpenError> {
        let file = LogFile::prepare(path)?;
        let failed = |source| OpenError::Database {
            path: path.into(),
            source,
        };
        let cap = Cap {
            events: i64::try_from(options.max_waiting).unwrap_or(i64::MAX),
            bytes: i64::try_from(options.max_waiting_bytes).unwrap_or(i64::MAX),
        };
        let thread = |source| OpenError::Thread { source };
        let (mut writing, log) = file.connect(options.power_loss)?;
        let signer = Signer::open(file.path(), log)?;
        let reading = file.connect_to_read()?;
        let turn = turn::path(file.path(), destination);
        let log = file.path().to_owned();
        let write_ahead =
            WriteAhead::start(&mut writing, file.connect_to_read()?).map_err(thread)?;
        let ledger =
            Ledger::new(writing, write_ahead, file, signer, destination, cap).map_err(failed)?;
        let reader = Arc::new(Reader::new(reading, ledger.destination()));
        let signals = Arc::new(Signals::default());
        let writer = Writer::start(
            ledger,
            Arc::clone(&reader),
            Arc::clone(&signals),
            options.power_loss,
        )
        .map_err(thread)?;
        Ok(Self {
            reader,
            writer: Arc::new(writer),
            signals,
            turn,
            destination: destination.into(),
            path: log,
        })
    }

    /// Keeps an event to be delivered; returns once it is committed. An event that is in the log
    /// already, the same in every field, is fine.
    ///
    /// # Errors
    /// [`AppendError`]. The event must not take effect then.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the event kept whole or not at all, and says nothing about which.
    /// Appending it again under the same id is safe.
    pub async fn append(&self, event: Event) -> Result<(), AppendError> {
        self.record(event, Kind::Begins).await
    }

    /// As [`Self::append`], for the end of something whose beginning was appended: it is kept and delivered
    /// whatever waits. So who calls this bounds what is under way.
    ///
    /// # Errors
    /// As [`Self::append`], but never [`AppendError::Full`].
    ///
    /// # Cancel safety
    /// As [`Self::append`].
    pub async fn append_end(&self, event: Event) -> Result<(), AppendError> {
        self.record(event, Kind::Ends).await
    }

    /// As [`Self::append`], for what is kept and delivered to nobody. It does not count against the
    /// cap, so who calls this bounds it.
    ///
    /// # Errors
    /// As [`Self::append`].
    ///
    /// # Cancel safety
    /// As [`Self::append`].
    pub async fn keep(&self, event: Event) -> Result<(), AppendError> {
        self.record(event, Kind::Local).await
    }

    async fn record(&self, event: Event, kind: Kind) -> Result<(), AppendError> {
        let destination = match kind {
            Kind::Begins | Kind::Ends => &*self.destination,
            Kind::Local => "",
        };
        let content = chain::content(destination, &event);
        let record = Record {
            event,
            content,
            kind,
        };
        self.writer.change(Change::Append(Box::new(record))).await
    }

    /// Signs the end of the chain, if this process appended something that no checkpoint covers yet.
    /// It happens by itself every [`CHECKPOINT_EVERY`](crate::CHECKPOINT_EVERY) records, and when the last clone is dropped; a
    /// process that ends right away calls this before.
    ///
    /// # Errors
    /// The checkpoint could not be written.
    ///
    /// # Cancel safety
    /// Safe; the checkpoint is written or not.
    pub async fn checkpoint(&self) -> Result<(), AppendError> {
        self.writer.change(Change::Sign).await
    }

    /// The log to be read. It blocks, so not on a thread that others wait for.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub fn archive(&self) -> Result<Archive, OpenError> {
        Archive::open(&self.path)
    }

    /// What the log holds for this destination.
    ///
    /// # Errors
    /// If the log cannot be read.
    ///
    /// # Cancel safety
    /// Safe; it only reads.
    pub async fn status(&self) -> Result<Status, StatusError> {
        self.read(Reader::status).await.map_err(StatusError)
    }

    /// How many events wait for this destination; none if the log cannot be read. It blocks, so not on a
    /// thread that others wait for.
    pub fn waiting(&self) -> Option<u64> {
        self.reader.status().ok().map(|status| status.waiting)
    }

    /// Resolves when nothing waits for this destination, whichever process delivers it. It does not
    /// resolve while the log cannot be read or nobody delivers: put a time-out around it.
    ///
    /// # Cancel safety
    /// Safe; it only reads.
    pub async fn drained(&self) {
        loop {
            let mut settled = pin!(self.signals.settled.notified());
            // Listen first and look second, or what is settled in between would be missed.
            settled.as_mut().enable();
            self.signals.hurry.notify_one();
            if self.status().await.is_ok_and(|status| status.waiting == 0) {
                return;
            }
            // An error is no news either: look again later.
            let _ = tokio::time::timeout(DRAIN_POLL, settled).await;
        }
    }

    /// The oldest events that wait after row `after`, at most `limit`.
    pub(crate) async fn batch(&self, after: i64, limit: usize) -> Result<Batch, String> {
        self.read(move |reader| reader.batch(after, limit)).await
    }

    /// Records what the destination said about the oldest waiting events.
    pub(crate) async fn settle(&self, settlement: Settlement) -> Result<(), AppendError> {
        self.writer.change(Change::Settle(settlement)).await
    }

    /// Records that the destination cannot be reached, for [`Outbox::status`] in any process.
    pub(crate) async fn trouble(&self, why: &str) -> Result<(), AppendError> {
        self.writer.change(Change::Trouble(one_line(why))).await
    }

    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// The file whose lock says which process delivers.
    pub(crate) fn turn(&self) -> &Path {
        &self.turn
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let reader = Arc::clone(&self.reader);
        match tokio::task::spawn_blocking(move || query(&reader)).await {
            Ok(answer) => answer,
            // The runtime ends, and whoever asks with it: nothing is wrong with the log.
            Err(stopped) if stopped.is_cancelled() => std::future::pending().await,
            Err(stopped) => Err(one_line(&stopped.to_string())),
        }
    }
}
