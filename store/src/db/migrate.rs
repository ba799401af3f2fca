//! The schema: brought to the version of this build, while replicas serve.

use std::{collections::HashSet, sync::LazyLock};

use sqlx::{
    Connection, PgConnection, SqliteConnection,
    migrate::{MigrateError, Migrator},
};

use super::{Conn, Sql, engine::Link, pool::Pool};
use crate::{Error, Result};

/// Migrations that a newer build has applied are no error: while an upgrade rolls, and after it was taken back, this build
/// runs on a schema that is newer than itself.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../migrations");
    migrator.set_ignore_missing(true);
    migrator
});

/// How long a migration waits for a lock. Everybody else waits behind it so long. Less than the second after which
/// PostgreSQL looks for deadlocks, so that it is the migration that gives way and not a sign-in. Once it has its locks it
/// may take long: no limit of requests is for it.
const LIMITS: &str = "SET lock_timeout = '500ms'; SET statement_timeout = 0";
/// How often a migration asks for its locks: for a minute in all.
const LOCK_TRIES: usize = 120;

/// Migrates a file.
pub(super) async fn sqlite(pool: &Pool<SqliteConnection>) -> Result<()> {
    let mut apart = pool.apart().await?;
    MIGRATOR.run_direct(None, &mut apart, false).await?;
    Ok(apart.close().await?)
}

/// Migrates a server: asks for each lock only briefly, then lets everybody pass who waited behind it, and tries again.
pub(super) async fn postgres(pool: &Pool<PgConnection>) -> Result<()> {
    let mut tries = LOCK_TRIES;
    loop {
        // A connection of its own each time: what a failed try has locked goes with it.
        let mut apart = pool.apart().await?;
        apart.run(LIMITS).await?;
        let done = MIGRATOR.run_direct(None, &mut apart, false).await;
        apart.close().await?;
        match done {
            Err(error) if tries > 1 && is_lock_timeout(&error) => tries -= 1,
            done => return Ok(done?),
        }
    }
}

/// Whether every migration of this build has been applied. There may be more, of a newer build.
pub(super) async fn is_applied(conn: &mut Conn) -> Result<bool> {
    let rows = conn.q("SELECT version FROM _sqlx_migrations WHERE success").all::<(i64,)>().await;
    match rows {
        Ok(rows) => {
            let versions: HashSet<i64> = rows.into_iter().map(|(version,)| version).collect();
            Ok(MIGRATOR.iter().all(|migration| versions.contains(&migration.version)))
        }
        Err(Error::Database(error)) if is_without_table(&error) => Ok(false),
        // No right to read it, a damaged file: no migration mends that, so it is told.
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

/// Whether no migration has ever run. PostgreSQL's `undefined_table` (Appendix A, class 42); SQLite has one code for
/// whatever is wrong with a statement (`SQLITE_ERROR`) and tells a missing table in words alone.
fn is_without_table(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    match error.code().as_deref() {
        Some("42P01") => true,
        Some("1") => error.message() == "no such table: _sqlx_migrations",
        _ => false,
    }
}
