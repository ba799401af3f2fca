//! Authorization codes: stored hashed, used once.

use sqlx::FromRow;

use crate::{
    AttemptId, GrantId, Result, SessionId, SignInId, Sql, Timestamp, TokenHash, UserId,
    sign_in::Steps,
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
    /// Where it was sent.
    pub redirect_uri: String,
    /// PKCE challenge, S256 (RFC 7636).
    pub code_challenge: Option<String>,
    /// `nonce` of the request.
    pub nonce: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// A code with everything that redeeming it must look at, read in one statement.
#[derive(Clone, Debug, FromRow)]
pub struct AuthCode {
    /// The grant that it stands for.
    pub grant_id: GrantId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// PKCE challenge.
    pub code_challenge: Option<String>,
    /// `nonce` of the request.
    pub nonce: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was redeemed.
    pub used_at: Option<Timestamp>,
    /// When a repeated completion voided it.
    pub voided_at: Option<Timestamp>,
    /// The client that it was made for.
    pub client_id: String,
    /// Granted scopes.
    pub scopes: String,
    /// The person.
    pub user_id: UserId,
    /// `sub` for first-party clients.
    pub subject: String,
    /// Input of `sub` for all others.
    pub pairwise_seed: String,
    /// The session.
    pub session_id: SessionId,
    /// `sid` of the session, as the grant keeps it.
    pub sid: String,
    /// The sign-in.
    pub sign_in_id: SignInId,
    /// What it proved.
    #[sqlx(flatten)]
    pub steps: Steps,
    /// Epoch of grant, session and sign-in.
    pub epoch: i64,
    /// Whether grant, session and epoch are all still alive, and the person active.
    pub alive: bool,
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
        .exec()
        .await?;
    Ok(())
}

/// Reads a code, used or not, alive or not.
pub async fn by_hash(sql: &mut impl Sql, hash: &TokenHash) -> Result<Option<AuthCode>> {
    sql.q("SELECT auth_codes.grant_id, redirect_uri, code_challenge, nonce, auth_codes.created_at, used_at, voided_at,
                  grants.client_id, grants.scopes, users.id AS user_id, subject, pairwise_seed,
                  sessions.id AS session_id, grants.sid, sign_ins.id AS sign_in_id, first, first_at, second, second_at,
                  mailbox_only, grants.epoch,
                  (grants.ended_at IS NULL AND sessions.ended_at IS NULL AND users.epoch = grants.epoch
                   AND users.status = 'active') AS alive
           FROM auth_codes
           JOIN grants ON grants.id = auth_codes.grant_id
           JOIN users ON users.id = grants.user_id
           JOIN sessions ON sessions.id = grants.session_id
           JOIN sign_ins ON sign_ins.id = grants.sign_in_id
           WHERE auth_codes.hash = $1")
        .bind(hash)
        .opt()
        .await
}

/// Redeems a code: only one caller ever gets true, and only while everything that it rests on is alive.
pub async fn claim(sql: &mut impl Sql, hash: &TokenHash, now: Timestamp) -> Result<bool> {
    let rows = sql
        .q("UPDATE auth_codes SET used_at = $2
            WHERE hash = $1 AND used_at IS NULL AND voided_at IS NULL
              AND EXISTS (SELECT 1 FROM grants
                          JOIN users ON users.id = grants.user_id AND users.epoch = grants.epoch AND users.status = 'active'
                          JOIN sessions ON sessions.id = grants.session_id AND sessions.ended_at IS NULL
                          WHERE grants.id = auth_codes.grant_id AND grants.ended_at IS NULL)")
        .bind(hash)
        .bind(now)
        .exec()
        .await?;
    Ok(rows == 1)
}

/// Voids the codes of a completed attempt that were never redeemed: a repeated completion sends another one.
pub async fn void_unredeemed(sql: &mut impl Sql, attempt: AttemptId, now: Timestamp) -> Result<()> {
    sql.q("UPDATE auth_codes SET voided_at = $2 WHERE attempt_id = $1 AND used_at IS NULL AND voided_at IS NULL")
        .bind(attempt)
        .bind(now)
        .exec()
        .await?;
    Ok(())
}
