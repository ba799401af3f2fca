//! Errors of the database and of Redis. A refusal is no error but a value, so that its counter is committed.

use std::fmt;

use sqlx::migrate::MigrateError;

/// A technical failure, never a refusal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed and nothing was written.
    #[error("database: {}", Words(.0))]
    Database(#[source] sqlx::Error),
    /// The database cannot be reached, is full or did not answer in time; nothing was written, and it is worth trying
    /// again in a moment.
    #[error("the database is unavailable: {}", Words(.0))]
    Unavailable(#[source] sqlx::Error),
    /// The connection broke during the commit: the transaction may or may not have been committed.
    #[error("database: the outcome of a commit is unknown: {}", Words(.0))]
    CommitUnknown(#[source] sqlx::Error),
    /// A migration failed, or the schema is not the one this build was made for.
    #[error("migration: {}", MigrationWords(.0))]
    Migrate(#[from] MigrateError),
    /// The database was made by a build from before the first release.
    #[error(
        "the database was made by a build from before the first release, which nothing leads on from: begin a new folder \
         (`dev`) or a new database (`serve`)"
    )]
    PreReleaseSchema,
    /// A row that this build cannot read.
    #[error("row {id} of {table}: column {column} cannot be read: {why}")]
    Corrupt {
        /// Table of the row.
        table: &'static str,
        /// Column that cannot be read.
        column: &'static str,
        /// The row's id as text.
        id: String,
        /// Why it cannot be read.
        why: String,
    },
    /// The database URL is not valid.
    #[error("database.url: {0}")]
    InvalidUrl(String),
    /// Redis is unavailable, or answered with an error.
    #[error("redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// Redis did not answer in time.
    #[error("redis: no answer in time")]
    RedisTimeout,
}

/// A driver's error in the words of the server, with its code. The driver adds a line of PostgreSQL's own source.
struct Words<'a>(&'a sqlx::Error);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            sqlx::Error::Database(error) => {
                if let Some(code) = error.code() {
                    write!(f, "(code: {code}) ")?;
                }
                f.write_str(error.message())
            }
            error => error.fmt(f),
        }
    }
}

/// The same for a statement of a migration.
struct MigrationWords<'a>(&'a MigrateError);

impl fmt::Display for MigrationWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MigrateError::Execute(error) => Words(error).fmt(f),
            MigrateError::ExecuteMigration(error, version) => {
                write!(f, "{version}: {}", Words(error))
            }
            error => error.fmt(f),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_transient(&error) { Self::Unavailable(error) } else { Self::Database(error) }
    }
}

impl Error {
    /// Whether a repetition may succeed in a moment, if the work may be done twice.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::CommitUnknown(_))
    }

    /// Whether the server has no database of the given name (`invalid_catalog_name` of PostgreSQL).
    #[must_use]
    pub fn is_missing_database(&self) -> bool {
        let (Self::Database(error) | Self::Unavailable(error)) = self else { return false };
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.as_deref() == Some("3D000")
    }

    /// The error of a statement that had no answer within its time limit.
    pub(crate) fn timeout() -> Self {
        let timed_out = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
        Self::Unavailable(sqlx::Error::Io(timed_out))
    }
}

/// SQLSTATE codes of PostgreSQL when it stops, starts, has ended the session, or has become a standby (appendix A of its
/// manual): the connection cannot be used any more.
const CONNECTION_LOST_CODES: [&str; 6] = ["57P01", "57P02", "57P03", "57P05", "25006", "25P03"];
/// SQLSTATE classes and codes of transient errors: connections, resources, operator intervention, the system, a lost lock.
const TRANSIENT_CODES: [&str; 6] = ["08", "53", "57", "58", "40", "55P03"];
/// Transient errors of SQLite: busy, locked, read-only, I/O error, disk full, cannot open
/// (<https://www.sqlite.org/rescode.html>).
const SQLITE_TRANSIENT_CODES: [u32; 6] = [5, 6, 8, 10, 13, 14];

/// Whether a connection cannot be used any more after this error.
pub(crate) fn breaks_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            // A rolling upgrade has changed the table of a prepared statement, which must be prepared again.
            let stale = code == "0A000" && error.message().contains("cached plan");
            stale || code.starts_with("08") || CONNECTION_LOST_CODES.contains(&code.as_ref())
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether a repetition may succeed in a moment.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    if breaks_connection(error) {
        return true;
    }
    let sqlx::Error::Database(error) = error else { return false };
    let code = error.code().unwrap_or_default();
    match code.parse::<u32>() {
        // SQLite's codes are plain numbers, the primary one in the low byte; SQLSTATE always has five characters.
        Ok(number) if code.len() != 5 => SQLITE_TRANSIENT_CODES.contains(&(number & 0xff)),
        _ => code.len() == 5 && TRANSIENT_CODES.iter().any(|prefix| code.starts_with(prefix)),
    }
}

/// Whether the outcome of a commit is unknown after this error: unless the server reported an error and the connection still
/// works.
pub(crate) fn leaves_commit_unknown(error: &sqlx::Error) -> bool {
    breaks_connection(error) || !matches!(error, sqlx::Error::Database(_))
}

/// Result of a database call.
pub type Result<T, E = Error> = std::result::Result<T, E>;
