//! Passkeys (WebAuthn Level 3).

use sqlx::FromRow;

use crate::{PasskeyId, Result, Sql, Timestamp, UserId};

/// A passkey that was registered. Nothing in it is a secret.
#[derive(Clone, Debug, FromRow)]
pub struct PasskeyRow {
    /// Id of the row.
    pub id: PasskeyId,
    /// The owner.
    pub user_id: UserId,
    /// The RP ID that it was made under: it works under no other one.
    pub rp_id: String,
    /// The credential id, in base64url.
    pub credential_id: String,
    /// Public key, counter and flags: JSON that only `flows` reads.
    pub credential: String,
    /// The name of its authenticator, or one that its owner gave it.
    pub name: String,
    /// Whether it is backed up (BS), so that the owner's other devices have it too.
    pub synced: bool,
    /// How many assertions were accepted.
    pub uses: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When its last assertion was accepted.
    pub last_used_at: Timestamp,
}

/// Columns of [`PasskeyRow`].
macro_rules! passkey_columns {
    () => {
        "id, user_id, rp_id, credential_id, credential, name, synced, uses, created_at, last_used_at"
    };
}

/// The passkeys of a person, the oldest first.
pub async fn of_user(sql: &mut impl Sql, user: UserId) -> Result<Vec<PasskeyRow>> {
    sql.q(concat!("SELECT ", passkey_columns!(), " FROM passkeys WHERE user_id = $1 ORDER BY id"))
        .bind(user)
        .fetch_all()
        .await
}

/// Looks a passkey up by its credential id, of any account.
pub async fn by_credential_id(
    sql: &mut impl Sql,
    credential_id: &str,
) -> Result<Option<PasskeyRow>> {
    sql.q(concat!("SELECT ", passkey_columns!(), " FROM passkeys WHERE credential_id = $1"))
        .bind(credential_id)
        .fetch_optional()
        .await
}

/// Another RP ID than this one that a passkey was made under.
pub async fn other_rp_id(sql: &mut impl Sql, rp_id: &str) -> Result<Option<String>> {
    let found: Option<(String,)> = sql
        .q("SELECT rp_id FROM passkeys WHERE rp_id <> $1 LIMIT 1")
        .bind(rp_id)
        .fetch_optional()
        .await?;
    Ok(found.map(|(rp_id,)| rp_id))
}

/// Adds a passkey; false when an account has this credential already. The caller holds the lock of the owner's row, and has
/// counted.
pub async fn insert(sql: &mut impl Sql, passkey: &PasskeyRow) -> Result<bool> {
    let rows = sql
        .q("INSERT INTO passkeys (id, user_id, rp_id, credential_id, credential, name, synced, uses, created_at,
                                  last_used_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (credential_id) DO NOTHING")
        .bind(passkey.id)
        .bind(passkey.user_id)
        .bind(&passkey.rp_id)
        .bind(&passkey.credential_id)
        .bind(&passkey.credential)
        .bind(&passkey.name)
        .bind(passkey.synced)
        .bind(passkey.uses)
        .bind(passkey.created_at)
        .bind(passkey.last_used_at)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Counts an accepted assertion; false when this one, or a later one, was counted before.
pub async fn consume(
    sql: &mut impl Sql,
    id: PasskeyId,
    owner: UserId,
    uses: i64,
    now: Timestamp,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE passkeys SET uses = $3, last_used_at = $4 WHERE id = $1 AND user_id = $2 AND uses < $3")
        .bind(id)
        .bind(owner)
        .bind(uses)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Stores what an accepted assertion has changed: the counter, and whether the passkey is backed up.
pub async fn update_credential(
    sql: &mut impl Sql,
    id: PasskeyId,
    credential: &str,
    synced: bool,
) -> Result<()> {
    sql.q("UPDATE passkeys SET credential = $2, synced = $3 WHERE id = $1")
        .bind(id)
        .bind(credential)
        .bind(synced)
        .execute()
        .await?;
    Ok(())
}

/// Gives a passkey of a person another name; false when there is none.
pub async fn rename(sql: &mut impl Sql, id: PasskeyId, user: UserId, name: &str) -> Result<bool> {
    let rows = sql
        .q("UPDATE passkeys SET name = $3 WHERE id = $1 AND user_id = $2")
        .bind(id)
        .bind(user)
        .bind(name)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Deletes a passkey of a person; returns its name.
pub async fn delete(sql: &mut impl Sql, id: PasskeyId, user: UserId) -> Result<Option<String>> {
    let name: Option<(String,)> = sql
        .q("DELETE FROM passkeys WHERE id = $1 AND user_id = $2 RETURNING name")
        .bind(id)
        .bind(user)
        .fetch_optional()
        .await?;
    Ok(name.map(|(name,)| name))
}
