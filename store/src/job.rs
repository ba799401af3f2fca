//! Jobs: side effects that were decided in a transaction and happen after it.

use std::time::Duration;

use sqlx::FromRow;

use crate::{JobId, Result, Sql, Timestamp};

/// A job's row.
#[derive(Clone, Debug, FromRow)]
pub struct JobRow {
    /// Id.
    pub id: JobId,
    /// The kind of work.
    pub kind: String,
    /// JSON that names the rows it is about.
    pub payload: String,
    /// Claims so far, this one included.
    pub tries: i64,
    /// When it was written.
    pub created_at: Timestamp,
}

/// A job to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewJob<'a> {
    /// Its id.
    pub id: JobId,
    /// The lane in which it waits: a job never waits behind one of another lane.
    pub lane: &'a str,
    /// The kind of work.
    pub kind: &'a str,
    /// JSON that names the rows it is about.
    pub payload: &'a str,
}

/// The jobs that a worker runs: those of one lane whose kind it knows. Others are left to a newer program.
#[derive(Clone, Debug)]
pub struct JobFilter<'a> {
    lane: &'a str,
    /// `,one,two,`: the kinds between commas. Statements search it with `REPLACE`: both engines have it, and unlike `LIKE`
    /// it is case-sensitive and has no patterns.
    kinds: String,
}

impl<'a> JobFilter<'a> {
    /// Jobs of `lane`, of these kinds. No kind has a comma in its name.
    #[must_use]
    pub fn new(lane: &'a str, kinds: &[&str]) -> Self {
        Self { lane, kinds: comma_delimited(kinds.iter().copied()) }
    }
}

fn comma_delimited<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.fold(",".to_owned(), |list, name| list + name + ",")
}

