//! The last results of invariant checks, which compare the data with what must always hold.

use sqlx::FromRow;

use crate::{Result, Sql, Timestamp};

/// The last result of one check.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct InvariantCheck {
    /// The check's name.
    pub name: String,
    /// When it was run.
    pub checked_at: Timestamp,
    /// Rows found that must not exist.
    pub found: i64,
}

/// The last results of all checks.
pub async fn all(sql: &mut impl Sql) -> Result<Vec<InvariantCheck>> {
    sql.q("SELECT name, checked_at, found FROM checks ORDER BY name").fetch_all().await
}

/// Stores a result, in place of an older one.
pub async fn put(sql: &mut impl Sql, check: &InvariantCheck) -> Result<()> {
    sql.q("INSERT INTO checks (name, checked_at, found) VALUES ($1, $2, $3)
           ON CONFLICT (name) DO UPDATE SET checked_at = $2, found = $3 WHERE checks.checked_at <= $2")
        .bind(&check.name)
        .bind(check.checked_at)
        .bind(check.found)
        .execute()
        .await?;
    Ok(())
}
