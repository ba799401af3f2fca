//! One set of `$n` statements for PostgreSQL and SQLite.
//!
//! [`Db::write`] is the only way to open a write transaction, [`Db::read`] the only way to read outside one. Both give an
//! [`Sql`], on which the entity files build statements: `sql.q("..").bind(..).fetch_one().await`.

mod engine;
mod migrate;
mod pool;
mod statistics;

use std::path::PathBuf;

use sqlx::{
    Arguments, Encode, FromRow, Postgres, Sqlite, Type,
    postgres::{PgArguments, PgConnection, PgRow},
    sqlite::{SqliteArguments, SqliteConnection, SqliteRow},
};
use tokio::time::timeout;

use tracing::Instrument;

use crate::{
    Error, Result, Timestamp,
    audit::{self, AuditRow},
    commit_hooks::CommitHooks,
    commit_tracker::CommitTracker,
};
pub use migrate::Migrations;
pub use pool::PoolState;
use pool::{Pool, PooledConnection, STATEMENT_TIMEOUT};

/// Where the database is and how it is opened.
#[derive(Clone, Debug)]
pub enum DbConfig {
    /// SQLite, embedded: the default.
    Sqlite {
        /// The database file; its folder must exist.
        file: PathBuf,
        /// Whether a commit waits for the disk (`synchronous = FULL`). Otherwise a used code can be valid again after a
        /// power cut: for development only.
        full_sync: bool,
    },
    /// PostgreSQL, for production.
    Postgres {
        /// The URL of the server, `postgres://`.
        url: String,
        /// Size of this replica's pool.
        max_connections: u32,
    },
}

/// A database of either engine. Clones share its pools.
#[derive(Clone, Debug)]
pub struct Db(Pools);

#[derive(Clone, Debug)]
enum Pools {
    /// One writer, because SQLite allows only one and our own queue is fair; several readers.
    Sqlite { writer: Pool<SqliteConnection>, readers: Pool<SqliteConnection> },
    /// One pool for reads and writes.
    Postgres(Pool<PgConnection>),
}

/// An open write transaction. It rolls back when it is dropped without a commit.
#[derive(Debug)]
pub struct Tx {
    connection: AnyConnection,
    /// What runs after the commit.
    commit_hooks: CommitHooks,
    /// Rows of the audit trail, written just before the commit.
    audit_rows: Vec<AuditRow>,
}

/// A connection without a transaction.
#[derive(Debug)]
pub struct Conn {
    connection: AnyConnection,
}

#[derive(Debug)]
enum AnyConnection {
    Sqlite(PooledConnection<SqliteConnection>),
    Postgres(PooledConnection<PgConnection>),
}

/// A row that both engines can decode: a type with `#[derive(FromRow)]`, or a tuple.
pub trait FromAnyRow:
    for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}
impl<T> FromAnyRow for T where
    T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

/// A value that both engines can bind.
pub trait BindValue<'t>:
    Encode<'t, Postgres> + Type<Postgres> + Encode<'t, Sqlite> + Type<Sqlite>
{
}
impl<'t, T> BindValue<'t> for T where
    T: Encode<'t, Postgres> + Type<Postgres> + Encode<'t, Sqlite> + Type<Sqlite>
{
}

#[derive(Debug)]
enum AnyQuery<'c> {
    Sqlite(&'c mut PooledConnection<SqliteConnection>, SqliteArguments),
    Postgres(&'c mut PooledConnection<PgConnection>, PgArguments),
}

/// Runs a statement within the time limit, and once more when its connection was dead and has no transaction.
macro_rules! retry_once {
    ($connection:ident, $raw:ident, $run:expr) => {{
        let mut may_retry = true;
        loop {
            let $raw = $connection.start_statement()?;
            let outcome = timeout(STATEMENT_TIMEOUT, $run).await;
            match $connection.on_result(outcome, may_retry).await {
                Some(result) => break result?,
                // No third try: the statement itself may break its connection.
                None => may_retry = false,
            }
        }
    }};
}

/// Records a statement in the current span. Its text is a constant of the program: what people typed is bound, and not
/// recorded.
fn trace_statement(sql: &'static str) {
    tracing::info!(target: "spans", { db.query.text = sql }, "statement");
}

/// A statement whose values are being bound. Its text is `&'static str`, so that no input can become SQL.
#[must_use = "a statement does nothing until it is run"]
#[derive(Debug)]
pub struct Statement<'c> {
    sql: &'static str,
    query: AnyQuery<'c>,
    error: Option<sqlx::Error>,
}

