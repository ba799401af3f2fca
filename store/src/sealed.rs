//! Sealed values of all tables, to be sealed again with a new root key.
//!
//! A value begins with a prefix that names its root key, so the rows themselves show the progress.

use sqlx::FromRow;

use crate::{Error, Result, Sql};

/// A sealed value in its row.
#[derive(Clone, Debug, FromRow)]
pub struct SealedRow {
    /// Its table.
    pub home: String,
    /// Its row.
    pub id: String,
    /// The value.
    pub sealed: Vec<u8>,
}

/// Values with another prefix than this, at most `limit`. The only list of tables with sealed values, together with
/// [`replace`] and [`count_with_prefix`].
pub async fn outdated(sql: &mut impl Sql, prefix: &[u8], limit: i64) -> Result<Vec<SealedRow>> {
    sql.q("SELECT 'root_keys' AS home, id, sealed FROM root_keys
           WHERE substr(sealed, 1, CAST($2 AS INTEGER)) <> $1
           UNION ALL
           SELECT 'signing_keys' AS home, id, sealed FROM signing_keys
           WHERE substr(sealed, 1, CAST($2 AS INTEGER)) <> $1
           LIMIT $3")
        .bind(prefix.to_vec())
        .bind(length(prefix))
        .bind(limit)
        .fetch_all()
        .await
}

/// Replaces a value with one that was sealed again; false when it was deleted or changed meanwhile.
pub async fn replace(sql: &mut impl Sql, row: &SealedRow, resealed: &[u8]) -> Result<bool> {
    let statement = match row.home.as_str() {
        "root_keys" => sql.q("UPDATE root_keys SET sealed = $3 WHERE id = $1 AND sealed = $2"),
        "signing_keys" => {
            sql.q("UPDATE signing_keys SET sealed = $3 WHERE id = $1 AND sealed = $2")
        }
        _ => {
            return Err(Error::Corrupt {
                table: "sealed values",
                column: "home",
                id: row.id.clone(),
                why: row.home.clone(),
            });
        }
    };
    let rows = statement.bind(&row.id).bind(&row.sealed).bind(resealed.to_vec()).execute().await?;
    Ok(rows == 1)
}

/// Counts the values with a prefix.
pub async fn count_with_prefix(sql: &mut impl Sql, prefix: &[u8]) -> Result<i64> {
    let (count,): (i64,) = sql
        .q("SELECT (SELECT COUNT(*) FROM root_keys WHERE substr(sealed, 1, CAST($2 AS INTEGER)) = $1)
                 + (SELECT COUNT(*) FROM signing_keys WHERE substr(sealed, 1, CAST($2 AS INTEGER)) = $1)")
        .bind(prefix.to_vec())
        .bind(length(prefix))
        .fetch_one()
        .await?;
    Ok(count)
}

fn length(prefix: &[u8]) -> i64 {
    i64::try_from(prefix.len()).unwrap_or(i64::MAX)
}
