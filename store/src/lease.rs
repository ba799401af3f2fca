//! Leases: work that one process does at a time, and another takes over when it crashes.
//!
//! A lease saves work; it excludes nothing. Clocks differ, and a holder may be paused past its end, so work under a lease is
//! guarded by its own statements.

use std::time::Duration;

use crate::{Result, Sql, Timestamp};

/// By how much a holder's clock may be ahead of ours. A replica whose clock is off by more than seconds does no work.
const MAX_CLOCK_SKEW: Duration = Duration::from_mins(1);

/// The time for which a lease is held.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTerm {
    /// The time at which it is taken.
    pub now: Timestamp,
    /// When it ends unless it is renewed.
    pub until: Timestamp,
}

/// Acquires or renews a lease; false while another process holds it. Every holder takes a lease of one name for the same
/// time: one that ends much later than ours would comes from a wrong clock, or was written by hand, and is taken over.
pub async fn acquire(
    sql: &mut impl Sql,
    name: &str,
    holder: &str,
    term: LeaseTerm,
) -> Result<bool> {
    let acquired: Option<(String,)> = sql
        .q("INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET holder = $2, until = $3
            WHERE leases.holder = $2 OR leases.until <= $4 OR leases.until > $5
            RETURNING holder")
        .bind(name)
        .bind(holder)
        .bind(term.until)
        .bind(term.now)
        .bind(term.until.plus(MAX_CLOCK_SKEW))
        .fetch_optional()
        .await?;
    Ok(acquired.is_some())
}

/// Releases every lease of a process that shuts down.
pub async fn release_all(sql: &mut impl Sql, holder: &str) -> Result<()> {
    sql.q("DELETE FROM leases WHERE holder = $1").bind(holder).execute().await?;
    Ok(())
}

/// The holder of a lease, and when it ends.
pub async fn holder(sql: &mut impl Sql, name: &str) -> Result<Option<(String, Timestamp)>> {
    sql.q("SELECT holder, until FROM leases WHERE name = $1").bind(name).fetch_optional().await
}

/// Releases one lease.
pub async fn release(sql: &mut impl Sql, name: &str, holder: &str) -> Result<()> {
    sql.q("DELETE FROM leases WHERE name = $1 AND holder = $2")
        .bind(name)
        .bind(holder)
        .execute()
        .await?;
    Ok(())
}

/// Deletes the leases that ended before `before`; returns how many.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp) -> Result<u64> {
    sql.q("DELETE FROM leases WHERE until < $1").bind(before).execute().await
}