impl<'c> Statement<'c> {
    /// Binds the next `$n`.
    pub fn bind<'t, T: BindValue<'t>>(mut self, value: T) -> Self {
        let bound = match &mut self.query {
            AnyQuery::Sqlite(_, arguments) => arguments.add(value),
            AnyQuery::Postgres(_, arguments) => arguments.add(value),
        };
        if let Err(error) = bound {
            self.error.get_or_insert(sqlx::Error::Encode(error));
        }
        self
    }

    fn into_query(self) -> Result<(&'static str, AnyQuery<'c>)> {
        trace_statement(self.sql);
        match self.error {
            Some(error) => Err(error.into()),
            None => Ok((self.sql, self.query)),
        }
    }

    /// Runs it; returns the number of affected rows.
    pub async fn execute(self) -> Result<u64> {
        let (sql, query) = self.into_query()?;
        Ok(match query {
            AnyQuery::Sqlite(c, a) => {
                retry_once!(c, raw, sqlx::query_with(sql, a.clone()).execute(raw)).rows_affected()
            }
            AnyQuery::Postgres(c, a) => {
                retry_once!(c, raw, sqlx::query_with(sql, a.clone()).execute(raw)).rows_affected()
            }
        })
    }

    /// Runs it; returns every row.
    pub async fn fetch_all<T: FromAnyRow>(self) -> Result<Vec<T>> {
        let (sql, query) = self.into_query()?;
        Ok(match query {
            AnyQuery::Sqlite(c, a) => {
                retry_once!(c, raw, sqlx::query_as_with(sql, a.clone()).fetch_all(raw))
            }
            AnyQuery::Postgres(c, a) => {
                retry_once!(c, raw, sqlx::query_as_with(sql, a.clone()).fetch_all(raw))
            }
        })
    }

    /// Runs it; returns the row, if there is one.
    pub async fn fetch_optional<T: FromAnyRow>(self) -> Result<Option<T>> {
        let (sql, query) = self.into_query()?;
        Ok(match query {
            AnyQuery::Sqlite(c, a) => {
                retry_once!(c, raw, sqlx::query_as_with(sql, a.clone()).fetch_optional(raw))
            }
            AnyQuery::Postgres(c, a) => {
                retry_once!(c, raw, sqlx::query_as_with(sql, a.clone()).fetch_optional(raw))
            }
        })
    }

    /// Runs it; a missing row is an error.
    pub async fn fetch_one<T: FromAnyRow>(self) -> Result<T> {
        self.fetch_optional().await?.ok_or(Error::Database(sqlx::Error::RowNotFound))
    }
}

/// What statements run on: a transaction or a connection.
pub trait Sql: Send {
    /// Starts a statement. Both engines run the same text (`migrations/README.md` has the rules for portable SQL).
    fn q(&mut self, sql: &'static str) -> Statement<'_>;

    /// Runs `hook` after the commit, and never after a rollback: for metrics. Without a transaction it runs at once.
    fn after_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        hook();
    }
}

macro_rules! impl_sql {
    ($name:ty { $($own:item)* }) => {
        impl Sql for $name {
            fn q(&mut self, sql: &'static str) -> Statement<'_> {
                let query = match &mut self.connection {
                    AnyConnection::Sqlite(c) => AnyQuery::Sqlite(c, SqliteArguments::default()),
                    AnyConnection::Postgres(c) => AnyQuery::Postgres(c, PgArguments::default()),
                };
                Statement { sql, query, error: None }
            }

            $($own)*
        }
    };
}
impl_sql!(Tx {
    fn after_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.commit_hooks.push(hook);
    }
});
impl_sql!(Conn {});

