//! Recovery codes: a person has one sheet of them, or none.

use sqlx::FromRow;

use crate::{RecoveryCodeId, Result, Sql, Timestamp, UserId};

/// A code of a sheet.
#[derive(Clone, Debug, FromRow)]
pub struct RecoveryCodeRow {
    /// Id.
    pub id: RecoveryCodeId,
    /// The owner.
    pub user_id: UserId,
    /// Id of the root key that the HMAC is made with.
    pub key_id: String,
    /// HMAC of person and code.
    pub hash: Vec<u8>,
    /// When the sheet was made.
    pub created_at: Timestamp,
    /// When the code was used.
    pub used_at: Option<Timestamp>,
}

/// The sheet of a person.
pub async fn of_user(sql: &mut impl Sql, user: UserId) -> Result<Vec<RecoveryCodeRow>> {
    sql.q("SELECT id, user_id, key_id, hash, created_at, used_at FROM recovery_codes
           WHERE user_id = $1 ORDER BY id")
        .bind(user)
        .fetch_all()
        .await
}

/// Adds a code.
pub async fn insert(sql: &mut impl Sql, code: &RecoveryCodeRow) -> Result<()> {
    sql.q("INSERT INTO recovery_codes (id, user_id, key_id, hash, created_at, used_at)
           VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(code.id)
        .bind(code.user_id)
        .bind(&code.key_id)
        .bind(code.hash.clone())
        .bind(code.created_at)
        .bind(code.used_at)
        .execute()
        .await?;
    Ok(())
}

/// Uses a code up; false when it was used before or its sheet is gone.
pub async fn consume(
    sql: &mut impl Sql,
    id: RecoveryCodeId,
    user: UserId,
    now: Timestamp,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE recovery_codes SET used_at = $3 WHERE id = $1 AND user_id = $2 AND used_at IS NULL")
        .bind(id)
        .bind(user)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Deletes the sheet of a person; returns how many codes of it were not used.
pub async fn delete_all_of_user(sql: &mut impl Sql, user: UserId) -> Result<usize> {
    let deleted: Vec<(Option<Timestamp>,)> = sql
        .q("DELETE FROM recovery_codes WHERE user_id = $1 RETURNING used_at")
        .bind(user)
        .fetch_all()
        .await?;
    Ok(deleted.iter().filter(|(at,)| at.is_none()).count())
}
