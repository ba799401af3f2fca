//! Authenticator apps (RFC 6238).

use sqlx::FromRow;

use crate::{Result, Sql, Timestamp, TotpAppId, UserId};

/// An app that was enrolled.
#[derive(Clone, Debug, FromRow)]
pub struct TotpApp {
    /// Id.
    pub id: TotpAppId,
    /// The owner.
    pub user_id: UserId,
    /// The name that its owner gave it.
    pub name: String,
    /// Its secret, sealed with the root key.
    pub sealed: Vec<u8>,
    /// The latest time step whose code was accepted.
    pub last_step: i64,
    /// Later time steps that a code was refused for as early, each between spaces.
    pub early_steps: String,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// When its last code was accepted.
    pub last_used_at: Timestamp,
}

/// The apps of a person, the oldest first.
pub async fn of_user(sql: &mut impl Sql, user: UserId) -> Result<Vec<TotpApp>> {
    sql.q("SELECT id, user_id, name, sealed, last_step, early_steps, created_at, last_used_at
           FROM totp_apps WHERE user_id = $1 ORDER BY id")
        .bind(user)
        .fetch_all()
        .await
}

/// Adds an app. The caller holds the lock of the owner's row, and has counted.
pub async fn insert(sql: &mut impl Sql, app: &TotpApp) -> Result<()> {
    sql.q("INSERT INTO totp_apps (id, user_id, name, sealed, last_step, early_steps, created_at, last_used_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(app.id)
        .bind(app.user_id)
        .bind(&app.name)
        .bind(app.sealed.clone())
        .bind(app.last_step)
        .bind(&app.early_steps)
        .bind(app.created_at)
        .bind(app.last_used_at)
        .execute()
        .await?;
    Ok(())
}

/// Uses the code of a time step up; false when that or a later one was used before, or was refused as early.
pub async fn consume(
    sql: &mut impl Sql,
    id: TotpAppId,
    user: UserId,
    step: i64,
    now: Timestamp,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE totp_apps SET last_step = $3, last_used_at = $4
            WHERE id = $1 AND user_id = $2 AND last_step < $3 AND early_steps NOT LIKE $5")
        .bind(id)
        .bind(user)
        .bind(step)
        .bind(now)
        .bind(format!("% {step} %"))
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Replaces the time steps that were refused as early; false when they were changed meanwhile.
pub async fn replace_early_steps(
    sql: &mut impl Sql,
    id: TotpAppId,
    before: &str,
    after: &str,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE totp_apps SET early_steps = $3 WHERE id = $1 AND early_steps = $2")
        .bind(id)
        .bind(before)
        .bind(after)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Gives an app of a person another name; false when there is none.
pub async fn rename(sql: &mut impl Sql, id: TotpAppId, user: UserId, name: &str) -> Result<bool> {
    let rows = sql
        .q("UPDATE totp_apps SET name = $3 WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user)
        .bind(name)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Deletes an app of a person; returns its name.
pub async fn delete(sql: &mut impl Sql, id: TotpAppId, user: UserId) -> Result<Option<String>> {
    let name: Option<(String,)> = sql
        .q("DELETE FROM totp_apps WHERE id = $1 AND user_id = $2 RETURNING name")
        .bind(id)
        .bind(user)
        .fetch_optional()
        .await?;
    Ok(name.map(|(name,)| name))
}
