//! How a connection of each engine is opened, and what is set on it before anybody gets it.

use std::{path::Path, str::FromStr};

use sqlx::{
    ConnectOptions, Connection, Executor,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};

use super::pool::ACQUIRE_TIMEOUT;
use crate::{Error, Result};

/// Statements that a connection keeps prepared: all that there are, so that none is parsed twice.
const STATEMENT_CACHE_CAPACITY: usize = 500;

/// A connection that a pool can keep.
pub(super) trait EngineConnection:
    Connection<Options: Send + Sync> + Sized + 'static
{
    /// Opens one, ready for use.
    fn open(options: &Self::Options) -> impl Future<Output = Result<Self, sqlx::Error>> + Send;

    /// Runs one of the texts that frame a transaction.
    fn run(&mut self, sql: &'static str) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Leaves whatever it was dropped in the middle of; false when it cannot be used again.
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
    /// A server that only reads is not ours: a standby, or a primary that was one until a moment ago.
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
        // As text, not prepared: one message.
        self.execute(sql).await.map(|_| ())
    }
}

mod sql {
    /// What the server does by itself for each connection: nobody waits longer than this for a row that another
    /// transaction holds, and a transaction whose replica went silent lets its rows go. Not as options of the address:
    /// poolers between us and the server refuse those.
    pub(super) const SESSION_SETUP: &str = "SELECT pg_is_in_recovery()
        FROM (SELECT set_config('lock_timeout', '5s', false),
                     set_config('statement_timeout', '9s', false),
                     set_config('idle_in_transaction_session_timeout', '15s', false)) AS guards";
}

/// How a SQLite file is opened: for writing, and for reading alone.
pub(super) fn sqlite_options(file: &Path, full_sync: bool) -> [SqliteConnectOptions; 2] {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if full_sync { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
        .busy_timeout(ACQUIRE_TIMEOUT)
        .statement_cache_capacity(STATEMENT_CACHE_CAPACITY)
        // Pages are read where they lie, and written back from the log in larger pieces.
        .pragma("mmap_size", "67108864")
        .pragma("wal_autocheckpoint", "4000");
    let read_only = options.clone().read_only(true);
    [options, read_only]
}

const UNREADABLE_URL: &str = "cannot be read as an address of PostgreSQL; percent-encode special characters of the password, \
                          and name no parameter or value that PostgreSQL does not know";

/// How a PostgreSQL database is reached. What the driver says about an address is not passed on: it quotes it, and what
/// it cannot read may be a part of a password.
pub(super) fn postgres_options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| Error::InvalidUrl(UNREADABLE_URL.to_owned()))?;
    Ok(options.statement_cache_capacity(STATEMENT_CACHE_CAPACITY))
}
