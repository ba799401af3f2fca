//! One set of `$n` statements for PostgreSQL and SQLite.
//!
//! [`Db::write`] is the only way to a write transaction and [`Db::read`] the only way to read outside one. Both hand
//! out something that is [`Sql`], on which entity files build statements: `sql.q("..").bind(..).fetch_one().await`.

mod engine;
mod migrate;
mod pool;

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
    /// The embedded default.
    Sqlite {
        /// The database file; its folder must exist.
        file: PathBuf,
        /// Whether a commit waits for the disk. Off, a used code can come back after a power cut: development only.
        full_sync: bool,
    },
    /// Production.
    Postgres {
        /// `postgres://` address.
        url: String,
        /// Size of the pool of this replica.
        max_connections: u32,
    },
}

/// A database, of either engine.
#[derive(Clone, Debug)]
pub struct Db(Pools);

#[derive(Clone, Debug)]
enum Pools {
    /// One writer, because SQLite has one anyway and waiting in our own queue is fair; many readers.
    Sqlite { writer: Pool<SqliteConnection>, readers: Pool<SqliteConnection> },
    /// A pool for everything.
    Postgres(Pool<PgConnection>),
}

/// An open write transaction. Dropped without commit it rolls back.
#[derive(Debug)]
pub struct Tx {
    connection: AnyConnection,
    /// What is done once it is committed.
    commit_hooks: CommitHooks,
    /// Rows of the trail that are written just before.
    audit_rows: Vec<AuditRow>,
}

/// A connection for reads.
#[derive(Debug)]
pub struct Conn {
    connection: AnyConnection,
}

#[derive(Debug)]
enum AnyConnection {
    Sqlite(PooledConnection<SqliteConnection>),
    Postgres(PooledConnection<PgConnection>),
}

/// A row that both engines can decode: what `#[derive(FromRow)]` or a tuple gives.
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

/// Asks a connection, within the time limit; once more when a connection without a transaction turns out to be dead.
macro_rules! retry_once {
    ($connection:ident, $raw:ident, $run:expr) => {{
        let mut may_retry = true;
        loop {
            let $raw = $connection.start_statement()?;
            let outcome = timeout(STATEMENT_TIMEOUT, $run).await;
            match $connection.on_result(outcome, may_retry).await {
                Some(result) => break result?,
                // Not a third time: it may be the statement that its connection dies of.
                None => may_retry = false,
            }
        }
    }};
}

/// Notes a statement in the span that it belongs to. The text is ours: what people typed is bound, and not noted.
fn trace_statement(sql: &'static str) {
    tracing::info!(target: "spans", { db.query.text = sql }, "statement");
}

/// A statement being bound. Its text is `&'static str`: nothing that a person typed can become SQL.
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

    /// Runs it; returns the number of rows touched.
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

