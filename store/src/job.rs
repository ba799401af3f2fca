//! Jobs: side effects that were decided in a transaction and happen after it.

use std::time::Duration;

use sqlx::FromRow;

use crate::{JobId, Result, Sql, Timestamp};

/// Lanes: a job never waits behind one of another lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Mailed codes: somebody is waiting.
    Code,
    /// Notices to people.
    Notice,
}

impl Lane {
    /// Every lane; each has a worker of its own.
    pub const ALL: [Self; 2] = [Self::Code, Self::Notice];

    /// Name in the database and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Notice => "notice",
        }
    }
}

/// A job's row.
#[derive(Clone, Debug, FromRow)]
pub struct Job {
    /// Id.
    pub id: JobId,
    /// What is to be done.
    pub kind: String,
    /// JSON with which rows it is about.
    pub payload: String,
    /// Claims so far, this one included.
    pub tries: i64,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Writes a job, in the transaction that causes it.
pub async fn insert(
    sql: &mut impl Sql,
    id: JobId,
    lane: Lane,
    (kind, payload): (&str, &str),
    now: Timestamp,
) -> Result<()> {
    sql.q("INSERT INTO jobs (id, lane, kind, payload, created_at, run_at, tries) VALUES ($1, $2, $3, $4, $5, $5, 0)")
        .bind(id)
        .bind(lane.as_str())
        .bind(kind)
        .bind(payload)
        .bind(now)
        .exec()
        .await?;
    Ok(())
}

/// Whether a lane has a job that is due: a read, so that an idle worker costs no write lock.
pub async fn due(sql: &mut impl Sql, lane: Lane, now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = sql
        .q("SELECT CAST(1 AS BIGINT) FROM jobs
            WHERE lane = $1 AND run_at <= $2 AND done_at IS NULL AND failed_at IS NULL
              AND (locked_until IS NULL OR locked_until <= $2) LIMIT 1")
        .bind(lane.as_str())
        .bind(now)
        .opt()
        .await?;
    Ok(row.is_some())
}

/// Claims up to twenty due jobs of a lane for `lease`; a job whose worker died comes back when the lease ends.
pub async fn claim(
    sql: &mut impl Sql,
    lane: Lane,
    now: Timestamp,
    lease: Duration,
) -> Result<Vec<Job>> {
    sql.q("UPDATE jobs SET locked_until = $3, tries = tries + 1
           WHERE id IN (SELECT id FROM jobs
                        WHERE lane = $1 AND run_at <= $2 AND done_at IS NULL AND failed_at IS NULL
                          AND (locked_until IS NULL OR locked_until <= $2)
                        ORDER BY run_at LIMIT 20)
             AND done_at IS NULL AND failed_at IS NULL AND (locked_until IS NULL OR locked_until <= $2)
           RETURNING id, kind, payload, tries, created_at")
        .bind(lane.as_str())
        .bind(now)
        .bind(now.plus(lease))
        .all()
        .await
}

/// Marks a job done.
pub async fn done(sql: &mut impl Sql, id: JobId, now: Timestamp) -> Result<()> {
    sql.q("UPDATE jobs SET done_at = $2, locked_until = NULL WHERE id = $1")
        .bind(id)
        .bind(now)
        .exec()
        .await?;
    Ok(())
}

/// Puts a job back for a later time.
pub async fn retry(sql: &mut impl Sql, id: JobId, run_at: Timestamp, error: &str) -> Result<()> {
    sql.q("UPDATE jobs SET run_at = $2, locked_until = NULL, last_error = $3 WHERE id = $1")
        .bind(id)
        .bind(run_at)
        .bind(error)
        .exec()
        .await?;
    Ok(())
}

/// Gives a job up.
pub async fn fail(sql: &mut impl Sql, id: JobId, now: Timestamp, error: &str) -> Result<()> {
    sql.q("UPDATE jobs SET failed_at = $2, locked_until = NULL, last_error = $3 WHERE id = $1")
        .bind(id)
        .bind(now)
        .bind(error)
        .exec()
        .await?;
    Ok(())
}

/// Open jobs of all lanes.
pub async fn open(sql: &mut impl Sql) -> Result<i64> {
    let (count,): (i64,) = sql
        .q("SELECT COUNT(*) FROM jobs WHERE done_at IS NULL AND failed_at IS NULL")
        .one()
        .await?;
    Ok(count)
}
