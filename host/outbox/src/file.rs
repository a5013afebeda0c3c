//! Opening the log's file: private, not through a link, and tuned for small durable writes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::OpenError;
use crate::schema::{self, Found};

/// A log's file, checked and made private.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl LogFile {
    /// Checks the folder and the file, and makes what is missing.
    ///
    /// A missing folder is made for its owner only; one that is there is left as it is, and refused
    /// if every user may write to it.
    pub(crate) fn prepare(path: &Path) -> Result<Self, OpenError> {
        let folder = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let folder = private_folder(folder)?;
        let Some(name) = path.file_name() else {
            return Err(OpenError::NotAFile { path: path.into() });
        };
        let path = folder.join(name);
        let metadata = private_file(&path)?;
        Ok(Self {
            path,
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    /// The log's path with every link in its folder resolved.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a connection that can write, and makes the tables if the file is new. Tells the log's id. A log
    /// that others may read is closed to them; what is no log is left as it is.
    pub(crate) fn connect(&self, power_loss: bool) -> Result<(Connection, [u8; 16]), OpenError> {
        // It may be anybody's, so it is looked at before it is opened to write: SQLite tidies up a file that
        // it may write to.
        let reading = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let found = schema::found(&mut self.open(reading)?).map_err(|error| self.refused(error))?;
        if let Some(found) = found {
            self.ours(&found)?;
        }
        let mut connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let settle = |connection: &mut Connection| {
            write_ahead(connection)?;
            connection.pragma_update(
                None,
                "synchronous",
                if power_loss { "FULL" } else { "NORMAL" },
            )?;
            schema::prepare(connection)
        };
        let found = settle(&mut connection).map_err(|error| self.refused(error))?;
        let id = self.ours(&found)?;
        self.close_to_others()?;
        Ok((connection, id))
    }

    /// The id of the log, if it is one.
    fn ours(&self, found: &Found) -> Result<[u8; 16], OpenError> {
        match found {
            Found::Ours(id) => Ok(*id),
            Found::Other(format) => Err(OpenError::format(&self.path, *format)),
            Found::Foreign => Err(OpenError::NotALog {
                path: self.path.clone(),
            }),
        }
    }

    /// Takes the log, and what SQLite keeps beside it, from everyone but its owner.
    fn close_to_others(&self) -> Result<(), OpenError> {
        for beside in ["", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(beside);
            let path = PathBuf::from(path);
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if metadata.is_file() && metadata.mode() & 0o077 != 0 {
                let private = fs::Permissions::from_mode(metadata.mode() & 0o600);
                fs::set_permissions(&path, private)
                    .map_err(|source| OpenError::File { path, source })?;
            }
        }
        Ok(())
    }

    /// Opens a connection that only reads.
    pub(crate) fn connect_to_read(&self) -> Result<Connection, OpenError> {
        let connection = self.open(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection
            .pragma_update(None, "query_only", true)
            .map_err(|error| self.refused(error))?;
        Ok(connection)
    }

    /// Whether the path still leads to the file that was opened. SQLite would go on writing to a file
    /// that was deleted or replaced, and what it wrote would be gone with the process.
    pub(crate) fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| metadata.dev() == self.device && metadata.ino() == self.inode)
    }

    fn open(&self, access: OpenFlags) -> Result<Connection, OpenError> {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut connection =
            Connection::open_with_flags(&self.path, flags).map_err(|error| self.refused(error))?;
        wait_for_others(&mut connection, true)
            .and_then(|()| prepare_once(&connection))
            .and_then(|()| connection.pragma_update(None, "cache_size", -CACHE_KIB))
            .map_err(|error| self.refused(error))?;
        Ok(connection)
    }

    fn refused(&self, source: rusqlite::Error) -> OpenError {
        let path = self.path.clone();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                OpenError::NotALog { path }
            }
            _ => OpenError::Database { path, source },
        }
    }
}

/// Makes the folder if it is missing and returns it with every link resolved.
fn private_folder(folder: &Path) -> Result<PathBuf, OpenError> {
    let failed = |source| OpenError::Folder {
        path: folder.into(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    if fs::metadata(folder).map_err(failed)?.mode() & 0o002 != 0 {
        return Err(OpenError::OpenFolder {
            path: folder.into(),
        });
    }
    folder.canonicalize().map_err(failed)
}

/// Makes the file if it is missing, for its owner only, and refuses what is not a file.
fn private_file(path: &Path) -> Result<fs::Metadata, OpenError> {
    let failed = |source: io::Error| OpenError::File {
        path: path.into(),
        source,
    };
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(OpenError::NotAFile { path: path.into() });
    }
    let file = open_private(path).map_err(failed)?;
    file.metadata().map_err(failed)
}

/// Opens a file for reading and writing, and makes it for its owner only if it is missing.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Bytes of a database page.
const PAGE: i64 = 1024;

/// What a connection keeps of the database, in KiB. It hardly comes back to any but the newest pages; and
/// where SQLite renames a new one it looks through all that it keeps.
const CACHE_KIB: i64 = 256;

/// Switches a new database to write-ahead logging. SQLite does not wait for other processes here, and
/// several that open a new log at once all try.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    // A commit writes whole pages, and an event is small: this counts for a new file only.
    connection.pragma_update(None, "page_size", PAGE)?;
    let mut tries = 0;
    loop {
        let switched = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match switched {
            Ok(_) => return Ok(()),
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && wait_for_lock(tries) =>
            {
                tries = tries.saturating_add(1);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Has a statement keep its plan. Otherwise SQLite makes it anew for each value that it is given, in case
/// that says something about the table.
fn prepare_once(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

/// Whether a connection waits where another process holds the lock, or is told so at once.
pub(crate) fn wait_for_others(connection: &mut Connection, wait: bool) -> rusqlite::Result<()> {
    connection.busy_handler(wait.then_some(wait_for_lock as fn(i32) -> bool))
}

/// How often a lock that another process holds is asked for before giving up: about five seconds.
const LOCK_TRIES: i32 = 1000;

/// Waits before a lock is asked for again; says false when it is time to give up.
///
/// A transaction here takes tens of microseconds and SQLite's own waits start at a millisecond and
/// grow to a hundred, so processes that share a log would spend their time asleep.
fn wait_for_lock(tries: i32) -> bool {
    let doublings = u32::try_from(tries).unwrap_or(0).min(6);
    thread::sleep(Duration::from_micros(80).saturating_mul(1 << doublings));
    tries < LOCK_TRIES
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_keeps_its_plan_whatever_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = LogFile::prepare(&folder.path().join("outbox.db")).unwrap();
        let (connection, _) = file.connect(false).unwrap();
        for value in 0..3 {
            let mut statement = connection
                .prepare_cached("SELECT seq FROM event WHERE destination = ?1 LIMIT ?1")
                .unwrap();
            assert!(!statement.exists([value]).unwrap());
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
