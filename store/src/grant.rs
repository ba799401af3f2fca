//! Grants: one issue to one client from one sign-in. Its codes and tokens are valid only while it is alive.

use sqlx::FromRow;

use crate::{
    GrantId, Result, SessionId, SignInId, Sql, Timestamp, UserId, session::SessionLimits,
    sign_in::SignInSteps,
};

/// A new grant, which ends with its session.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// Id.
    pub id: GrantId,
    /// The person.
    pub user_id: UserId,
    /// The client that it was given to.
    pub client_id: String,
    /// The session that it ends with.
    pub session_id: SessionId,
    /// The completed sign-in that it comes from.
    pub sign_in_id: SignInId,
    /// The person's epoch at the time.
    pub epoch: i64,
    /// Granted scopes.
    pub scopes: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Records a grant with the `sid` of its session. A session of another person gives none, and the database refuses the row.
/// The only caller is `flows::token::issue`; `tests/it/architecture/` checks that.
pub async fn insert(sql: &mut impl Sql, grant: &NewGrant) -> Result<()> {
    sql.q("INSERT INTO grants (id, user_id, client_id, session_id, sid, sign_in_id, epoch, scopes, offline, created_at)
           VALUES ($1, $2, $3, $4,
                   (SELECT sessions.sid FROM sessions WHERE sessions.id = $4 AND sessions.user_id = $2),
                   $5, $6, $7, FALSE, $8)")
        .bind(grant.id)
        .bind(grant.user_id)
        .bind(&grant.client_id)
        .bind(grant.session_id)
        .bind(grant.sign_in_id)
        .bind(grant.epoch)
        .bind(&grant.scopes)
        .bind(grant.created_at)
        .execute()
        .await?;
    Ok(())
}

/// A live grant: what its tokens contain and depend on. Only a statement can construct one.
#[derive(Clone, Debug, FromRow)]
#[non_exhaustive]
pub struct LiveGrant {
    /// Id.
    #[sqlx(rename = "grant_id")]
    pub id: GrantId,
    /// The client that it was given to.
    pub client_id: String,
    /// Granted scopes, separated by spaces.
    pub scopes: String,
    /// `sid` of its session, also when that is deleted.
    pub sid: String,
    /// The person.
    pub user_id: UserId,
    /// `sub` for first-party clients.
    pub subject: String,
    /// Input of `sub` for all others.
    pub pairwise_seed: String,
    /// The common epoch of person, grant and sign-in.
    pub epoch: i64,
    /// The completed sign-in that it comes from.
    pub sign_in_id: SignInId,
    /// What that sign-in proved.
    #[sqlx(flatten)]
    pub steps: SignInSteps,
}

/// The grant of a code, alive or not. Its person and client can be read in either case; tokens are issued from a live one
/// only.
#[derive(Clone, Debug, FromRow)]
pub struct CodeGrant {
    #[sqlx(flatten)]
    grant: LiveGrant,
    alive: bool,
}

impl CodeGrant {
    /// The grant, if it is alive.
    #[must_use]
    pub fn live(&self) -> Option<&LiveGrant> {
        self.alive.then_some(&self.grant)
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> GrantId {
        self.grant.id
    }

    /// The client that it was made for.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.grant.client_id
    }

    /// The person.
    #[must_use]
    pub const fn user_id(&self) -> UserId {
        self.grant.user_id
    }
}

/// A live grant, and what userinfo may return about its person.
#[derive(Clone, Debug, FromRow)]
pub struct LiveGrantWithUser {
    /// The grant.
    #[sqlx(flatten)]
    pub grant: LiveGrant,
    /// The person.
    #[sqlx(flatten)]
    pub user: GrantedUser,
}

/// What a client may learn about a person.
#[derive(Clone, Debug, FromRow)]
pub struct GrantedUser {
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

/// The only text of "this grant is alive", beside [`grant_tables`]: not ended, not expired, its person active and of its
/// epoch, and its session alive unless it is an offline grant. `$2` is [`SessionLimits::now`], `$3` is
/// [`SessionLimits::created_after`]. It is `NULL`, never true, where a session is needed and deleted: use it in a `WHERE` or
/// a `CASE`.
macro_rules! grant_alive {
    () => {
        concat!(
            "grants.ended_at IS NULL AND (grants.expires_at IS NULL OR grants.expires_at > $2) \
             AND users.epoch = grants.epoch AND users.status = 'active' AND (grants.offline OR (",
            $crate::session::session_alive!(),
            "))"
        )
    };
}
pub(crate) use grant_alive;

/// The tables that a live grant depends on, to be joined to `grants`.
macro_rules! grant_tables {
    () => {
        "JOIN users ON users.id = grants.user_id LEFT JOIN sessions ON sessions.id = grants.session_id"
    };
}
pub(crate) use grant_tables;

/// Columns of [`LiveGrant`], beside [`grant_tables`] and `sign_ins`.
macro_rules! grant_columns {
    () => {
        concat!(
            "grants.id AS grant_id, grants.client_id, grants.scopes, grants.sid, grants.user_id, grants.sign_in_id, \
             grants.epoch, users.subject, users.pairwise_seed, ",
            $crate::sign_in::steps_columns!()
        )
    };
}
pub(crate) use grant_columns;

/// Reads a live grant with its person.
pub async fn live_with_user(
    sql: &mut impl Sql,
    id: GrantId,
    limits: SessionLimits,
) -> Result<Option<LiveGrantWithUser>> {
    sql.q(concat!(
        "SELECT ",
        grant_columns!(),
        ", users.email, users.email_verified, users.name, users.claims, users.updated_at FROM grants ",
        grant_tables!(),
        " JOIN sign_ins ON sign_ins.id = grants.sign_in_id WHERE grants.id = $1 AND ",
        grant_alive!()
    ))
    .bind(id)
    .bind(limits.now)
    .bind(limits.created_after)
    .fetch_optional()
    .await
}

/// Ends a grant: its codes and tokens are invalid from now on. Only one caller gets true.
pub async fn end(sql: &mut impl Sql, id: GrantId, now: Timestamp) -> Result<bool> {
    let rows = sql
        .q("UPDATE grants SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Ends the offline grants of a person, which do not end with a session.
pub async fn end_offline(sql: &mut impl Sql, user: UserId, now: Timestamp) -> Result<()> {
    sql.q("UPDATE grants SET ended_at = $2 WHERE user_id = $1 AND offline AND ended_at IS NULL")
        .bind(user)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// A grant as the check for unproven ones reads it.
#[derive(Clone, Debug, FromRow)]
pub struct CheckedGrant {
    /// Id.
    pub id: GrantId,
    /// Whether the steps of its sign-in are missing.
    pub unproven: bool,
}

/// The next `limit` grants after `after`, by id, each with whether it lacks its proof: a sign-in of the same person and
/// epoch with two completed steps, neither of them more than `slack` milliseconds later than the grant.
pub async fn check_proofs(
    sql: &mut impl Sql,
    after: Option<GrantId>,
    limit: i64,
    slack: i64,
) -> Result<Vec<CheckedGrant>> {
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
        .bind(limit)
        .bind(slack)
        .fetch_all()
        .await
}

/// Which grants are swept: those that end with their session by when they were made, offline ones by their own end.
#[derive(Clone, Copy, Debug)]
pub struct GrantSweep {
    /// No session of a grant that was made before this can be alive.
    pub created_before: Timestamp,
    /// An offline grant that ended or expired before this is swept.
    pub ended_before: Timestamp,
}

/// Deletes up to `limit` of these grants, and their codes with them; returns how many.
pub async fn sweep(sql: &mut impl Sql, sweep: GrantSweep, limit: i64) -> Result<u64> {
    sql.q("DELETE FROM grants WHERE id IN
           (SELECT id FROM grants WHERE NOT offline AND id < $1 AND created_at < $2
            UNION ALL SELECT id FROM grants WHERE offline AND ended_at < $3
            UNION ALL SELECT id FROM grants WHERE offline AND expires_at < $3
            LIMIT $4)")
        .bind(GrantId::new(sweep.created_before, [0; 10]))
        .bind(sweep.created_before)
        .bind(sweep.ended_before)
        .bind(limit)
        .execute()
        .await
}
