//! Signing keys, sealed, and the public keys of those that have ended.

use sqlx::FromRow;

use crate::{
    Result, Sql, Timestamp,
    revision::{self, Topic},
};

/// A signing key's row.
#[derive(Clone, Debug, FromRow)]
pub struct SigningKeyRow {
    /// `kid`.
    pub id: String,
    /// JOSE algorithm.
    pub algorithm: String,
    /// PKCS #8, sealed with the root key for table name and id.
    pub sealed: Vec<u8>,
    /// When it was made. It is published from then on.
    pub created_at: Timestamp,
    /// When it begins to sign.
    pub signs_from: Timestamp,
}

/// A key that is no longer published.
#[derive(Clone, Debug, FromRow)]
pub struct EndedKeyRow {
    /// `kid`.
    pub id: String,
    /// JOSE algorithm.
    pub algorithm: String,
    /// Its public key, in the form that `keys` writes.
    pub public: Vec<u8>,
    /// When its publication ended.
    pub ended_at: Timestamp,
}

/// Every key that is published, in the order in which they sign.
pub async fn all(sql: &mut impl Sql) -> Result<Vec<SigningKeyRow>> {
    sql.q("SELECT id, algorithm, sealed, created_at, signs_from FROM signing_keys ORDER BY signs_from, id")
        .fetch_all()
        .await
}

/// Adds the key that replaces `predecessor`, or the first of its algorithm when that is empty; false when another key has
/// replaced it before.
pub async fn insert(sql: &mut impl Sql, key: &SigningKeyRow, predecessor: &str) -> Result<bool> {
    let inserted = sql
        .q("INSERT INTO key_successions (algorithm, follows, kid) VALUES ($1, $2, $3)
            ON CONFLICT (algorithm, follows) DO NOTHING")
        .bind(&key.algorithm)
        .bind(predecessor)
        .bind(&key.id)
        .execute()
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    sql.q("INSERT INTO signing_keys (id, algorithm, sealed, created_at, signs_from) VALUES ($1, $2, $3, $4, $5)")
        .bind(&key.id)
        .bind(&key.algorithm)
        .bind(&key.sealed)
        .bind(key.created_at)
        .bind(key.signs_from)
        .execute()
        .await?;
    revision::bump(sql, Topic::SigningKeys).await?;
    Ok(true)
}

/// Ends the publication of a key and deletes its private key; false when that was done before.
pub async fn remove(sql: &mut impl Sql, id: &str) -> Result<bool> {
    // First, so that all transactions lock rows in the same order: otherwise two of them could wait for each other.
    revision::bump(sql, Topic::SigningKeys).await?;
    let rows = sql.q("DELETE FROM signing_keys WHERE id = $1").bind(id).execute().await?;
    Ok(rows == 1)
}

/// Keeps the public key of a signing key that [`remove`] deleted.
pub async fn insert_ended(sql: &mut impl Sql, key: &EndedKeyRow) -> Result<()> {
    sql.q("INSERT INTO ended_keys (id, algorithm, public, ended_at) VALUES ($1, $2, $3, $4)")
        .bind(&key.id)
        .bind(&key.algorithm)
        .bind(&key.public)
        .bind(key.ended_at)
        .execute()
        .await?;
    Ok(())
}

/// Every public key that is kept.
pub async fn all_ended(sql: &mut impl Sql) -> Result<Vec<EndedKeyRow>> {
    sql.q("SELECT id, algorithm, public, ended_at FROM ended_keys ORDER BY ended_at, id")
        .fetch_all()
        .await
}

/// Deletes the kept public keys of an algorithm; returns their ids.
pub async fn delete_ended(sql: &mut impl Sql, algorithm: &str) -> Result<Vec<String>> {
    let deleted: Vec<(String,)> = sql
        .q("DELETE FROM ended_keys WHERE algorithm = $1 RETURNING id")
        .bind(algorithm)
        .fetch_all()
        .await?;
    if !deleted.is_empty() {
        revision::bump(sql, Topic::SigningKeys).await?;
    }
    Ok(deleted.into_iter().map(|(id,)| id).collect())
}

/// Deletes the last succession of an algorithm when its key was deleted by hand, which no statement here does: otherwise no
/// key could succeed the key before it. Returns the algorithms.
pub async fn repair_successions(sql: &mut impl Sql) -> Result<Vec<String>> {
    let repaired: Vec<(String,)> = sql
        .q("DELETE FROM key_successions
            WHERE kid NOT IN (SELECT id FROM signing_keys)
              AND (follows IN (SELECT id FROM signing_keys)
                   OR (follows = '' AND algorithm NOT IN (SELECT algorithm FROM signing_keys)))
            RETURNING algorithm")
        .fetch_all()
        .await?;
    Ok(repaired.into_iter().map(|(algorithm,)| algorithm).collect())
}

/// Deletes the public keys of signing keys that ended at `before` or earlier; returns how many.
pub async fn sweep_ended(sql: &mut impl Sql, before: Timestamp) -> Result<u64> {
    revision::bump(sql, Topic::SigningKeys).await?;
    sql.q("DELETE FROM ended_keys WHERE ended_at <= $1").bind(before).execute().await
}