impl Db {
    /// Connects; does not migrate.
    pub async fn open(config: &DbConfig) -> Result<Self> {
        Ok(Self(match config {
            DbConfig::Sqlite { file, full_sync } => {
                engine::create_private(file)?;
                let [write_options, read_options] = engine::sqlite_options(file, *full_sync);
                let writer = Pool::open(write_options, 1).await?;
                Pools::Sqlite { writer, readers: Pool::open(read_options, 4).await? }
            }
            DbConfig::Postgres { url, max_connections } => {
                Pools::Postgres(Pool::open(engine::postgres_options(url)?, *max_connections).await?)
            }
        }))
    }

    /// Migrates the schema to the version of this build, on a connection of its own. A newer schema is left unchanged.
    ///
    /// It may run while replicas serve.
    ///
    /// # Errors
    /// A migration failed, its locks were not available within a minute, or an applied migration differs from this build's.
    pub async fn migrate(&self) -> Result<()> {
        self.migrate_with(Migrations::embedded()).await
    }

    /// As [`Db::migrate`], with another sequence of migrations than this build's.
    pub async fn migrate_with(&self, migrations: &Migrations) -> Result<()> {
        // Refuses a database of another sequence before it is changed.
        migrate::is_applied(&mut self.read().await?, migrations).await?;
        match &self.0 {
            Pools::Sqlite { writer, .. } => migrate::sqlite(writer, migrations).await?,
            Pools::Postgres(pool) => migrate::postgres(pool, migrations).await?,
        }
        // A restored database has no statistics, and `idp migrate` is run after a restore. Without them statements are
        // slower, and nothing else.
        if let Err(error) = self.refresh_statistics().await {
            tracing::warn!(%error, "the statistics of the database could not be refreshed");
        }
        Ok(())
    }

    /// Whether every migration of this build has been applied. A newer build may have applied more.
    ///
    /// # Errors
    /// The table of migrations cannot be read, or is that of a build from before the first release
    /// ([`Error::PreReleaseSchema`]).
    pub async fn is_migrated(&self) -> Result<bool> {
        migrate::is_applied(&mut self.read().await?, Migrations::embedded()).await
    }

    /// The time of the database's own clock, to compare with ours. No other statement reads a clock.
    pub async fn clock(&self) -> Result<Timestamp> {
        let mut conn = self.read().await?;
        let sql = match &self.0 {
            Pools::Sqlite { .. } => {
                "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
            }
            Pools::Postgres(_) => {
                "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
            }
        };
        let (millis,): (i64,) = conn.q(sql).fetch_one().await?;
        Ok(Timestamp::from_millis(millis))
    }

    /// Counts the rows again, by a sample, from which the engine plans its statements: after many rows have come or
    /// gone.
    ///
    /// Another process that has a SQLite file open plans by the former numbers until it opens its connections again.
    ///
    /// # Errors
    /// The database is unavailable, or a table cannot be counted; the others are counted all the same.
    pub async fn refresh_statistics(&self) -> Result<()> {
        let (sql, readers) = match &self.0 {
            Pools::Sqlite { readers, .. } => (&statistics::SQLITE[..], Some(readers)),
            Pools::Postgres(_) => (&statistics::POSTGRES[..], None),
        };
        let mut outcome = Ok(());
        for sql in sql {
            outcome = outcome.and(self.write(async |tx| tx.q(sql).execute().await.map(drop)).await);
            // Without a connection the others would fail, too, each after its time limit.
            if matches!(&outcome, Err(Error::Unavailable(cause)) if crate::error::breaks_connection(cause))
            {
                break;
            }
        }
        if let Some(readers) = readers {
            // A connection reads the statistics of a SQLite file once, when it is opened.
            readers.reopen().await;
        }
        outcome
    }

    /// Checks the connection that has been idle longest. For a task that runs each second.
    pub async fn check_idle_connection(&self) {
        if let Pools::Postgres(pool) = &self.0 {
            pool.check_oldest_idle().await;
        }
    }

