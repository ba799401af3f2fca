//! How a connection of each engine is opened and set up.

use std::{fs::OpenOptions, io::ErrorKind, path::Path, str::FromStr};

use sqlx::{
    ConnectOptions, Connection, Executor,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};

use super::pool::ACQUIRE_TIMEOUT;
use crate::{Error, Result};

/// Prepared statements that a connection caches: more than the program has, so that none is parsed twice.
const STATEMENT_CACHE_CAPACITY: usize = 500;

/// A connection that a pool can keep.
pub(super) trait EngineConnection:
    Connection<Options: Send + Sync> + Sized + 'static
{
    /// Opens one, ready for use.
    fn open(options: &Self::Options) -> impl Future<Output = Result<Self, sqlx::Error>> + Send;

    /// Runs a text without parameters, such as `BEGIN`.
    fn run(&mut self, sql: &'static str) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Rolls back what it was in the middle of; false when it cannot be used again.
    fn reset(&mut self) -> impl Future<Output = bool> + Send {
        async {
            if self.ping().await.is_err() {
                return false;
            }
            // Without a transaction PostgreSQL warns and SQLite refuses; both are fine.
            !matches!(self.run("ROLLBACK").await, Err(error) if crate::error::breaks_connection(&error))
        }
    }
}

impl EngineConnection for SqliteConnection {
    async fn open(options: &SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        options.connect().await
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(sql).execute(self).await.map(|_| ())
    }
}

impl EngineConnection for PgConnection {
    /// Refuses a server that is in recovery and only reads: a standby, perhaps a former primary.
    async fn open(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        let (standby,): (bool,) =
            sqlx::query_as(sql::SESSION_SETUP).fetch_one(&mut connection).await?;
        if standby {
            return Err(sqlx::Error::Io(std::io::Error::other(
                "the server is a standby, which only reads",
            )));
        }
        Ok(connection)
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        // As a simple query, not prepared: one round trip.
        self.execute(sql).await.map(|_| ())
    }
}

mod sql {
    /// Limits that the server enforces: no statement waits longer for a row that another transaction has locked, and a
    /// transaction whose replica stopped responding releases its locks. They are not options of the URL: connection poolers
    /// refuse those.
    pub(super) const SESSION_SETUP: &str = "SELECT pg_is_in_recovery()
        FROM (SELECT set_config('lock_timeout', '5s', false),
                     set_config('statement_timeout', '9s', false),
                     set_config('idle_in_transaction_session_timeout', '15s', false)) AS guards";
}

/// Creates a missing SQLite file that only its owner can read. SQLite gives the files beside it, `-wal` and `-shm`, the same
/// permissions; by itself it makes all of them as the umask allows.
pub(super) fn create_private(file: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(sqlx::Error::Io(error).into())
        }
        _ => Ok(()),
    }
}

/// How a SQLite file is opened: for writing, and for reading only.
pub(super) fn sqlite_options(file: &Path, full_sync: bool) -> [SqliteConnectOptions; 2] {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if full_sync { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
        .busy_timeout(ACQUIRE_TIMEOUT)
        .statement_cache_capacity(STATEMENT_CACHE_CAPACITY)
        // No memory map: each of the five connections would have its own, and the memory of the process would grow with
        // the file. Each caches 4 MiB of pages instead, and the operating system the file.
        .pragma("mmap_size", "0")
        .pragma("cache_size", "-4096")
        // Checkpoints of the write-ahead log are larger than by default.
        .pragma("wal_autocheckpoint", "4000");
    let read_only = options.clone().read_only(true);
    [options, read_only]
}

const UNREADABLE_URL: &str = "is not a valid PostgreSQL URL; percent-encode special characters of the password, \
                          and use no parameter or value that PostgreSQL does not know";

/// How a PostgreSQL server is reached. The driver's error about a URL is not passed on: it quotes the URL, and what it
/// cannot parse may be a part of the password.
pub(super) fn postgres_options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| Error::InvalidUrl(UNREADABLE_URL.to_owned()))?;
    Ok(options.statement_cache_capacity(STATEMENT_CACHE_CAPACITY))
}
