//! Sessions: browsers that are signed in.

use sqlx::FromRow;

use crate::{
    Result, SessionId, SignInId, Sql, Timestamp, TokenHash, UserId, sign_in::SignInSteps,
    user::User,
};

/// A session's row.
#[derive(Clone, Debug, FromRow)]
pub struct Session {
    /// Id; clients do not see it.
    pub id: SessionId,
    /// `sid` claim, which clients see; stable over rotation and step-up.
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

/// A live session with everything that a request of its browser needs, read in one statement.
#[derive(Clone, Debug, FromRow)]
#[non_exhaustive]
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
    /// What that sign-in proved.
    #[sqlx(flatten)]
    pub steps: SignInSteps,
    /// The person's and the session's common epoch.
    pub epoch: i64,
    /// Subject of the person for first-party clients.
    pub subject: String,
    /// Input of the subject for all others.
    pub pairwise_seed: String,
    /// The person's name.
    pub name: String,
    /// The person's address, if there is one.
    pub email: Option<String>,
}

/// A live session, and what its person allowed one client.
#[derive(Clone, Debug, FromRow)]
pub struct SessionWithConsent {
    /// The session.
    #[sqlx(flatten)]
    pub session: LiveSession,
    /// Scopes, separated by spaces.
    pub consented: Option<String>,
}

/// The time, and the limits of a session then: it is dead when its times are not later than these.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// The current time.
    pub now: Timestamp,
    /// `last_seen` must be later, for the browser that uses the session.
    pub seen_after: Timestamp,
    /// `created_at` must be later.
    pub created_after: Timestamp,
}

/// The only text of "this session is alive", beside `users`: not ended, within its absolute limit, and its person active and
/// of its epoch. `$3` is [`SessionLimits::created_after`]. It does not contain the idle limit, which applies to the browser
/// and ends no grant.
macro_rules! session_alive {
    () => {
        "sessions.ended_at IS NULL AND sessions.created_at > $3 AND sessions.epoch = users.epoch \
         AND users.status = 'active'"
    };
}
pub(crate) use session_alive;

/// Columns of [`LiveSession`].
macro_rules! session_columns {
    () => {
        concat!(
            "sessions.id, sessions.sid, sessions.user_id, sessions.created_at, sessions.last_seen, \
             sessions.sign_in_id, users.epoch, users.subject, users.pairwise_seed, users.name, users.email, ",
            $crate::sign_in::steps_columns!()
        )
    };
}

/// Tables and condition of the live session of the cookie `$1`, if it was used after `$2`.
macro_rules! session_of_cookie {
    () => {
        concat!(
            "FROM sessions JOIN users ON users.id = sessions.user_id \
             JOIN sign_ins ON sign_ins.id = sessions.sign_in_id AND sign_ins.epoch = users.epoch \
             WHERE sessions.secret = $1 AND sessions.last_seen > $2 AND ",
            $crate::session::session_alive!()
        )
    };
}

/// The live session of a cookie; none after a forced reset, a suspension, its end or a limit.
pub async fn live(
    sql: &mut impl Sql,
    secret: &TokenHash,
    limits: SessionLimits,
) -> Result<Option<LiveSession>> {
    sql.q(concat!("SELECT ", session_columns!(), " ", session_of_cookie!()))
        .bind(secret)
        .bind(limits.seen_after)
        .bind(limits.created_after)
        .fetch_optional()
        .await
}

/// As [`live`], with what the person allowed `client`, if there is one.
pub async fn live_with_consent(
    sql: &mut impl Sql,
    secret: &TokenHash,
    client: Option<&str>,
    limits: SessionLimits,
) -> Result<Option<SessionWithConsent>> {
    sql.q(concat!(
        "SELECT ",
        session_columns!(),
        ", (SELECT consents.scopes FROM consents WHERE consents.user_id = users.id AND consents.client_id = $4) AS consented ",
        session_of_cookie!()
    ))
    .bind(secret)
    .bind(limits.seen_after)
    .bind(limits.created_after)
    .bind(client)
    .fetch_optional()
    .await
}

/// Begins a session of a person by a sign-in that proved these steps, and returns it as a live one: the caller has locked
/// the person's row ([`crate::user::lock_and_touch`]), so that nothing ends it before the commit.
pub async fn insert(
    sql: &mut impl Sql,
    new: &Session,
    steps: SignInSteps,
    user: &User,
) -> Result<LiveSession> {
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
    .execute()
    .await?;
    Ok(LiveSession {
        id: new.id,
        sid: new.sid.clone(),
        user_id: new.user_id,
        created_at: new.created_at,
        last_seen: new.created_at,
        sign_in_id: new.sign_in_id,
        steps,
        epoch: new.epoch,
        subject: user.subject.clone(),
        pairwise_seed: user.pairwise_seed.clone(),
        name: user.name.clone(),
        email: user.email.clone(),
    })
}

/// The hashes of a session's cookie value before and after a step-up.
#[derive(Clone, Copy, Debug)]
pub struct SecretChange<'a> {
    /// The value that was presented.
    pub from: &'a TokenHash,
    /// The value that replaces it.
    pub to: &'a TokenHash,
}

/// Gives a session a new cookie value and a newer sign-in, if the presented value is still current; `sid` stays.
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
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Records that a session is in use. The caller does so at most once a minute.
pub async fn touch(sql: &mut impl Sql, id: SessionId, now: Timestamp) -> Result<()> {
    sql.q("UPDATE sessions SET last_seen = $2 WHERE id = $1 AND last_seen < $2")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Ends a session, and with it all grants except offline ones. Only one caller gets true. The only function that calls it is
/// `flows::session::end`; `tests/it/architecture/` checks that.
pub async fn end(sql: &mut impl Sql, id: SessionId, now: Timestamp) -> Result<bool> {
    let rows = sql
        .q("UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Ends every session of a person; returns how many. Its only caller is `flows::session::end`, too.
pub async fn end_all(sql: &mut impl Sql, user: UserId, now: Timestamp) -> Result<u64> {
    sql.q("UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL")
        .bind(user)
        .bind(now)
        .execute()
        .await
}

/// Gives a session a new cookie value and changes nothing else; false when it has ended.
pub async fn replace_secret(sql: &mut impl Sql, id: SessionId, secret: &TokenHash) -> Result<bool> {
    let rows = sql
        .q("UPDATE sessions SET secret = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(secret)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Deletes up to `limit` sessions that began before `before` and have no grant that ends with them; returns how many.
/// Offline grants keep `sid`, and have no session from then on.
pub async fn sweep(sql: &mut impl Sql, before: Timestamp, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM sessions WHERE id IN
           (SELECT id FROM sessions
            WHERE id < $1 AND created_at < $2
              AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.session_id = sessions.id AND NOT grants.offline)
            ORDER BY id LIMIT $3)")
        .bind(SessionId::new(before, [0; 10]))
        .bind(before)
        .bind(limit)
        .execute()
        .await
}
