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
        .fetch_one()
        .await?;
    Ok(version)
}

/// Current hash and version.
pub async fn current(sql: &mut impl Sql, user: UserId) -> Result<Option<(String, i64)>> {
    sql.q("SELECT phc, version FROM passwords WHERE user_id = $1").bind(user).fetch_optional().await
}

/// Replaces an outdated hash with another of the same password. The version stays: the password does not change.
pub async fn replace_hash(sql: &mut impl Sql, user: UserId, phc: &str, version: i64) -> Result<()> {
    sql.q("UPDATE passwords SET phc = $2 WHERE user_id = $1 AND version = $3")
        .bind(user)
        .bind(phc)
        .bind(version)
        .execute()
        .await?;
    Ok(())
}

/// Counts the hashes with this `keyid` parameter. It reads every hash: for commands, not for requests.
pub async fn count_with_keyid(sql: &mut impl Sql, keyid: &str) -> Result<i64> {
    let (count,): (i64,) = sql
        .q("SELECT COUNT(*) FROM passwords WHERE phc LIKE $1")
        .bind(format!("%{keyid}%"))
        .fetch_one()
        .await?;
    Ok(count)
}
