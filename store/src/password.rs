//! Password hashes.

use crate::{Result, Sql, Timestamp, UserId};

/// Sets a password, new or changed; returns the new version.
pub async fn set(sql: &mut impl Sql, user: UserId, phc: &str, now: Timestamp) -> Result<i64> {
    let (version,): (i64,) = sql
        .q("INSERT INTO passwords (user_id, phc, version, set_at) VALUES ($1, $2, 1, $3)
            ON CONFLICT (user_id) DO UPDATE SET phc = $2, version = passwords.version + 1, set_at = $3
            RETURNING version")
        .bind(user)
        .bind(phc)
        .bind(now)
        .one()
        .await?;
    Ok(version)
}

/// Current hash and version.
pub async fn current(sql: &mut impl Sql, user: UserId) -> Result<Option<(String, i64)>> {
    sql.q("SELECT phc, version FROM passwords WHERE user_id = $1").bind(user).opt().await
}