/// Something that statements run on: a transaction or a reader.
pub trait Sql: Send {
    /// Starts a statement. The text is shared by both engines (`migrations/README.md` has the portable rules).
    fn q(&mut self, sql: &'static str) -> Statement<'_>;

    /// Has something done once the work is committed, and never when it is rolled back: what tells the metrics. A
    /// reader, which commits nothing, does it at once.
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
                let [write_options, read_options] = engine::sqlite_options(file, *full_sync);
                let writer = Pool::open(write_options, 1).await?;
                Pools::Sqlite { writer, readers: Pool::open(read_options, 4).await? }
            }
            DbConfig::Postgres { url, max_connections } => {
                Pools::Postgres(Pool::open(engine::postgres_options(url)?, *max_connections).await?)
            }
        }))
    }

    /// Brings the schema to the version of this build, on a connection of its own; a schema that is newer is left as it is.
    ///
    /// It may run while replicas serve.
    ///
    /// # Errors
    /// A migration failed, the locks were not to be had for a minute, or a migration that was applied is not the one of
    /// this build.
    pub async fn migrate(&self) -> Result<()> {
        self.migrate_with(Migrations::embedded()).await
    }

    /// The same with another sequence of migrations than that of this build.
    pub async fn migrate_with(&self, migrations: &Migrations) -> Result<()> {
        // Refuses a database of another sequence before anything is done to it.
        migrate::is_applied(&mut self.read().await?, migrations).await?;
        match &self.0 {
            Pools::Sqlite { writer, .. } => migrate::sqlite(writer, migrations).await,
            Pools::Postgres(pool) => migrate::postgres(pool, migrations).await,
        }
    }

    /// Whether every migration of this build has been applied. There may be more, of a newer build.
    ///
    /// # Errors
    /// The table of migrations cannot be read, or is that of a build from before the first release
    /// ([`Error::PreReleaseSchema`]).
    pub async fn is_migrated(&self) -> Result<bool> {
        migrate::is_applied(&mut self.read().await?, Migrations::embedded()).await
    }

    /// The database's own clock, for comparing with ours: the one place where SQL is asked for the time.
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

    /// Looks after connections that rest. For a task that comes round each second.
    pub async fn check_idle_connection(&self) {
        if let Pools::Postgres(pool) = &self.0 {
            pool.check_oldest_idle().await;
        }
    }

    /// How much of each pool of connections is in use: one row for PostgreSQL, one for readers and writer of SQLite each.
    #[must_use]
    pub fn pool_states(&self) -> Vec<PoolState> {
        match &self.0 {
            Pools::Sqlite { writer, readers } => vec![readers.state("read"), writer.state("write")],
            Pools::Postgres(pool) => vec![pool.state("all")],
        }
    }

    /// A connection for reads. It does not see rows of a transaction that is still open.
    pub async fn read(&self) -> Result<Conn> {
        Ok(Conn {
            connection: match &self.0 {
                Pools::Sqlite { readers, .. } => AnyConnection::Sqlite(readers.get().await?),
                Pools::Postgres(pool) => AnyConnection::Postgres(pool.get().await?),
            },
        })
    }

    /// A connection for one statement that writes and is a transaction by itself: two messages less than [`Db::write`].
    ///
    /// A statement whose connection has died is asked again on another one, and it is unknown whether it was done before. So
    /// only for what may be done twice: the claim of a job for a lease.
    pub async fn write_autocommit(&self) -> Result<Conn> {
        CommitTracker::mark_begun();
        Ok(Conn {
            connection: match &self.0 {
                Pools::Sqlite { writer, .. } => AnyConnection::Sqlite(writer.get().await?),
                Pools::Postgres(pool) => AnyConnection::Postgres(pool.get().await?),
            },
        })
    }

    /// Runs `work` in a write transaction: commits on `Ok`, rolls back on `Err`.
    ///
    /// A refusal (wrong, used, locked) must be an `Ok` value, or its counter is lost with the transaction. Nothing slow
    /// (hashing, HTTP, SMTP) belongs inside.
    ///
    /// # Errors
    /// [`Error::CommitUnknown`] when the connection died while committing; repeating is safe because every claim in
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
            // IMMEDIATE: an upgrade from read to write cannot fail half-way with "busy".
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
    /// Keeps a row of the trail until the work is done.
    pub(crate) fn push_audit_row(&mut self, row: AuditRow) {
        self.audit_rows.push(row);
    }

    async fn write_audit_rows(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.audit_rows);
        audit::write(self, &rows).await
    }

    async fn commit(self) -> Result<CommitHooks> {
        CommitTracker::mark_begun();
        let ended = match self.connection {
            AnyConnection::Sqlite(connection) => connection.commit().await,
            AnyConnection::Postgres(connection) => connection.commit().await,
        };
        ended.map(|()| self.commit_hooks).map_err(|error| match error {
            Error::Unavailable(error) if crate::error::leaves_commit_unknown(&error) => {
                Error::CommitUnknown(error)
            }
            // The database answered: it refused, and nothing was written.
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
