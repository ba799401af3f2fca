//! One set of `$n` statements for PostgreSQL and SQLite.
//!
//! [`Db::write`] is the only way to a write transaction and [`Db::read`] the only way to read outside one. Both hand
//! out something that is [`Sql`], on which entity files build statements: `sql.q("..").bind(..).one().await`.

use std::{collections::HashSet, path::PathBuf, str::FromStr, sync::LazyLock, time::Duration};

use sqlx::{
    Arguments, Connection, Encode, FromRow, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    Type,
    migrate::{MigrateError, Migrator},
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgConnection, PgPoolOptions, PgRow},
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode,
        SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};

use crate::{Error, Result, Timestamp};

/// Migrations that a newer build has applied are no error: while an upgrade rolls, and after it was taken back, this build
/// runs on a schema that is newer than itself.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../migrations");
    migrator.set_ignore_missing(true);
    migrator
});

/// How long a migration waits for a lock, in milliseconds. Everybody else waits behind it so long. Less than the second
/// after which PostgreSQL looks for deadlocks, so that it is the migration that gives way and not a sign-in.
const LOCK_TIMEOUT: &str = "500";
/// How often a migration asks for its locks: for a minute in all.
const LOCK_TRIES: usize = 120;

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
pub enum Db {
    /// One writer, because SQLite has one anyway and waiting in our own queue is fair; many readers.
    Sqlite {
        /// The one connection that writes.
        writer: SqlitePool,
        /// Connections that only read.
        readers: SqlitePool,
    },
    /// A pool for everything.
    Postgres(PgPool),
}

/// An open write transaction. Dropped without commit it rolls back.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

/// A connection for reads.
#[derive(Debug)]
pub enum Conn {
    /// On SQLite.
    Sqlite(PoolConnection<Sqlite>),
    /// On PostgreSQL.
    Postgres(PoolConnection<Postgres>),
}

/// A row that both engines can decode: what `#[derive(FromRow)]` or a tuple gives.
pub trait Row: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}
impl<T> Row for T where T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{}

/// A value that both engines can bind.
pub trait Value<'t>:
    Encode<'t, Postgres> + Type<Postgres> + Encode<'t, Sqlite> + Type<Sqlite>
{
}
impl<'t, T> Value<'t> for T where
    T: Encode<'t, Postgres> + Type<Postgres> + Encode<'t, Sqlite> + Type<Sqlite>
{
}

#[derive(Debug)]
enum Side<'c> {
    Sqlite(&'c mut SqliteConnection, SqliteArguments),
    Postgres(&'c mut PgConnection, PgArguments),
}

/// A statement being bound. Its text is `&'static str`: nothing that a person typed can become SQL.
#[must_use = "a statement does nothing until it is run"]
#[derive(Debug)]
pub struct Statement<'c> {
    sql: &'static str,
    side: Side<'c>,
    error: Option<sqlx::Error>,
}

impl<'c> Statement<'c> {
    /// Binds the next `$n`.
    pub fn bind<'t, T: Value<'t>>(mut self, value: T) -> Self {
        let bound = match &mut self.side {
            Side::Sqlite(_, arguments) => arguments.add(value),
            Side::Postgres(_, arguments) => arguments.add(value),
        };
        if let Err(error) = bound {
            self.error.get_or_insert(sqlx::Error::Encode(error));
        }
        self
    }

    fn ready(self) -> Result<(&'static str, Side<'c>)> {
        match self.error {
            Some(error) => Err(error.into()),
            None => Ok((self.sql, self.side)),
        }
    }

    /// Runs it; returns the number of rows touched.
    pub async fn exec(self) -> Result<u64> {
        Ok(match self.ready()? {
            (sql, Side::Sqlite(c, a)) => sqlx::query_with(sql, a).execute(c).await?.rows_affected(),
            (sql, Side::Postgres(c, a)) => {
                sqlx::query_with(sql, a).execute(c).await?.rows_affected()
            }
        })
    }

    /// Runs it; returns every row.
    pub async fn all<T: Row>(self) -> Result<Vec<T>> {
        Ok(match self.ready()? {
            (sql, Side::Sqlite(c, a)) => sqlx::query_as_with(sql, a).fetch_all(c).await?,
            (sql, Side::Postgres(c, a)) => sqlx::query_as_with(sql, a).fetch_all(c).await?,
        })
    }

    /// Runs it; returns the row, if there is one.
    pub async fn opt<T: Row>(self) -> Result<Option<T>> {
        Ok(match self.ready()? {
            (sql, Side::Sqlite(c, a)) => sqlx::query_as_with(sql, a).fetch_optional(c).await?,
            (sql, Side::Postgres(c, a)) => sqlx::query_as_with(sql, a).fetch_optional(c).await?,
        })
    }

    /// Runs it; a missing row is an error.
    pub async fn one<T: Row>(self) -> Result<T> {
        self.opt().await?.ok_or(Error::Database(sqlx::Error::RowNotFound))
    }
}

