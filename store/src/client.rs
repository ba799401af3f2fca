//! Clients (relying parties).

use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    Result, Sql, Timestamp, TokenHash,
    revision::{self, Topic},
};

/// A client's row. `flows::client` reads its JSON documents.
#[derive(Clone, Debug, FromRow)]
pub struct ClientRow {
    /// `client_id`.
    pub id: String,
    /// Its profile: what kind of program it is.
    pub profile: String,
    /// JSON object: its client metadata (RFC 7591).
    pub metadata: String,
    /// JSON object: what the operator decided about it.
    pub operator: String,
    /// SHA-256 of its secret.
    pub secret_1: Option<TokenHash>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Every client.
pub async fn all(sql: &mut impl Sql) -> Result<Vec<ClientRow>> {
    sql.q("SELECT id, profile, metadata, operator, secret_1, created_at FROM clients ORDER BY created_at, id")
        .fetch_all()
        .await
}

/// Looks a client up by id.
pub async fn get(sql: &mut impl Sql, id: &str) -> Result<Option<ClientRow>> {
    sql.q("SELECT id, profile, metadata, operator, secret_1, created_at FROM clients WHERE id = $1")
        .bind(id)
        .fetch_optional()
        .await
}

/// Adds a client; false when the id is taken.
pub async fn insert(sql: &mut impl Sql, new: &ClientRow) -> Result<bool> {
    let rows = sql
        .q("INSERT INTO clients (id, profile, metadata, operator, secret_1, created_at)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING")
        .bind(&new.id)
        .bind(&new.profile)
        .bind(&new.metadata)
        .bind(&new.operator)
        .bind(&new.secret_1)
        .bind(new.created_at)
        .execute()
        .await?;
    revision::bump(sql, Topic::Clients).await?;
    Ok(rows == 1)
}

/// Replaces profile and documents of a client; false when one of them has changed since the row was read.
pub async fn replace_documents(
    sql: &mut impl Sql,
    read: &ClientRow,
    new: &ClientRow,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE clients SET profile = $5, metadata = $6, operator = $7
            WHERE id = $1 AND profile = $2 AND metadata = $3 AND operator = $4")
        .bind(&read.id)
        .bind(&read.profile)
        .bind(&read.metadata)
        .bind(&read.operator)
        .bind(&new.profile)
        .bind(&new.metadata)
        .bind(&new.operator)
        .execute()
        .await?;
    // Only after a change: a transaction that tries again must not wait for the row while others wait for its revision.
    if rows == 1 {
        revision::bump(sql, Topic::Clients).await?;
    }
    Ok(rows == 1)
}

/// Replaces every secret of a client that has one; false when there is no such client.
pub async fn set_secret(sql: &mut impl Sql, id: &str, secret: &TokenHash) -> Result<bool> {
    let rows = sql
        .q("UPDATE clients SET secret_1 = $2, secret_2 = NULL WHERE id = $1 AND secret_1 IS NOT NULL")
        .bind(id)
        .bind(secret)
        .execute()
        .await?;
    revision::bump(sql, Topic::Clients).await?;
    Ok(rows == 1)
}

/// Gives a client its first secret, or takes every secret away, after its documents were replaced in the same transaction.
pub async fn put_secret(sql: &mut impl Sql, id: &str, secret: Option<&TokenHash>) -> Result<()> {
    sql.q("UPDATE clients SET secret_1 = $2, secret_2 = NULL WHERE id = $1")
        .bind(id)
        .bind(secret)
        .execute()
        .await?;
    Ok(())
}

/// Removes a client, and with it what is left of its grants, consents and attempts; false when there is no such client.
pub async fn remove(sql: &mut impl Sql, id: &str) -> Result<bool> {
    let rows = sql.q("DELETE FROM clients WHERE id = $1").bind(id).execute().await?;
    revision::bump(sql, Topic::Clients).await?;
    Ok(rows == 1)
}

/// How many rows belong to a client.
#[derive(Clone, Copy, Debug, FromRow)]
pub struct ClientRows {
    /// Grants, each with its codes and tokens.
    pub grants: i64,
    /// Consents of people.
    pub consents: i64,
    /// Sign-ins under way and those that ended lately.
    pub attempts: i64,
}

/// Counts what belongs to a client.
pub async fn count_rows(sql: &mut impl Sql, id: &str) -> Result<ClientRows> {
    sql.q("SELECT (SELECT COUNT(*) FROM grants WHERE client_id = $1) AS grants,
                  (SELECT COUNT(*) FROM consents WHERE client_id = $1) AS consents,
                  (SELECT COUNT(*) FROM attempts WHERE client_id = $1) AS attempts")
        .bind(id)
        .fetch_one()
        .await
}

/// A table whose rows belong to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientTable {
    /// Grants, and with each its codes.
    Grants,
    /// Consents of people.
    Consents,
    /// Sign-ins under way and those that ended lately.
    Attempts,
}

/// A part of a client's rows in one table, by the order of their ids.
#[derive(Clone, Copy, Debug)]
pub struct ClientRange<'a> {
    /// The table.
    pub table: ClientTable,
    /// The client.
    pub client: &'a str,
    /// Without the row of this id.
    pub after: Uuid,
}

/// The last id of the next `limit` rows; none when none is left.
///
/// No index leads from a client to its rows: each sign-in would write it, and clients are seldom removed. So each table
/// is read once from its beginning to its end, outside the transactions that delete.
pub async fn find_batch_end(
    sql: &mut impl Sql,
    range: ClientRange<'_>,
    limit: i64,
) -> Result<Option<Uuid>> {
    let statement = match range.table {
        ClientTable::Grants => sql.q("SELECT id FROM (SELECT id FROM grants
             WHERE client_id = $1 AND id > $2 ORDER BY id LIMIT $3) AS batch
             ORDER BY id DESC LIMIT 1"),
        ClientTable::Consents => sql.q("SELECT user_id FROM (SELECT user_id FROM consents
             WHERE client_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3) AS batch
             ORDER BY user_id DESC LIMIT 1"),
        ClientTable::Attempts => sql.q("SELECT id FROM (SELECT id FROM attempts
             WHERE client_id = $1 AND id > $2 ORDER BY id LIMIT $3) AS batch
             ORDER BY id DESC LIMIT 1"),
    };
    let row = statement.bind(range.client).bind(range.after).bind(limit).fetch_optional().await?;
    Ok(row.map(|(last,): (Uuid,)| last))
}

/// Deletes a part of a client's rows, up to an id; returns how many.
pub async fn delete_range(sql: &mut impl Sql, range: ClientRange<'_>, last: Uuid) -> Result<u64> {
    let statement = match range.table {
        ClientTable::Grants => {
            sql.q("DELETE FROM grants WHERE client_id = $1 AND id > $2 AND id <= $3")
        }
        ClientTable::Consents => {
            sql.q("DELETE FROM consents WHERE client_id = $1 AND user_id > $2 AND user_id <= $3")
        }
        ClientTable::Attempts => {
            sql.q("DELETE FROM attempts WHERE client_id = $1 AND id > $2 AND id <= $3")
        }
    };
    statement.bind(range.client).bind(range.after).bind(last).execute().await
}
