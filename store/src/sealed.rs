//! Sealed values of all tables, to be sealed again with a new root key.
//!
//! A value begins with a prefix that names its root key, so the rows themselves show the progress.

use sqlx::FromRow;
use uuid::Uuid;

use crate::{Error, Result, Sql};

/// A sealed value in its row.
#[derive(Clone, Debug, FromRow)]
pub struct SealedRow {
    /// Its table.
    pub home: String,
    /// The id of its row, where that is a text.
    text_id: String,
    /// The id of its row, where that is a UUID.
    uuid: Option<Uuid>,
    /// The value.
    pub sealed: Vec<u8>,
}

impl SealedRow {
    /// The id of its row.
    #[must_use]
    pub fn id(&self) -> String {
        self.uuid.map_or_else(|| self.text_id.clone(), |id| id.to_string())
    }
}

/// Values with another prefix than this, at most `limit`. The only list of tables with sealed values, together with
/// [`replace`] and [`count_with_prefix`].
pub async fn outdated(sql: &mut impl Sql, prefix: &[u8], limit: i64) -> Result<Vec<SealedRow>> {
    sql.q("SELECT 'root_keys' AS home, id AS text_id, CAST(NULL AS UUID) AS uuid, sealed FROM root_keys
           WHERE substr(sealed, 1, CAST($2 AS INTEGER)) <> $1
           UNION ALL
           SELECT 'signing_keys' AS home, id AS text_id, CAST(NULL AS UUID) AS uuid, sealed FROM signing_keys
           WHERE substr(sealed, 1, CAST($2 AS INTEGER)) <> $1
           UNION ALL
           SELECT 'totp_apps' AS home, '' AS text_id, id AS uuid, sealed FROM totp_apps
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
        "root_keys" => sql
            .q("UPDATE root_keys SET sealed = $3 WHERE id = $1 AND sealed = $2")
            .bind(&row.text_id),
        "signing_keys" => sql
            .q("UPDATE signing_keys SET sealed = $3 WHERE id = $1 AND sealed = $2")
            .bind(&row.text_id),
        "totp_apps" => {
            sql.q("UPDATE totp_apps SET sealed = $3 WHERE id = $1 AND sealed = $2").bind(row.uuid)
        }
        _ => {
            return Err(Error::Corrupt {
                table: "sealed values",
                column: "home",
                id: row.id(),
                why: row.home.clone(),
            });
        }
    };
    let rows = statement.bind(&row.sealed).bind(resealed.to_vec()).execute().await?;
    Ok(rows == 1)
}

/// Counts the values with a prefix.
pub async fn count_with_prefix(sql: &mut impl Sql, prefix: &[u8]) -> Result<i64> {
    let (count,): (i64,) = sql
        .q("SELECT (SELECT COUNT(*) FROM root_keys WHERE substr(sealed, 1, CAST($2 AS INTEGER)) = $1)
                 + (SELECT COUNT(*) FROM signing_keys WHERE substr(sealed, 1, CAST($2 AS INTEGER)) = $1)
                 + (SELECT COUNT(*) FROM totp_apps WHERE substr(sealed, 1, CAST($2 AS INTEGER)) = $1)")
        .bind(prefix.to_vec())
        .bind(length(prefix))
        .fetch_one()
        .await?;
    Ok(count)
}

fn length(prefix: &[u8]) -> i64 {
    i64::try_from(prefix.len()).unwrap_or(i64::MAX)
}
