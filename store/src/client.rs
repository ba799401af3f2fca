//! Clients (relying parties).

use sqlx::FromRow;

use crate::{
    Result, Sql, Timestamp, TokenHash,
    revision::{self, Topic},
};

/// A client's row. `flows::client` reads its JSON documents.
#[derive(Clone, Debug, FromRow)]
pub struct ClientRow {
    /// `client_id`.
    pub id: String,
    /// Its profile: what kind of program it is.
    pub profile: String,
    /// JSON object: its client metadata (RFC 7591).
    pub metadata: String,
    /// JSON object: what the operator decided about it.
    pub operator: String,
    /// SHA-256 of its secret.
    pub secret_1: Option<TokenHash>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Every client.
pub async fn all(sql: &mut impl Sql) -> Result<Vec<ClientRow>> {
    sql.q("SELECT id, profile, metadata, operator, secret_1, created_at FROM clients ORDER BY created_at, id")
        .fetch_all()
        .await
}

/// Looks a client up by id.
pub async fn get(sql: &mut impl Sql, id: &str) -> Result<Option<ClientRow>> {
    sql.q("SELECT id, profile, metadata, operator, secret_1, created_at FROM clients WHERE id = $1")
        .bind(id)
        .fetch_optional()
        .await
}

/// Adds a client; false when the id is taken.
pub async fn insert(sql: &mut impl Sql, new: &ClientRow) -> Result<bool> {
    let rows = sql
        .q("INSERT INTO clients (id, profile, metadata, operator, secret_1, created_at)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING")
        .bind(&new.id)
        .bind(&new.profile)
        .bind(&new.metadata)
        .bind(&new.operator)
        .bind(&new.secret_1)
        .bind(new.created_at)
        .execute()
        .await?;
    revision::bump(sql, Topic::Clients).await?;
    Ok(rows == 1)
}

/// Replaces the metadata of a client; false when they have changed since the row was read.
pub async fn replace_metadata(
    sql: &mut impl Sql,
    read: &ClientRow,
    metadata: &str,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE clients SET metadata = $3 WHERE id = $1 AND metadata = $2")
        .bind(&read.id)
        .bind(&read.metadata)
        .bind(metadata)
        .execute()
        .await?;
    // Only after a change: a transaction that tries again must not wait for the row while others wait for its revision.
    if rows == 1 {
        revision::bump(sql, Topic::Clients).await?;
    }
    Ok(rows == 1)
}

/// Replaces every secret of a client that has one; false when there is no such client.
pub async fn set_secret(sql: &mut impl Sql, id: &str, secret: &TokenHash) -> Result<bool> {
    let rows = sql
        .q("UPDATE clients SET secret_1 = $2, secret_2 = NULL WHERE id = $1 AND secret_1 IS NOT NULL")
        .bind(id)
        .bind(secret)
        .execute()
        .await?;
    revision::bump(sql, Topic::Clients).await?;
    Ok(rows == 1)
}
