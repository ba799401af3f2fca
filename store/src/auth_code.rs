//! Authorization codes: stored hashed, used once.

use sqlx::FromRow;

use crate::{
    AttemptId, GrantId, Result, SessionId, Sql, Timestamp, TokenHash,
    grant::{CodeGrant, grant_alive, grant_columns, grant_tables},
    session::SessionLimits,
};

/// A new authorization code.
#[derive(Clone, Debug)]
pub struct NewAuthCode {
    /// SHA-256 of the code.
    pub hash: TokenHash,
    /// The grant that it stands for.
    pub grant_id: GrantId,
    /// The attempt that a person completed for it; none for a silent sign-in.
    pub attempt_id: Option<AttemptId>,
    /// The redirect URI that it was sent to.
    pub redirect_uri: String,
    /// PKCE challenge, S256 (RFC 7636).
    pub code_challenge: Option<String>,
    /// `nonce` of the request.
    pub nonce: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A code, used or not, with the grant that it stands for.
#[derive(Clone, Debug, FromRow)]
pub struct AuthCode {
    /// The redirect URI that it was sent to.
    pub redirect_uri: String,
    /// PKCE challenge.
    pub code_challenge: Option<String>,
    /// `nonce` of the request.
    pub nonce: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was redeemed.
    pub used_at: Option<Timestamp>,
    /// When a repeated completion, or newer codes of its session, voided it.
    pub voided_at: Option<Timestamp>,
    /// The grant, alive or not.
    #[sqlx(flatten)]
    pub grant: CodeGrant,
}

/// Adds a code.
pub async fn insert(sql: &mut impl Sql, new: &NewAuthCode) -> Result<()> {
    sql.q("INSERT INTO auth_codes (hash, grant_id, attempt_id, redirect_uri, code_challenge, nonce, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&new.hash)
        .bind(new.grant_id)
        .bind(new.attempt_id)
        .bind(&new.redirect_uri)
        .bind(&new.code_challenge)
        .bind(&new.nonce)
        .bind(new.created_at)
        .execute()
        .await?;
    Ok(())
}

/// Reads a code and its grant, in one statement.
pub async fn by_hash(
    sql: &mut impl Sql,
    hash: &TokenHash,
    limits: SessionLimits,
) -> Result<Option<AuthCode>> {
    sql.q(concat!(
        "SELECT auth_codes.redirect_uri, auth_codes.code_challenge, auth_codes.nonce, auth_codes.created_at, \
                auth_codes.used_at, auth_codes.voided_at, ",
        grant_columns!(),
        ", CASE WHEN ",
        grant_alive!(),
        " THEN TRUE ELSE FALSE END AS alive FROM auth_codes JOIN grants ON grants.id = auth_codes.grant_id ",
        grant_tables!(),
        " JOIN sign_ins ON sign_ins.id = grants.sign_in_id WHERE auth_codes.hash = $1"
    ))
    .bind(hash)
    .bind(limits.now)
    .bind(limits.created_after)
    .fetch_optional()
    .await
}

/// Redeems a code: only one caller ever gets true, and only while its grant is alive.
pub async fn redeem(sql: &mut impl Sql, hash: &TokenHash, limits: SessionLimits) -> Result<bool> {
    let rows = sql
        .q(concat!(
            "UPDATE auth_codes SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND voided_at IS NULL \
             AND EXISTS (SELECT 1 FROM grants ",
            grant_tables!(),
            " WHERE grants.id = auth_codes.grant_id AND ",
            grant_alive!(),
            ")"
        ))
        .bind(hash)
        .bind(limits.now)
        .bind(limits.created_after)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Whether a code of a completed attempt was redeemed.
pub async fn is_attempt_redeemed(sql: &mut impl Sql, attempt: AttemptId) -> Result<bool> {
    let (redeemed,): (i64,) = sql
        .q("SELECT COUNT(*) FROM auth_codes WHERE attempt_id = $1 AND used_at IS NOT NULL")
        .bind(attempt)
        .fetch_one()
        .await?;
    Ok(redeemed > 0)
}

/// Voids the unredeemed codes of a session for a client that were made after `after`, except for the newest `kept`:
/// older ones have expired.
pub async fn void_older(
    sql: &mut impl Sql,
    session: SessionId,
    client: &str,
    kept: i64,
    [after, now]: [Timestamp; 2],
) -> Result<()> {
    sql.q("UPDATE auth_codes SET voided_at = $6 WHERE used_at IS NULL AND voided_at IS NULL AND hash IN
           (SELECT issued.hash FROM grants JOIN auth_codes AS issued ON issued.grant_id = grants.id
            WHERE grants.session_id = $1 AND grants.client_id = $2 AND grants.id > $3 AND issued.created_at > $4
              AND issued.used_at IS NULL AND issued.voided_at IS NULL
            ORDER BY grants.id DESC LIMIT 1000 OFFSET $5)")
        .bind(session)
        .bind(client)
        .bind(GrantId::new(after, [0; 10]))
        .bind(after)
        .bind(kept)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Voids the codes of a completed attempt that were never redeemed: a repeated completion sends another one.
pub async fn void_unredeemed(sql: &mut impl Sql, attempt: AttemptId, now: Timestamp) -> Result<()> {
    sql.q("UPDATE auth_codes SET voided_at = $2 WHERE attempt_id = $1 AND used_at IS NULL AND voided_at IS NULL")
        .bind(attempt)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
