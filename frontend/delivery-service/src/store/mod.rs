//! The SQLite database: one connection that writes, a few that read.
//!
//! Every change is one transaction, made durable (`synchronous=FULL`) before the caller hears of it.
//! All functions here block: [`crate::api`] calls them off the async threads.

pub mod clients;
pub mod group_infos;
pub mod groups;
pub mod key_packages;
pub mod log;
mod schema;
pub mod welcomes;
pub mod witness;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::Result;

/// Readers kept open between requests.
const IDLE_READERS: usize = 4;

/// The database of one service.
pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    // Held while the service runs: two services on one database would each know half of the live clients.
    _lock: File,
}

/// Why a database could not be opened. It is left as it was.
#[derive(Debug)]
pub enum OpenError {
    /// Another service has it open.
    InUse,
    /// A newer version of the service wrote it.
    NewerFormat(i64),
    /// The file cannot be made, read or locked.
    Io(std::io::Error),
    /// SQLite refuses it.
    Sqlite(rusqlite::Error),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse => write!(f, "another delivery service has it open"),
            Self::NewerFormat(format) => write!(
                f,
                "a newer delivery service wrote it (format {format}, this one knows {}); it was not changed",
                schema::FORMAT
            ),
            Self::Io(error) => error.fmt(f),
            Self::Sqlite(error) => error.fmt(f),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl Store {
    /// Opens the database at `path`, or makes it.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock = private_file(Path::new(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => OpenError::InUse,
            std::fs::TryLockError::Error(error) => OpenError::Io(error),
        })?;
        if !path.exists() {
            private_file(path)?;
        }
        let mut writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "FULL")?;
        writer.pragma_update(None, "foreign_keys", true)?;
        writer.pragma_update(None, "secure_delete", true)?;
        schema::bring_up_to_date(&mut writer)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
            _lock: lock,
        })
    }

    /// Runs `change` in a transaction of its own. If it fails, nothing has changed.
    pub fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.write_then(change, |_| ())
    }

    /// As [`Store::write`]; `publish` runs once the change is durable and before the next one can
    /// begin, so that what is published is in the order of the log.
    pub fn write_then<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T>,
        publish: impl FnOnce(&T),
    ) -> Result<T> {
        // A panic in an earlier change has rolled its transaction back: the connection is good.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = change(&transaction)?;
        transaction.commit()?;
        publish(&result);
        Ok(result)
    }

    /// Runs `look` on one consistent view of the database.
    pub fn read<T>(&self, look: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let idle = self
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let result = look(&reader.transaction()?);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        result
    }

    /// Moves what the write-ahead log holds into the database file. For a graceful stop.
    pub fn checkpoint(&self) -> rusqlite::Result<()> {
        self.readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }
}

/// Opens a file that only this user of the machine can read, making it if absent.
fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
