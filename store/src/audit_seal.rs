//! Seals of the audit trail: each contains the digest of the previous one.

use std::ops::RangeInclusive;

use sqlx::FromRow;

use crate::{Result, Sql, Timestamp};

/// A seal's row.
#[derive(Clone, Debug, FromRow)]
pub struct Seal {
    /// Its number: 1, 2, 3 ..
    pub sequence: i64,
    /// When it was made.
    pub sealed_at: Timestamp,
    /// Every older row was visible when the seal was made, and is in this seal or an earlier one.
    pub complete_to: Timestamp,
    /// How many rows it has.
    pub row_count: i64,
    /// Id and HMAC of each row, in the order of ids; none once the rows are swept.
    pub manifest: Option<Vec<u8>>,
    /// HMAC of the manifest.
    pub manifest_hash: Vec<u8>,
    /// Digest of the previous seal; empty for the first.
    pub previous: Vec<u8>,
    /// HMAC of the seal.
    pub digest: Vec<u8>,
    /// Id of the root key of the HMACs.
    pub key_id: String,
    /// When its rows were swept.
    pub swept_at: Option<Timestamp>,
    /// Id of the root key of the mark.
    pub swept_key: Option<String>,
    /// HMAC that proves that the program itself swept everything up to this seal.
    pub swept_mark: Option<Vec<u8>>,
}

/// Reserves the number of the next seal, whose row is empty until [`complete`]; false when another transaction has it. A
/// concurrent sealer waits here, before it locks a row of the trail: otherwise two sealers could each hold rows that the
/// other waits for.
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

/// Completes a seal whose number was reserved in the same transaction.
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

/// The seal with a number.
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

/// Seals after a number whose rows are not swept, in their order.
pub async fn unswept_after(sql: &mut impl Sql, sequence: i64, limit: i64) -> Result<Vec<Seal>> {
    sql.q("SELECT sequence, sealed_at, complete_to, row_count, manifest, manifest_hash, previous, digest, key_id, swept_at, swept_key, swept_mark
           FROM audit_seals WHERE swept_at IS NULL AND sequence > $1 ORDER BY sequence LIMIT $2")
        .bind(sequence)
        .bind(limit)
        .fetch_all()
        .await
}

/// Marks the seals of a range as swept and deletes their manifests; returns how many.
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

/// Puts a mark on a seal: everything up to it was swept. False when there is no such seal.
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

/// The newest seal with such a mark.
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
