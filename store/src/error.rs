//! What can go wrong with the database. Never a refusal: a refusal is a value, so that its counter is committed.

/// The machine failed, never the person.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement or connection failed and nothing was written.
    #[error("database: {0}")]
    Database(#[source] sqlx::Error),
    /// The connection died during the commit: the transaction may or may not have happened.
    #[error("database: the outcome of a commit is unknown: {0}")]
    CommitUnknown(#[source] sqlx::Error),
    /// A migration failed, or the schema is not the one this build was made for.
    #[error("migration: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row that this build cannot read.
    #[error("row {id} of {table}: column {column} cannot be read: {why}")]
    Corrupt {
        /// Table of the row.
        table: &'static str,
        /// Column that cannot be read.
        column: &'static str,
        /// The row's id as text.
        id: String,
        /// What the reader says.
        why: String,
    },
    /// The database address is of no known kind.
    #[error("database.url: {0}")]
    Address(String),
    /// Redis failed; says whether it is away or answered with an error.
    #[error("redis: {0}")]
    Ephemeral(#[from] redis::RedisError),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Result of a database call.
pub type Result<T, E = Error> = std::result::Result<T, E>;