/// Writes a job, in the transaction that causes it.
pub async fn insert(sql: &mut impl Sql, new: NewJob<'_>, now: Timestamp) -> Result<()> {
    sql.q("INSERT INTO jobs (id, lane, kind, payload, created_at, run_at, tries) VALUES ($1, $2, $3, $4, $5, $5, 0)")
        .bind(new.id)
        .bind(new.lane)
        .bind(new.kind)
        .bind(new.payload)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Whether one of these jobs is due: a read, so that an idle worker takes no write lock.
pub async fn has_due(sql: &mut impl Sql, filter: &JobFilter<'_>, now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = sql
        .q("SELECT CAST(1 AS BIGINT) FROM jobs
            WHERE lane = $1 AND run_at <= $2 AND done_at IS NULL AND failed_at IS NULL
              AND (locked_until IS NULL OR locked_until <= $2) AND REPLACE($3, ',' || kind || ',', '') <> $3 LIMIT 1")
        .bind(filter.lane)
        .bind(now)
        .bind(filter.kinds.as_str())
        .fetch_optional()
        .await?;
    Ok(row.is_some())
}

/// Claims up to `limit` of these jobs for `lease`, the longest due first; a job whose worker crashed is due again when the
/// lease ends.
pub async fn claim(
    sql: &mut impl Sql,
    filter: &JobFilter<'_>,
    limit: i64,
    now: Timestamp,
    lease: Duration,
) -> Result<Vec<JobRow>> {
    sql.q("UPDATE jobs SET locked_until = $3, tries = tries + 1
           WHERE id IN (SELECT id FROM jobs
                        WHERE lane = $1 AND run_at <= $2 AND done_at IS NULL AND failed_at IS NULL
                          AND (locked_until IS NULL OR locked_until <= $2)
                          AND REPLACE($5, ',' || kind || ',', '') <> $5
                        ORDER BY run_at LIMIT $4)
             AND done_at IS NULL AND failed_at IS NULL AND (locked_until IS NULL OR locked_until <= $2)
           RETURNING id, kind, payload, tries, created_at")
        .bind(filter.lane)
        .bind(now)
        .bind(now.plus(lease))
        .bind(limit)
        .bind(filter.kinds.as_str())
        .fetch_all()
        .await
}

/// Marks a job done; false when it was done already. It is done, whichever worker has the lease by now.
pub async fn mark_done(sql: &mut impl Sql, id: JobId, now: Timestamp) -> Result<bool> {
    let rows = sql
        .q("UPDATE jobs SET done_at = $2, locked_until = NULL WHERE id = $1 AND done_at IS NULL")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Puts a job back for a later time; false when this claim is no longer the last one, or the job is not open.
pub async fn schedule_retry(
    sql: &mut impl Sql,
    job: &JobRow,
    run_at: Timestamp,
    error: &str,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE jobs SET run_at = $3, locked_until = NULL, last_error = $4
            WHERE id = $1 AND tries = $2 AND done_at IS NULL AND failed_at IS NULL")
        .bind(job.id)
        .bind(job.tries)
        .bind(run_at)
        .bind(error)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Gives a job up; false when this claim is no longer the last one, or the job is not open.
pub async fn mark_failed(
    sql: &mut impl Sql,
    job: &JobRow,
    now: Timestamp,
    error: &str,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE jobs SET failed_at = $3, locked_until = NULL, last_error = $4
            WHERE id = $1 AND tries = $2 AND done_at IS NULL AND failed_at IS NULL")
        .bind(job.id)
        .bind(job.tries)
        .bind(now)
        .bind(error)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// The backlog of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct Backlog {
    /// Jobs that are neither done nor given up, up to the limit of the count.
    pub open: i64,
    /// Those of them that wait for their next try.
    pub resting: i64,
    /// When the oldest of them was written.
    pub oldest: Option<Timestamp>,
}

/// The backlog of a lane. Counts at most `limit` jobs, the longest due first, so that a long queue is not read completely.
pub async fn backlog(
    sql: &mut impl Sql,
    lane: &str,
    limit: i64,
    now: Timestamp,
) -> Result<Backlog> {
    sql.q("SELECT COUNT(*) AS open, CAST(COALESCE(SUM(CASE WHEN run_at > $3 THEN 1 ELSE 0 END), 0) AS BIGINT) AS resting,
                  MIN(created_at) AS oldest
           FROM (SELECT run_at, created_at FROM jobs
                 WHERE lane = $1 AND done_at IS NULL AND failed_at IS NULL ORDER BY run_at LIMIT $2) AS open_jobs")
        .bind(lane)
        .bind(limit)
        .bind(now)
        .fetch_one()
        .await
}

/// Counts open jobs whose lane and kind are not among `known`: a newer program wrote them, and will run them. Reads at most
/// `limit` open jobs.
pub async fn count_unknown(sql: &mut impl Sql, known: &[(&str, &str)], limit: i64) -> Result<i64> {
    let known: Vec<String> = known.iter().map(|(lane, kind)| format!("{lane}/{kind}")).collect();
    let (unknown,): (i64,) = sql
        .q("SELECT COUNT(*) FROM (SELECT lane, kind FROM jobs
                                  WHERE done_at IS NULL AND failed_at IS NULL
                                  ORDER BY lane, run_at LIMIT $2) AS open_jobs
            WHERE REPLACE($1, ',' || lane || '/' || kind || ',', '') = $1")
        .bind(comma_delimited(known.iter().map(String::as_str)))
        .bind(limit)
        .fetch_one()
        .await?;
    Ok(unknown)
}

/// Deletes up to `limit` jobs that were done before `before`; returns how many.
pub async fn sweep_done(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE done_at < $1 ORDER BY done_at LIMIT $2)")
        .bind(before)
        .bind(limit)
        .execute()
        .await
}

/// Deletes up to `limit` jobs that failed before `before`; returns how many. Older jobs that were done are already deleted,
/// so that few rows are read.
pub async fn sweep_failed(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM jobs WHERE id IN
           (SELECT id FROM jobs WHERE id < $1 AND failed_at < $2 ORDER BY id LIMIT $3)")
        .bind(JobId::new(before, [0; 10]))
        .bind(before)
        .bind(limit)
        .execute()
        .await
}
