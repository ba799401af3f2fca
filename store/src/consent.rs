//! Consents: the scopes that a person allowed a client.

use crate::{Result, Sql, Timestamp, UserId};

/// Records the scopes that a person allows a client, in place of earlier ones.
pub async fn put(
    sql: &mut impl Sql,
    user: UserId,
    client: &str,
    scopes: &str,
    now: Timestamp,
) -> Result<()> {
    sql.q("INSERT INTO consents (user_id, client_id, scopes, updated_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (user_id, client_id) DO UPDATE SET scopes = $3, updated_at = $4")
        .bind(user)
        .bind(client)
        .bind(scopes)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// The scopes that a person allows a client, separated by spaces.
pub async fn scopes(sql: &mut impl Sql, user: UserId, client: &str) -> Result<Option<String>> {
    let row: Option<(String,)> = sql
        .q("SELECT scopes FROM consents WHERE user_id = $1 AND client_id = $2")
        .bind(user)
        .bind(client)
        .fetch_optional()
        .await?;
    Ok(row.map(|(scopes,)| scopes))
}
