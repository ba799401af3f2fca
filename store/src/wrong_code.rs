//! Wrong codes on the whole site, counted in slots of time for a sliding window.
//!
//! A slot has several rows, and a wrong code is counted in a random one, so that concurrent guesses rarely wait for each
//! other's row lock.

use std::time::Duration;

use crate::{Result, Sql, Timestamp};

/// Length of a slot: the step by which the window slides.
pub(crate) const SLOT_LENGTH: Duration = Duration::from_mins(10);

fn slot_of(at: Timestamp) -> i64 {
    at.millis().div_euclid(i64::try_from(SLOT_LENGTH.as_millis()).unwrap_or(i64::MAX))
}

/// Adds `wrong` codes, or refunds them when negative, in the row `shard` of the slot of `at`. A row may be below zero; only
/// the sum of a slot counts.
pub async fn add(sql: &mut impl Sql, shard: i64, wrong: i64, at: Timestamp) -> Result<()> {
    sql.q("INSERT INTO wrong_codes (slot, shard, wrong) VALUES ($1, $2, $3)
           ON CONFLICT (slot, shard) DO UPDATE SET wrong = wrong_codes.wrong + $3")
        .bind(slot_of(at))
        .bind(shard)
        .bind(wrong)
        .execute()
        .await?;
    Ok(())
}

/// Counts the wrong codes in the slots after that of `after`.
pub async fn count_since(sql: &mut impl Sql, after: Timestamp) -> Result<i64> {
    let (wrong,): (i64,) = sql
        .q("SELECT CAST(COALESCE(SUM(wrong), 0) AS BIGINT) FROM wrong_codes WHERE slot > $1")
        .bind(slot_of(after))
        .fetch_one()
        .await?;
    Ok(wrong)
}

/// Deletes the slots up to that of `before`; returns how many rows.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp) -> Result<u64> {
    sql.q("DELETE FROM wrong_codes WHERE slot <= $1").bind(slot_of(before)).execute().await
}