/// Something that statements run on: a transaction or a reader.
pub trait Sql: Send {
    /// Starts a statement. The text is shared by both engines (`migrations/README.md` has the portable rules).
    fn q(&mut self, sql: &'static str) -> Statement<'_>;
}

macro_rules! sql {
    ($name:ty) => {
        impl Sql for $name {
            fn q(&mut self, sql: &'static str) -> Statement<'_> {
                let side = match self {
                    Self::Sqlite(c) => Side::Sqlite(c, SqliteArguments::default()),
                    Self::Postgres(c) => Side::Postgres(c, PgArguments::default()),
                };
                Statement { sql, side, error: None }
            }
        }
    };
}
sql!(Tx);
sql!(Conn);

impl Db {
    /// Connects; does not migrate.
    pub async fn open(config: &DbConfig) -> Result<Self> {
        match config {
            DbConfig::Sqlite { file, full_sync } => open_sqlite(file, *full_sync).await,
            DbConfig::Postgres { url, max_connections } => {
                open_postgres(url, *max_connections).await
            }
        }
    }

    /// Brings the schema to the version of this build; one that is newer is left as it is.
    ///
    /// It may run while replicas serve. On PostgreSQL it asks for each lock only briefly, then lets everybody pass who
    /// waited behind it, and tries again.
    ///
    /// # Errors
    /// A migration failed, the locks were not to be had for a minute, or a migration that was applied is not the one of
    /// this build.
    pub async fn migrate(&self) -> Result<()> {
        match self {
            Self::Sqlite { writer, .. } => Ok(MIGRATOR.run(writer).await?),
            Self::Postgres(pool) => migrate_postgres(pool).await,
        }
    }

    /// Whether every migration of this build has been applied. There may be more, of a newer build.
    pub async fn migrated(&self) -> Result<bool> {
        let sql = "SELECT version FROM _sqlx_migrations WHERE success";
        let applied: std::result::Result<Vec<(i64,)>, sqlx::Error> = match self {
            Self::Sqlite { readers, .. } => sqlx::query_as(sql).fetch_all(readers).await,
            Self::Postgres(pool) => sqlx::query_as(sql).fetch_all(pool).await,
        };
        match applied {
            Ok(rows) => {
                let versions: HashSet<i64> = rows.into_iter().map(|(version,)| version).collect();
                Ok(MIGRATOR.iter().all(|migration| versions.contains(&migration.version)))
            }
            Err(sqlx::Error::Database(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The database's own clock, for comparing with ours: the one place where SQL is asked for the time.
    pub async fn clock(&self) -> Result<Timestamp> {
        let (millis,): (i64,) = match self {
            Self::Sqlite { readers, .. } => {
                sqlx::query_as("SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)")
                    .fetch_one(readers)
                    .await?
            }
            Self::Postgres(pool) => {
                sqlx::query_as(
                    "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
                )
                .fetch_one(pool)
                .await?
            }
        };
        Ok(Timestamp::from_millis(millis))
    }

    /// A connection for reads. It does not see rows of a transaction that is still open.
    pub async fn read(&self) -> Result<Conn> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Conn::Sqlite(readers.acquire().await?),
            Self::Postgres(pool) => Conn::Postgres(pool.acquire().await?),
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
        let mut tx = self.begin().await?;
        let value = work(&mut tx).await?;
        tx.commit().await?;
        Ok(value)
    }

    async fn begin(&self) -> Result<Tx> {
        Ok(match self {
            // IMMEDIATE: an upgrade from read to write cannot fail half-way with "busy".
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    async fn commit(self) -> Result<()> {
        let outcome = match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        };
        outcome.map_err(|error| match error {
            // The database answered: it refused, and nothing was written.
            sqlx::Error::Database(_) => Error::Database(error),
            _ => Error::CommitUnknown(error),
        })
    }
}

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

async fn open_sqlite(file: &std::path::Path, full_sync: bool) -> Result<Db> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if full_sync { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
        .busy_timeout(ACQUIRE_TIMEOUT)
        // Pages are read where they lie, and written back from the log in larger pieces.
        .pragma("mmap_size", "67108864")
        .pragma("wal_autocheckpoint", "4000");
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool().max_connections(1).connect_with(options.clone()).await?;
    let readers = pool().max_connections(4).connect_with(options.read_only(true)).await?;
    Ok(Db::Sqlite { writer, readers })
}

async fn open_postgres(url: &str, max_connections: u32) -> Result<Db> {
    let options = PgConnectOptions::from_str(url).map_err(|e| Error::Address(e.to_string()))?;
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    Ok(Db::Postgres(pool))
}

async fn migrate_postgres(pool: &PgPool) -> Result<()> {
    // A migration may take long once it has its locks: no limit of requests is for it.
    let limits = [("lock_timeout", LOCK_TIMEOUT), ("statement_timeout", "0")];
    let options = pool.connect_options().as_ref().clone().options(limits);
    let mut tries = LOCK_TRIES;
    loop {
        // A connection of its own each time: what a failed try has locked goes with it.
        let mut connection = PgConnection::connect_with(&options).await?;
        let done = MIGRATOR.run_direct(None, &mut connection, false).await;
        connection.close().await?;
        match done {
            Err(error) if tries > 1 && is_lock_timeout(&error) => tries -= 1,
            done => return Ok(done?),
        }
    }
}

/// PostgreSQL's `lock_not_available` (Appendix A, class 55).
fn is_lock_timeout(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "55P03")
}