    /// The use of each connection pool: one for PostgreSQL, two for SQLite (readers and writer).
    #[must_use]
    pub fn pool_states(&self) -> Vec<PoolState> {
        match &self.0 {
            Pools::Sqlite { writer, readers } => vec![readers.state("read"), writer.state("write")],
            Pools::Postgres(pool) => vec![pool.state("all")],
        }
    }

    /// A connection for reads. It does not see changes that are not committed.
    pub async fn read(&self) -> Result<Conn> {
        Ok(Conn {
            connection: match &self.0 {
                Pools::Sqlite { readers, .. } => AnyConnection::Sqlite(readers.get().await?),
                Pools::Postgres(pool) => AnyConnection::Postgres(pool.get().await?),
            },
        })
    }

    /// A connection for one statement that writes and commits by itself: two round trips fewer than [`Db::write`].
    ///
    /// If its connection breaks, the statement runs again on another one, although the first run may have taken effect. So
    /// only for what may happen twice: the claim of a job for a lease.
    pub async fn write_autocommit(&self) -> Result<Conn> {
        CommitTracker::begin_commit()?;
        Ok(Conn {
            connection: match &self.0 {
                Pools::Sqlite { writer, .. } => AnyConnection::Sqlite(writer.get().await?),
                Pools::Postgres(pool) => AnyConnection::Postgres(pool.get().await?),
            },
        })
    }

    /// Runs `work` in a write transaction: commits on `Ok`, rolls back on `Err`.
    ///
    /// A refusal (wrong, used, locked) must be an `Ok` value, or its counter is rolled back, too. Nothing slow (hashing,
    /// HTTP, SMTP) belongs inside.
    ///
    /// # Errors
    /// [`Error::CommitUnknown`] when the connection broke during the commit; repeating is safe, because every claim in
    /// `work` is a guarded statement.
    pub async fn write<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        E: From<Error>,
        F: AsyncFnOnce(&mut Tx) -> std::result::Result<T, E>,
    {
        let span = tracing::info_span!(target: "spans", "database write");
        self.transact(work).instrument(span).await
    }

    async fn transact<T, E, F>(&self, work: F) -> std::result::Result<T, E>
    where
        E: From<Error>,
        F: AsyncFnOnce(&mut Tx) -> std::result::Result<T, E>,
    {
        let mut tx = self.begin().await?;
        let outcome = match work(&mut tx).await {
            Ok(value) => tx.write_audit_rows().await.map(|()| value).map_err(E::from),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(value) => {
                tx.commit().await?.run();
                Ok(value)
            }
            Err(error) => {
                tx.rollback().await;
                Err(error)
            }
        }
    }

    async fn begin(&self) -> Result<Tx> {
        let connection = match &self.0 {
            // `IMMEDIATE` takes the write lock at once: an upgrade from read to write could fail with `SQLITE_BUSY`.
            Pools::Sqlite { writer, .. } => {
                AnyConnection::Sqlite(writer.begin("BEGIN IMMEDIATE").await?)
            }
            Pools::Postgres(pool) => AnyConnection::Postgres(pool.begin("BEGIN").await?),
        };
        Ok(Tx { connection, commit_hooks: CommitHooks::default(), audit_rows: Vec::new() })
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        match &self.0 {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Keeps a row of the audit trail until the work is done.
    pub(crate) fn push_audit_row(&mut self, row: AuditRow) {
        self.audit_rows.push(row);
    }

    async fn write_audit_rows(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.audit_rows);
        audit::write(self, &rows).await
    }

    async fn commit(self) -> Result<CommitHooks> {
        CommitTracker::begin_commit()?;
        let ended = match self.connection {
            AnyConnection::Sqlite(connection) => connection.commit().await,
            AnyConnection::Postgres(connection) => connection.commit().await,
        };
        ended.map(|()| self.commit_hooks).map_err(|error| match error {
            Error::Unavailable(error) if crate::error::leaves_commit_unknown(&error) => {
                Error::CommitUnknown(error)
            }
            // The database reported an error: nothing was written.
            error => error,
        })
    }

    async fn rollback(self) {
        match self.connection {
            AnyConnection::Sqlite(connection) => connection.rollback().await,
            AnyConnection::Postgres(connection) => connection.rollback().await,
        }
    }
}
