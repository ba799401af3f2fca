//! Wrong codes on the whole site, in slots of time: a gauge whose window slides.
//!
//! A slot has several rows, and a wrong code is counted in one of them by chance. So guesses at once rarely wait for the
//! same row until the other's transaction has ended.

use std::time::Duration;

use crate::{Result, Sql, Timestamp};

/// Length of a slot: by how much the window slides at once.
pub(crate) const SLOT_LENGTH: Duration = Duration::from_mins(10);

fn slot_of(at: Timestamp) -> i64 {
    at.millis().div_euclid(i64::try_from(SLOT_LENGTH.as_millis()).unwrap_or(i64::MAX))
}

/// Counts so many, or takes them back when negative, in the row `shard` of the slot of `at`. A row may be below zero; the
/// sum of a slot tells.
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

/// How many there were in the slots after the one of `after`.
pub async fn count_since(sql: &mut impl Sql, after: Timestamp) -> Result<i64> {
    let (wrong,): (i64,) = sql
        .q("SELECT CAST(COALESCE(SUM(wrong), 0) AS BIGINT) FROM wrong_codes WHERE slot > $1")
        .bind(slot_of(after))
        .fetch_one()
        .await?;
    Ok(wrong)
}

/// Deletes the slots up to the one of `before`; returns how many rows went.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp) -> Result<u64> {
    sql.q("DELETE FROM wrong_codes WHERE slot <= $1").bind(slot_of(before)).execute().await
}
