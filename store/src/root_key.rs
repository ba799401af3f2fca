//! Root keys that have been current, and their secrets that must outlive their files.

use sqlx::FromRow;

use crate::{Result, Sql, Timestamp};

/// A root key's row.
#[derive(Clone, Debug, FromRow)]
pub struct RootKeyRow {
    /// Its id in the configuration.
    pub id: String,
    /// When a replica first had it as the current one.
    pub since: Timestamp,
    /// Its carried secrets, sealed for table name and id.
    pub sealed: Vec<u8>,
}

/// Every root key that has been current, the first one first.
pub async fn all(sql: &mut impl Sql) -> Result<Vec<RootKeyRow>> {
    sql.q("SELECT id, since, sealed FROM root_keys ORDER BY since, id").fetch_all().await
}

/// Records that a root key is current; false when that was recorded before.
pub async fn insert(sql: &mut impl Sql, row: &RootKeyRow) -> Result<bool> {
    let rows = sql
        .q("INSERT INTO root_keys (id, since, sealed) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING")
        .bind(&row.id)
        .bind(row.since)
        .bind(&row.sealed)
        .execute()
        .await?;
    Ok(rows == 1)
}
