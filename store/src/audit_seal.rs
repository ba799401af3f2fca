//! Seals of the audit trail: each has the digest of the one before.

use std::ops::RangeInclusive;

use sqlx::FromRow;

use crate::{Result, Sql, Timestamp};

/// A seal's row.
#[derive(Clone, Debug, FromRow)]
pub struct Seal {
    /// 1, 2, 3 ..
    pub sequence: i64,
    /// When it was made.
    pub sealed_at: Timestamp,
    /// Every row that is older was in sight when it was made, and is in this seal or in one before.
    pub complete_to: Timestamp,
    /// How many rows it has.
    pub row_count: i64,
    /// Id and HMAC of each row, in the order of ids; none once the rows are swept.
    pub manifest: Option<Vec<u8>>,
    /// HMAC of the manifest.
    pub manifest_hash: Vec<u8>,
    /// Digest of the seal before; empty for the first.
    pub previous: Vec<u8>,
    /// HMAC of all of this.
    pub digest: Vec<u8>,
    /// The root key of the HMACs.
    pub key_id: String,
    /// When its rows were swept.
    pub swept_at: Option<Timestamp>,
    /// The root key of the mark.
    pub swept_key: Option<String>,
    /// HMAC that says that the program itself swept everything up to this seal.
    pub swept_mark: Option<Vec<u8>>,
}

/// Takes the number of the next seal, whose row is empty until [`complete`]; false when another has it. Who wants the same
/// number waits here, before it has touched a row of the trail: two that claim rows would otherwise each hold some that the
/// other wants.
pub async fn reserve(sql: &mut impl Sql, sequence: i64, now: Timestamp) -> Result<bool> {
    let rows = sql
        .q("INSERT INTO audit_seals (sequence, sealed_at, complete_to, row_count, manifest_hash, previous, digest, key_id)
            VALUES ($1, $2, $2, 0, $3, $3, $3, '') ON CONFLICT (sequence) DO NOTHING")
        .bind(sequence)
        .bind(now)
        .bind(Vec::new())
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Completes a seal whose number was taken in the same transaction.
pub async fn complete(sql: &mut impl Sql, new: &Seal) -> Result<()> {
    sql.q("UPDATE audit_seals
           SET sealed_at = $2, complete_to = $3, row_count = $4, manifest = $5, manifest_hash = $6, previous = $7,
               digest = $8, key_id = $9
           WHERE sequence = $1")
        .bind(new.sequence)
        .bind(new.sealed_at)
        .bind(new.complete_to)
        .bind(new.row_count)
        .bind(&new.manifest)
        .bind(&new.manifest_hash)
        .bind(&new.previous)
        .bind(&new.digest)
        .bind(&new.key_id)
        .execute()
        .await?;
    Ok(())
}

/// The newest seal.
pub async fn newest(sql: &mut impl Sql) -> Result<Option<Seal>> {
    sql.q("SELECT sequence, sealed_at, complete_to, row_count, manifest, manifest_hash, previous, digest, key_id, swept_at, swept_key, swept_mark
           FROM audit_seals ORDER BY sequence DESC LIMIT 1").fetch_optional().await
}

/// The seal of a number.
pub async fn by_sequence(sql: &mut impl Sql, sequence: i64) -> Result<Option<Seal>> {
    sql.q("SELECT sequence, sealed_at, complete_to, row_count, manifest, manifest_hash, previous, digest, key_id, swept_at, swept_key, swept_mark
           FROM audit_seals WHERE sequence = $1").bind(sequence).fetch_optional().await
}

/// The seals after a number, in their order.
pub async fn after(sql: &mut impl Sql, sequence: i64, limit: i64) -> Result<Vec<Seal>> {
    sql.q("SELECT sequence, sealed_at, complete_to, row_count, manifest, manifest_hash, previous, digest, key_id, swept_at, swept_key, swept_mark
           FROM audit_seals WHERE sequence > $1 ORDER BY sequence LIMIT $2")
        .bind(sequence)
        .bind(limit)
        .fetch_all()
        .await
}

/// The number of the first seal that was made at `from` or later.
pub async fn first_sequence_since(sql: &mut impl Sql, from: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = sql
        .q("SELECT sequence FROM audit_seals WHERE sealed_at >= $1 ORDER BY sealed_at, sequence LIMIT 1")
        .bind(from)
        .fetch_optional()
        .await?;
    Ok(row.map(|(sequence,)| sequence))
}

/// Seals after a number whose rows are still there, in their order.
pub async fn unswept_after(sql: &mut impl Sql, sequence: i64, limit: i64) -> Result<Vec<Seal>> {
    sql.q("SELECT sequence, sealed_at, complete_to, row_count, manifest, manifest_hash, previous, digest, key_id, swept_at, swept_key, swept_mark
           FROM audit_seals WHERE swept_at IS NULL AND sequence > $1 ORDER BY sequence LIMIT $2")
        .bind(sequence)
        .bind(limit)
        .fetch_all()
        .await
}

/// Says that the rows of a range of seals are swept.
pub async fn mark_swept(
    sql: &mut impl Sql,
    seals: &RangeInclusive<i64>,
    now: Timestamp,
) -> Result<u64> {
    sql.q("UPDATE audit_seals SET swept_at = $3, manifest = NULL
           WHERE sequence >= $1 AND sequence <= $2 AND swept_at IS NULL")
        .bind(*seals.start())
        .bind(*seals.end())
        .bind(now)
        .execute()
        .await
}

/// Puts the mark on a seal that everything up to it was swept.
pub async fn set_swept_mark(
    sql: &mut impl Sql,
    sequence: i64,
    key: &str,
    mark: &[u8],
) -> Result<bool> {
    let rows = sql
        .q("UPDATE audit_seals SET swept_key = $2, swept_mark = $3 WHERE sequence = $1")
        .bind(sequence)
        .bind(key)
        .bind(mark.to_vec())
        .execute()
        .await?;
    Ok(rows == 1)
}

/// The newest seal that has such a mark.
pub async fn newest_with_swept_mark(sql: &mut impl Sql) -> Result<Option<Seal>> {
    sql.q("SELECT sequence, sealed_at, complete_to, row_count, manifest, manifest_hash, previous, digest, key_id, swept_at, swept_key, swept_mark
           FROM audit_seals WHERE swept_mark IS NOT NULL ORDER BY sequence DESC LIMIT 1")
        .fetch_optional()
        .await
}

/// Deletes up to `limit` seals before a number that were swept before `before`; returns how many.
pub async fn sweep(
    sql: &mut impl Sql,
    sequence: i64,
    before: Timestamp,
    limit: i64,
) -> Result<u64> {
    sql.q("DELETE FROM audit_seals WHERE sequence IN
           (SELECT sequence FROM audit_seals WHERE sequence < $1 AND swept_at < $2 ORDER BY sequence LIMIT $3)")
        .bind(sequence)
        .bind(before)
        .bind(limit)
        .execute()
        .await
}
