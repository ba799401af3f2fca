//! Sessions: browsers that are signed in.

use sqlx::FromRow;

use crate::{Result, SessionId, SignInId, Sql, Timestamp, TokenHash, UserId, sign_in::Steps};

/// A session's row.
#[derive(Clone, Debug, FromRow)]
pub struct Session {
    /// Id; stays inside.
    pub id: SessionId,
    /// What clients see of it; stable over rotation and step-up.
    pub sid: String,
    /// SHA-256 of the cookie's value.
    pub secret: TokenHash,
    /// Who is signed in.
    pub user_id: UserId,
    /// The latest sign-in.
    pub sign_in_id: SignInId,
    /// The person's epoch when the session began.
    pub epoch: i64,
    /// When it began; the absolute limit counts from here.
    pub created_at: Timestamp,
    /// When it was last used, to the minute; the idle limit counts from here.
    pub last_seen: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A live session with everything that an authorization request asks of it, read in one statement.
#[derive(Clone, Debug, FromRow)]
pub struct LiveSession {
    /// Id of the session.
    pub id: SessionId,
    /// `sid` claim.
    pub sid: String,
    /// Who is signed in.
    pub user_id: UserId,
    /// Start of the absolute limit.
    pub created_at: Timestamp,
    /// Start of the idle limit.
    pub last_seen: Timestamp,
    /// The latest sign-in.
    pub sign_in_id: SignInId,
    /// What it proved.
    #[sqlx(flatten)]
    pub steps: Steps,
    /// The person's and the session's common epoch.
    pub epoch: i64,
    /// Subject of the person for first-party clients.
    pub subject: String,
    /// Input of the subject for all others.
    pub pairwise_seed: String,
    /// The person's name.
    pub name: String,
    /// The person's address.
    pub email: String,
    /// Scopes that the person allowed the asking client.
    pub consented: Option<String>,
}

/// Where the limits of a session lie now: a session is dead when its numbers are not above these.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `last_seen` must be later.
    pub seen_after: Timestamp,
    /// `created_at` must be later.
    pub created_after: Timestamp,
}

/// The live session of a cookie, with the consent for `client`. A forced reset, an end or a limit makes it absent.
pub async fn live(
    sql: &mut impl Sql,
    secret: &TokenHash,
    client: &str,
    limits: Limits,
) -> Result<Option<LiveSession>> {
    sql.q("SELECT sessions.id, sid, sessions.user_id, sessions.created_at, last_seen, sign_in_id,
                  first, first_at, second, second_at, mailbox_only, users.epoch, subject, pairwise_seed, name, email,
                  consents.scopes AS consented
           FROM sessions
           JOIN users ON users.id = sessions.user_id AND users.epoch = sessions.epoch
           JOIN sign_ins ON sign_ins.id = sessions.sign_in_id AND sign_ins.epoch = users.epoch
           LEFT JOIN consents ON consents.user_id = users.id AND consents.client_id = $2
           WHERE secret = $1 AND ended_at IS NULL AND last_seen > $3 AND sessions.created_at > $4")
        .bind(secret)
        .bind(client)
        .bind(limits.seen_after)
        .bind(limits.created_after)
        .opt()
        .await
}

/// Adds a session.
pub async fn insert(sql: &mut impl Sql, new: &Session) -> Result<()> {
    sql.q(
        "INSERT INTO sessions (id, sid, secret, user_id, sign_in_id, epoch, created_at, last_seen)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(new.id)
    .bind(&new.sid)
    .bind(&new.secret)
    .bind(new.user_id)
    .bind(new.sign_in_id)
    .bind(new.epoch)
    .bind(new.created_at)
    .exec()
    .await?;
    Ok(())
}

/// The hashes of a session's cookie value around a step-up.
#[derive(Clone, Copy, Debug)]
pub struct SecretChange<'a> {
    /// The value that was presented.
    pub from: &'a TokenHash,
    /// The value that takes its place.
    pub to: &'a TokenHash,
}

/// Gives a session a new cookie value and points it to a newer sign-in, if the presented value is still its own; `sid`
/// stays.
pub async fn rotate(
    sql: &mut impl Sql,
    id: SessionId,
    secret: SecretChange<'_>,
    sign_in: SignInId,
    now: Timestamp,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE sessions SET secret = $2, sign_in_id = $3, last_seen = $4
            WHERE id = $1 AND secret = $5 AND ended_at IS NULL")
        .bind(id)
        .bind(secret.to)
        .bind(sign_in)
        .bind(now)
        .bind(secret.from)
        .exec()
        .await?;
    Ok(rows == 1)
}

/// Notes that a session is in use. The caller does so at most once a minute.
pub async fn touch(sql: &mut impl Sql, id: SessionId, now: Timestamp) -> Result<()> {
    sql.q("UPDATE sessions SET last_seen = $2 WHERE id = $1 AND last_seen < $2")
        .bind(id)
        .bind(now)
        .exec()
        .await?;
    Ok(())
}

/// Ends a session; its grants are dead with it. Only one caller gets true.
pub async fn end(sql: &mut impl Sql, id: SessionId, now: Timestamp) -> Result<bool> {
    let rows = sql
        .q("UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(now)
        .exec()
        .await?;
    Ok(rows == 1)
}

/// Gives a session a new cookie value and changes nothing else.
pub async fn replace_secret(sql: &mut impl Sql, id: SessionId, secret: &TokenHash) -> Result<bool> {
    let rows = sql
        .q("UPDATE sessions SET secret = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(secret)
        .exec()
        .await?;
    Ok(rows == 1)
}

/// Deletes up to `most` sessions that began before `before` and have no grant; returns how many.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, most: i64) -> Result<u64> {
    sql.q("DELETE FROM sessions WHERE id IN
           (SELECT id FROM sessions
            WHERE id < $1 AND created_at < $2
              AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.session_id = sessions.id)
            ORDER BY id LIMIT $3)")
        .bind(SessionId::new(before, [0; 10]))
        .bind(before)
        .bind(most)
        .exec()
        .await
}
