//! Clients (relying parties).

use sqlx::FromRow;

use crate::{
    Result, Sql, Timestamp, TokenHash,
    revision::{self, Topic},
};

/// A client's row. Lists are JSON arrays of strings.
#[derive(Clone, Debug, FromRow)]
pub struct ClientRow {
    /// `client_id`.
    pub id: String,
    /// Name that people see.
    pub name: String,
    /// SHA-256 of the client secret.
    pub secret: Option<TokenHash>,
    /// `token_endpoint_auth_method`.
    pub auth_method: String,
    /// Registered redirect URIs.
    pub redirect_uris: String,
    /// Registered post-logout redirect URIs.
    pub post_logout_redirect_uris: String,
    /// Whether a request without PKCE is refused.
    pub pkce_required: bool,
    /// Whether consent is skipped: the client belongs to whoever runs this provider.
    pub first_party: bool,
    /// Whether it runs on people's own machines (RFC 8252): loopback ports are free.
    pub native: bool,
    /// `subject_type`.
    pub subject_type: String,
    /// Sector of pairwise subjects.
    pub sector: String,
    /// `id_token_signed_response_alg`.
    pub id_token_alg: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Every client.
pub async fn all(sql: &mut impl Sql) -> Result<Vec<ClientRow>> {
    sql.q("SELECT id, name, secret, auth_method, redirect_uris, post_logout_redirect_uris, pkce_required,
                  first_party, native, subject_type, sector, id_token_alg, created_at
           FROM clients ORDER BY created_at, id")
        .all()
        .await
}

/// Adds a client; false when the id is taken.
pub async fn insert(sql: &mut impl Sql, new: &ClientRow) -> Result<bool> {
    let rows = sql
        .q("INSERT INTO clients (id, name, secret, auth_method, redirect_uris, post_logout_redirect_uris,
                                 pkce_required, first_party, native, subject_type, sector, id_token_alg, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING")
        .bind(&new.id)
        .bind(&new.name)
        .bind(&new.secret)
        .bind(&new.auth_method)
        .bind(&new.redirect_uris)
        .bind(&new.post_logout_redirect_uris)
        .bind(new.pkce_required)
        .bind(new.first_party)
        .bind(new.native)
        .bind(&new.subject_type)
        .bind(&new.sector)
        .bind(&new.id_token_alg)
        .bind(new.created_at)
        .exec()
        .await?;
    revision::bump(sql, Topic::Clients).await?;
    Ok(rows == 1)
}

/// Replaces `id_token_signed_response_alg` of a client; false when there is no such client.
pub async fn set_algorithm(sql: &mut impl Sql, id: &str, algorithm: &str) -> Result<bool> {
    let rows = sql
        .q("UPDATE clients SET id_token_alg = $2 WHERE id = $1")
        .bind(id)
        .bind(algorithm)
        .exec()
        .await?;
    revision::bump(sql, Topic::Clients).await?;
    Ok(rows == 1)
}

/// Replaces the secret of a client that has one; false when there is no such client.
pub async fn set_secret(sql: &mut impl Sql, id: &str, secret: &TokenHash) -> Result<bool> {
    let rows = sql
        .q("UPDATE clients SET secret = $2 WHERE id = $1 AND secret IS NOT NULL")
        .bind(id)
        .bind(secret)
        .exec()
        .await?;
    revision::bump(sql, Topic::Clients).await?;
    Ok(rows == 1)
}

/// Replaces the addresses of a client that is already there, as `dev` does when its portal gets another port.
pub async fn set_redirects(
    sql: &mut impl Sql,
    id: &str,
    redirect_uris: &str,
    post_logout_redirect_uris: &str,
) -> Result<()> {
    sql.q("UPDATE clients SET redirect_uris = $2, post_logout_redirect_uris = $3 WHERE id = $1")
        .bind(id)
        .bind(redirect_uris)
        .bind(post_logout_redirect_uris)
        .exec()
        .await?;
    revision::bump(sql, Topic::Clients).await
}
