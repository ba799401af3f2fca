//! Migrations of the schema, which may run while replicas serve.

use std::{collections::HashMap, path::Path, sync::LazyLock};

use sqlx::{
    Connection, FromRow, PgConnection, SqliteConnection,
    migrate::{MigrateError, Migration, Migrator},
};

use super::{Conn, Sql, engine::EngineConnection, pool::Pool};
use crate::{Error, Result};

/// A sequence of migrations.
#[derive(Debug)]
pub struct Migrations(Migrator);

impl Migrations {
    /// The sequence that is compiled into this build.
    #[must_use]
    pub(crate) fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<Migrations> =
            LazyLock::new(|| Migrations::new(sqlx::migrate!("../migrations")));
        &EMBEDDED
    }

    /// Reads a sequence from a folder, such as that of another build.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn read(folder: &Path) -> Result<Self> {
        Ok(Self::new(Migrator::new(folder).await?))
    }

    /// Applied migrations that are not in the sequence are no error: during a rolling upgrade, and after the program is
    /// rolled back, a build runs on a newer schema.
    fn new(mut migrator: Migrator) -> Self {
        migrator.set_ignore_missing(true);
        Self(migrator)
    }

    fn first(&self) -> Option<&Migration> {
        self.0.iter().next()
    }
}

/// A migration that was applied.
#[derive(FromRow)]
struct AppliedMigration {
    version: i64,
    checksum: Vec<u8>,
}

/// How long a migration waits for a lock, while other transactions wait behind it. Less than the second after which
/// PostgreSQL looks for deadlocks (`deadlock_timeout`), so that the migration gives way and not a sign-in. With its locks it
/// may take long: it has no statement timeout.
const MIGRATION_TIMEOUTS: &str = "SET lock_timeout = '500ms'; SET statement_timeout = 0";
/// How often a migration tries to get its locks: for a minute in all.
const LOCK_TRIES: usize = 120;

/// Migrates a SQLite file.
pub(super) async fn sqlite(pool: &Pool<SqliteConnection>, to: &Migrations) -> Result<()> {
    let mut connection = pool.connect_unpooled().await?;
    to.0.run_direct(None, &mut connection, false).await?;
    Ok(connection.close().await?)
}

/// Migrates a PostgreSQL server. It waits for each lock only briefly, lets the transactions behind it pass, and tries again.
pub(super) async fn postgres(pool: &Pool<PgConnection>, to: &Migrations) -> Result<()> {
    let mut tries = LOCK_TRIES;
    loop {
        // A new connection each time: closing it releases the locks of a failed try.
        let mut connection = pool.connect_unpooled().await?;
        connection.run(MIGRATION_TIMEOUTS).await?;
        let done = to.0.run_direct(None, &mut connection, false).await;
        connection.close().await?;
        match done {
            Err(error) if tries > 1 && is_lock_timeout(&error) => tries -= 1,
            done => return Ok(done?),
        }
    }
}

/// Whether every migration of a sequence has been applied. A newer build may have applied more.
///
/// # Errors
/// [`Error::PreReleaseSchema`], or the table of migrations cannot be read.
pub(super) async fn is_applied(conn: &mut Conn, migrations: &Migrations) -> Result<bool> {
    let applied = load_applied(conn).await?;
    if migrations.first().is_some_and(|first| {
        applied.get(&first.version).is_some_and(|checksum| **checksum != *first.checksum)
    }) {
        return Err(Error::PreReleaseSchema);
    }
    Ok(migrations.0.iter().all(|migration| applied.contains_key(&migration.version)))
}

/// The applied migrations: checksums by version.
async fn load_applied(conn: &mut Conn) -> Result<HashMap<i64, Vec<u8>>> {
    let rows = conn.q("SELECT version, checksum FROM _sqlx_migrations WHERE success");
    match rows.fetch_all::<AppliedMigration>().await {
        Ok(rows) => Ok(rows.into_iter().map(|row| (row.version, row.checksum)).collect()),
        Err(Error::Database(error)) if is_undefined_table(&error) => Ok(HashMap::new()),
        // A missing privilege or a damaged file: no migration repairs that, so it is returned.
        Err(error) => Err(error),
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

/// Whether no migration has ever run. PostgreSQL has `undefined_table` (Appendix A, class 42); SQLite has one code for every
/// faulty statement (`SQLITE_ERROR`), and only its message names a missing table.
fn is_undefined_table(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    match error.code().as_deref() {
        Some("42P01") => true,
        Some("1") => error.message() == "no such table: _sqlx_migrations",
        _ => false,
    }
}
