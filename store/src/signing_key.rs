//! Signing keys, sealed.

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
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it signs; it is published at once.
    pub signs_from: Timestamp,
}

/// Every key, oldest first.
pub async fn all(sql: &mut impl Sql) -> Result<Vec<SigningKeyRow>> {
    sql.q("SELECT id, algorithm, sealed, created_at, signs_from FROM signing_keys ORDER BY signs_from, id")
        .all()
        .await
}

/// Adds a key.
pub async fn insert(sql: &mut impl Sql, key: &SigningKeyRow) -> Result<()> {
    sql.q("INSERT INTO signing_keys (id, algorithm, sealed, created_at, signs_from) VALUES ($1, $2, $3, $4, $5)")
        .bind(&key.id)
        .bind(&key.algorithm)
        .bind(&key.sealed)
        .bind(key.created_at)
        .bind(key.signs_from)
        .exec()
        .await?;
    revision::bump(sql, Topic::SigningKeys).await
}
