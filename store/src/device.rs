//! Known devices: browsers that completed a sign-in of an account. They prove no step; they have limits of their own.

use crate::{Result, Sql, Timestamp, TokenHash, UserId};

/// Adds a device of a person, under the epoch of its sign-in.
pub async fn insert(
    sql: &mut impl Sql,
    hash: &TokenHash,
    user: UserId,
    epoch: i64,
    now: Timestamp,
) -> Result<()> {
    sql.q("INSERT INTO devices (hash, user_id, epoch, made_at) VALUES ($1, $2, $3, $4)")
        .bind(hash)
        .bind(user)
        .bind(epoch)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Whether a value is a known device of the person with a canonical address. False for other persons, when the person is not
/// active, for devices from before a forced reset, and for devices that were not made after `after`.
pub async fn is_live(
    sql: &mut impl Sql,
    hash: &TokenHash,
    canonical: &str,
    after: Timestamp,
) -> Result<bool> {
    let found: Option<(i64,)> = sql
        .q("SELECT devices.made_at FROM devices JOIN users ON users.id = devices.user_id
            WHERE devices.hash = $1 AND users.email_canonical = $2 AND devices.epoch = users.epoch
                  AND users.status = 'active' AND devices.made_at > $3")
        .bind(hash)
        .bind(canonical)
        .bind(after)
        .fetch_optional()
        .await?;
    Ok(found.is_some())
}

/// Deletes a value that a newer one replaces.
pub async fn delete(sql: &mut impl Sql, hash: &TokenHash) -> Result<()> {
    sql.q("DELETE FROM devices WHERE hash = $1").bind(hash).execute().await?;
    Ok(())
}

/// Deletes every device of a person; returns how many there were.
pub async fn delete_all_of_user(sql: &mut impl Sql, user: UserId) -> Result<u64> {
    sql.q("DELETE FROM devices WHERE user_id = $1").bind(user).execute().await
}

/// Deletes up to `limit` devices that were made before `before`; returns how many.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM devices WHERE hash IN
           (SELECT hash FROM devices WHERE made_at < $1 ORDER BY made_at LIMIT $2)")
        .bind(before)
        .bind(limit)
        .execute()
        .await
}
