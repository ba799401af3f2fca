//! Signing keys, sealed, and what is left of those that have ended.

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
    /// PKCS #8, sealed with the root key under table name and id.
    pub sealed: Vec<u8>,
    /// When it was made. It is published from then on.
    pub created_at: Timestamp,
    /// From when it signs.
    pub signs_from: Timestamp,
}

/// A key that is no longer published.
#[derive(Clone, Debug, FromRow)]
pub struct EndedKeyRow {
    /// `kid`.
    pub id: String,
    /// JOSE algorithm.
    pub algorithm: String,
    /// Its public half, as `keys` writes it.
    pub public: Vec<u8>,
    /// Since when it is not published.
    pub ended_at: Timestamp,
}

/// Every key that is published, in the order in which they sign.
pub async fn all(sql: &mut impl Sql) -> Result<Vec<SigningKeyRow>> {
    sql.q("SELECT id, algorithm, sealed, created_at, signs_from FROM signing_keys ORDER BY signs_from, id")
        .fetch_all()
        .await
}

/// Adds the key that replaces `predecessor`, or the first of its algorithm when that is empty; false when another one has done
/// so before.
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

/// Takes a key out of publication, with its private half; false when that was done before.
pub async fn remove(sql: &mut impl Sql, id: &str) -> Result<bool> {
    // First of all, as where one is added: who takes two rows in another order than others waits for them, and they for him.
    revision::bump(sql, Topic::SigningKeys).await?;
    let rows = sql.q("DELETE FROM signing_keys WHERE id = $1").bind(id).execute().await?;
    Ok(rows == 1)
}

/// Keeps the public half of a key that [`remove`] took away.
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

/// Every public half that is kept.
pub async fn all_ended(sql: &mut impl Sql) -> Result<Vec<EndedKeyRow>> {
    sql.q("SELECT id, algorithm, public, ended_at FROM ended_keys ORDER BY ended_at, id")
        .fetch_all()
        .await
}

/// Forgets the public halves of an algorithm; returns of which keys.
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

/// Lets go of who followed a key, or was the first, where the one that did is gone and nothing came after it; returns of
/// which algorithms. No statement here leaves that behind, but a hand can: nothing could follow that key again.
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

/// Forgets the public halves of keys that ended before a time; returns how many.
pub async fn sweep_ended(sql: &mut impl Sql, before: Timestamp) -> Result<u64> {
    revision::bump(sql, Topic::SigningKeys).await?;
    sql.q("DELETE FROM ended_keys WHERE ended_at <= $1").bind(before).execute().await
}
