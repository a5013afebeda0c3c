//! What must outlive the process: holds, events and violations, in SQLite.

mod checkpoint;
mod clock;
mod events;
mod holds;
mod listed;
mod migrate;
mod violations;

use std::fmt;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use thoth_core::Timestamp;
use tokio::sync::watch;

use clock::{Clock, Now, since_1970};
pub(crate) use events::{KeptEvent, StoredEvent};
pub(crate) use holds::NewHold;
pub use holds::{Approval, ApprovalStatus, Resolution, ResolveError};
use migrate::Found;
pub(crate) use violations::{KeptBlock, NewViolation};

/// How long a writer waits for another process on the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two tries where SQLite itself does not wait.
const BUSY_PAUSE: Duration = Duration::from_millis(1);
/// How long anything is kept, as the Thoth service does.
const RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How often a store that is in use forgets what is older.
const FORGETTING: Duration = Duration::from_secs(24 * 60 * 60);

/// The store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file could not be opened or is no database.
    #[error("cannot open the enforcer's store `{}`: {}", path.display(), plain(source))]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file is another program's database.
    #[error(
        "`{}` is another program's database; move it away to start a new store, or choose another folder",
        _0.display()
    )]
    Foreign(PathBuf),
    /// The file is a store of a later version of this program.
    #[error(
        "the enforcer's store `{}` is of a later version (format {version}, and this program knows {}); \
         use that version, or move the file away to start a new store",
        path.display(),
        migrate::VERSION
    )]
    Later {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: i64,
    },
    /// A statement failed: the disk is full, the file is locked or damaged.
    #[error("the enforcer's store failed: {}", plain(_0))]
    Database(#[from] rusqlite::Error),
    /// The system gave no random bytes for a token.
    #[error("no random bytes from the system: {0}")]
    Random(getrandom::Error),
}

/// What SQLite's answer means, in one line, with what to do.
fn plain(error: &rusqlite::Error) -> String {
    let known = match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "it cannot be written; check its permissions and its folder's, or choose another folder"
        }
        Some(ErrorCode::DiskFull) => "the disk is full; free some space",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process keeps it locked; try again, or end that one"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "it is damaged or another program's; move it away to start a new one"
        }
        _ => return error.to_string(),
    };
    known.into()
}

/// Holds, events and violations. Clones share one connection; several processes may open one file.
///
/// A write is durable against a killed process once the call returns. What is older than 90 days is
/// deleted when a store is opened, and once a day while events come.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    clock: Clock,
    changes: Arc<watch::Sender<u64>>,
    /// When it forgot last.
    forgot: Arc<AtomicI64>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or creates a store; its folder must exist.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or written, or is not a store: nothing is changed in it then.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // Arguments of held calls are in it, so a new file is its owner's only. Whatever keeps it from
        // being made keeps SQLite from it as well, and SQLite says what.
        let _made = std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(path);
        let cannot_open = |source| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        // It may be anybody's, and SQLite tidies up a file that it may write to.
        let found = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .and_then(|connection| {
                connection.busy_timeout(BUSY_TIMEOUT)?;
                migrate::recognise(&connection)
            })
            .map_err(cannot_open)?;
        match found {
            Found::Ours => Connection::open(path)
                .and_then(Self::prepare)
                .map_err(cannot_open),
            Found::Foreign => Err(StoreError::Foreign(path.to_owned())),
            Found::Later(version) => Err(StoreError::Later {
                path: path.to_owned(),
                version,
            }),
        }
    }

    /// A store that ends with its last clone.
    ///
    /// # Errors
    ///
    /// If SQLite has no memory left.
    pub fn in_memory() -> Result<Self, StoreError> {
        let connection = Connection::open_in_memory()?;
        Ok(Self::prepare(connection)?)
    }

    /// The same store with another clock: expiry and retention go by it.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.with_moments(move || {
            let wall = since_1970(clock());
            Now {
                wall,
                uptime: wall,
                boot: "".into(),
            }
        })
    }

    fn with_moments(self, now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self {
            clock: Clock::new(now),
            ..self
        }
    }

    fn prepare(mut connection: Connection) -> rusqlite::Result<Self> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Else a statement is prepared anew for each value that it is given.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        write_ahead(&connection)?;
        // In WAL mode a killed process loses nothing with NORMAL; only a power cut can.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        checkpoint::copy_beside(&mut connection)?;
        migrate::migrate(&mut connection)?;
        let store = Self {
            connection: Arc::new(Mutex::new(connection)),
            clock: Clock::system(),
            changes: Arc::default(),
            forgot: Arc::default(),
        };
        store.forget_daily()?;
        Ok(store)
    }

    fn forget_daily(&self) -> rusqlite::Result<()> {
        let (now, last) = (self.now().wall, self.forgot.load(Ordering::Relaxed));
        let is_due = now.saturating_sub(last) >= milliseconds(FORGETTING);
        let relaxed = Ordering::Relaxed;
        // Of those who find that out at once, one does it.
        if is_due && (self.forgot.compare_exchange(last, now, relaxed, relaxed)).is_ok() {
            self.forget(RETENTION)?;
        }
        Ok(())
    }

    fn forget(&self, age: Duration) -> rusqlite::Result<()> {
        let before = self.now().wall.saturating_sub(milliseconds(age));
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM holds WHERE expires_at < ?1", [before])?;
        transaction.execute("DELETE FROM events WHERE received_at < ?1", [before])?;
        transaction.execute("DELETE FROM decisions WHERE decided_at < ?1", [before])?;
        transaction.commit()
    }

    /// A panic elsewhere cannot leave a half-written row: every write is one transaction.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    /// Tells of every hold, resolution, event and block that this process writes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Which state the store is in, at the price of looking at one number. As long as it is the same,
    /// nobody has written anything, in this process or another. Holds expire all the same.
    pub(crate) fn version(&self) -> Result<Version, StoreError> {
        let own = *self.changes.borrow();
        let others = self
            .connection()
            .pragma_query_value(None, "data_version", |row| row.get(0))?;
        Ok(Version { own, others })
    }

    #[cfg(test)]
    pub(crate) fn execute_for_test(&self, sql: &str) {
        self.connection().execute_batch(sql).unwrap();
    }

    /// Milliseconds by the clock that holds go by.
    pub(crate) fn uptime(&self) -> i64 {
        self.now().uptime
    }

    /// The store's idea of now, as the wire writes it.
    pub(crate) fn now_text(&self) -> String {
        time_text(from_milliseconds(self.now().wall))
    }
}

/// See [`Store::version`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    own: u64,
    /// SQLite's count of what other connections committed.
    others: i64,
}

/// Switches a new database to write-ahead logging. SQLite does not wait for others here, so of several
/// processes that open a new store at once each asks again, for as long as it waits elsewhere.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(BUSY_PAUSE);
            }
            switched => return switched,
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn from_milliseconds(milliseconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}

/// A time as RFC 3339 in UTC.
pub(crate) fn time_text(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = Timestamp {
        seconds: since.as_secs(),
        nanoseconds: since.subsec_nanos(),
    };
    timestamp.rfc3339()
}

/// So many random bytes from the system, in hex.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, StoreError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
