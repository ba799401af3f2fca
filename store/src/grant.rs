//! Grants: one issue to one client from one sign-in.

use sqlx::FromRow;

use crate::{GrantId, Result, SessionId, SignInId, Sql, Timestamp, UserId, session::Limits};

/// A grant's row.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Id.
    pub id: GrantId,
    /// Who.
    pub user_id: UserId,
    /// To whom.
    pub client_id: String,
    /// The session that it ends with.
    pub session_id: SessionId,
    /// The completed sign-in that it comes from.
    pub sign_in_id: SignInId,
    /// The person's epoch at the time.
    pub epoch: i64,
    /// Granted scopes.
    pub scopes: String,
    /// When.
    pub created_at: Timestamp,
}

/// Records a grant that ends with its session, whose `sid` it keeps. Its one caller is `flows::token::issue`; `architecture.rs` holds that.
pub async fn insert(sql: &mut impl Sql, grant: &Grant) -> Result<()> {
    sql.q("INSERT INTO grants (id, user_id, client_id, session_id, sid, sign_in_id, epoch, scopes, offline, created_at)
           VALUES ($1, $2, $3, $4, (SELECT sessions.sid FROM sessions WHERE sessions.id = $4), $5, $6, $7, FALSE, $8)")
        .bind(grant.id)
        .bind(grant.user_id)
        .bind(&grant.client_id)
        .bind(grant.session_id)
        .bind(grant.sign_in_id)
        .bind(grant.epoch)
        .bind(&grant.scopes)
        .bind(grant.created_at)
        .exec()
        .await?;
    Ok(())
}

/// Ends a grant: every token of it is refused from now on. Only one caller gets true.
pub async fn end(sql: &mut impl Sql, id: GrantId, now: Timestamp) -> Result<bool> {
    let rows = sql
        .q("UPDATE grants SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(now)
        .exec()
        .await?;
    Ok(rows == 1)
}

/// The person behind an access token, if everything that the token rests on still lives.
#[derive(Clone, Debug, FromRow)]
pub struct GrantedUser {
    /// `sub` for first-party clients.
    pub subject: String,
    /// Input of `sub` for all others.
    pub pairwise_seed: String,
    /// The person's address, if there is one.
    pub email: Option<String>,
    /// Whether it is verified.
    pub email_verified: bool,
    /// Full name.
    pub name: String,
    /// Further standard claims.
    pub claims: String,
    /// Last change of the claims.
    pub updated_at: Timestamp,
}

/// Reads the person of a live grant: not ended, session alive, epoch unchanged, person active.
pub async fn live_user(
    sql: &mut impl Sql,
    id: GrantId,
    limits: Limits,
) -> Result<Option<GrantedUser>> {
    sql.q("SELECT subject, pairwise_seed, email, email_verified, name, claims, users.updated_at
           FROM grants
           JOIN users ON users.id = grants.user_id AND users.epoch = grants.epoch AND users.status = 'active'
           JOIN sessions ON sessions.id = grants.session_id AND sessions.ended_at IS NULL
                        AND sessions.created_at > $2
           WHERE grants.id = $1 AND grants.ended_at IS NULL")
        .bind(id)
        .bind(limits.created_after)
        .opt()
        .await
}

/// A grant as the search for unproven ones sees it.
#[derive(Clone, Debug, FromRow)]
pub struct Looked {
    /// Id.
    pub id: GrantId,
    /// Whether the steps of its sign-in are missing.
    pub unproven: bool,
}

/// The next `most` grants after `after`, by id, each with whether it lacks what it must rest on: a sign-in of the same
/// person with two completed steps, none of them more than `slack` milliseconds later than the grant itself.
pub async fn look(
    sql: &mut impl Sql,
    after: Option<GrantId>,
    most: i64,
    slack: i64,
) -> Result<Vec<Looked>> {
    sql.q("SELECT g.id, CASE WHEN s.user_id = g.user_id AND s.epoch = g.epoch AND s.first_at <= g.created_at + $3
                              AND (s.second_at IS NULL OR s.second_at <= g.created_at + $3)
                              AND ((s.first = 'passkey_uv' AND s.second IS NULL AND s.remembered_from IS NULL)
                                   OR (s.first = 'password' AND s.second_at IS NOT NULL AND s.remembered_from IS NULL
                                       AND s.second IN ('email_code', 'totp', 'recovery_code', 'passkey'))
                                   OR (s.first = 'password' AND s.second_at IS NOT NULL
                                       AND s.remembered_from IS NOT NULL AND s.second = 'remembered'))
                         THEN FALSE ELSE TRUE END AS unproven
           FROM grants AS g LEFT JOIN sign_ins AS s ON s.id = g.sign_in_id
           WHERE CAST($1 AS UUID) IS NULL OR g.id > $1
           ORDER BY g.id LIMIT $2")
        .bind(after)
        .bind(most)
        .bind(slack)
        .all()
        .await
}

/// Deletes up to `most` grants that were made before `before`, and their codes with them; returns how many.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, most: i64) -> Result<u64> {
    sql.q("DELETE FROM grants WHERE id IN
           (SELECT id FROM grants WHERE id < $1 AND created_at < $2 ORDER BY id LIMIT $3)")
        .bind(GrantId::new(before, [0; 10]))
        .bind(before)
        .bind(most)
        .exec()
        .await
}
