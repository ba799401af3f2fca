//! Persons: end-users with an account.

use std::borrow::Cow;

use sqlx::FromRow;
use uuid::Uuid;

use crate::{
    Result, Sql, Timestamp, UserId,
    left_join::{LeftJoined, OptionalRow},
    second_steps::SecondSteps,
    throttle::ThrottleKind,
};

/// A person's row.
#[derive(Clone, Debug, FromRow)]
pub struct User {
    /// Id; clients do not see it.
    pub id: UserId,
    /// `sub` for first-party clients.
    pub subject: String,
    /// Input of `sub` for all other clients.
    pub pairwise_seed: String,
    /// User handle of passkeys: a random UUID (version 4), which contains nothing about the person (WebAuthn, section
    /// 5.4.3).
    pub user_handle: Uuid,
    /// The status of the account; only one with [`STATUS_ACTIVE`] may be used.
    pub status: String,
    /// The address as its owner writes it, for mail. A person without one gets no mail.
    pub email: Option<String>,
    /// The address in canonical form, for look-ups. Neither exists without the other.
    pub email_canonical: Option<String>,
    /// Whether the person has proven control of the mailbox.
    pub email_verified: bool,
    /// Full name.
    pub name: String,
    /// JSON object of further standard claims (OpenID Connect Core 1.0, section 5.1).
    pub claims: String,
    /// Counts forced resets: sessions and grants of another value are dead.
    pub epoch: i64,
    /// When the last forced reset was; only displayed.
    pub tokens_invalid_before: Option<Timestamp>,
    /// Set while the next sign-in must change the password.
    pub password_change_required_since: Option<Timestamp>,
    /// Last change of the row.
    pub updated_at: Timestamp,
    /// Creation of the row.
    pub created_at: Timestamp,
    /// The language in which the person last signed in (BCP 47).
    pub language: Option<String>,
}

/// Columns of [`User`].
macro_rules! user_columns {
    () => {
        "users.id, users.subject, users.pairwise_seed, users.user_handle, users.status, users.email, \
         users.email_canonical, users.email_verified, users.name, users.claims, users.epoch, users.tokens_invalid_before, \
         users.password_change_required_since, users.updated_at, users.created_at, users.language"
    };
}
pub(crate) use user_columns;

/// The status of an account that may be used. With any other value, also an unknown one, nothing is issued, and what was
/// issued is dead: every statement that compares `epoch` also requires this status.
pub const STATUS_ACTIVE: &str = "active";

impl User {
    /// Whether the account may be used.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == STATUS_ACTIVE
    }

    /// The name of a person's counters: the canonical address, so that known and unknown addresses cost the same, or the id
    /// without one. No address looks like an id.
    #[must_use]
    pub fn counter_name(&self) -> Cow<'_, str> {
        match &self.email_canonical {
            Some(canonical) => Cow::Borrowed(canonical),
            None => Cow::Owned(self.id.to_string()),
        }
    }
}

/// A person as the password step needs them, read in one statement, so that known and unknown addresses cost the same.
#[derive(Clone, Debug, FromRow)]
pub struct UserWithPassword {
    /// The person.
    #[sqlx(flatten)]
    pub user: User,
    /// Hash in PHC form, if a password was ever set.
    pub phc: Option<String>,
    /// Counts changes of the password.
    pub password_version: Option<i64>,
    /// The second steps that the person can be asked for.
    #[sqlx(flatten)]
    pub second_steps: SecondSteps,
}

/// Columns of [`UserWithPassword`].
macro_rules! with_password_columns {
    () => {
        concat!(
            $crate::user::user_columns!(),
            ", passwords.phc, passwords.version AS password_version, ",
            $crate::second_steps::second_steps_columns!()
        )
    };
}
pub(crate) use with_password_columns;

/// Looks a person up by canonical address.
pub async fn by_email(sql: &mut impl Sql, canonical: &str) -> Result<Option<User>> {
    sql.q(concat!("SELECT ", user_columns!(), " FROM users WHERE users.email_canonical = $1"))
        .bind(canonical)
        .fetch_optional()
        .await
}

impl LeftJoined for UserWithPassword {
    const KEY: &'static str = "id";
}

/// What is read for an address before a password is compared, whether it is a person's or not.
#[derive(Clone, Debug, FromRow)]
pub struct AddressLookup {
    #[sqlx(flatten)]
    person: OptionalRow<UserWithPassword>,
    /// When the waits of the requested counters end: nothing is compared before.
    pub waits_until: Option<Timestamp>,
}

impl AddressLookup {
    /// The person, if there is one.
    #[must_use]
    pub const fn person(&self) -> Option<&UserWithPassword> {
        self.person.0.as_ref()
    }
}

/// Looks a person and the stored password up by canonical address, and the waits of two counters: the same statement for
/// known and unknown addresses.
pub async fn look_up_address(
    sql: &mut impl Sql,
    canonical: &str,
    counters: [&[u8]; 2],
    kind: ThrottleKind,
) -> Result<AddressLookup> {
    sql.q(concat!(
        "SELECT ",
        with_password_columns!(),
        ", (SELECT MAX(throttles.next_at) FROM throttles WHERE throttles.key IN ($2, $3) AND throttles.kind = $4) \
         AS waits_until \
         FROM (SELECT 1 AS one) AS address LEFT JOIN users ON users.email_canonical = $1 \
         LEFT JOIN passwords ON passwords.user_id = users.id"
    ))
    .bind(canonical)
    .bind(counters[0].to_vec())
    .bind(counters[1].to_vec())
    .bind(kind.as_str())
    .fetch_one()
    .await
}

/// Looks a person and the stored password up by id.
pub async fn by_id_with_password(
    sql: &mut impl Sql,
    id: UserId,
) -> Result<Option<UserWithPassword>> {
    sql.q(concat!(
        "SELECT ",
        with_password_columns!(),
        " FROM users LEFT JOIN passwords ON passwords.user_id = users.id WHERE users.id = $1"
    ))
    .bind(id)
    .fetch_optional()
    .await
}

/// Looks a person up by id.
pub async fn by_id(sql: &mut impl Sql, id: UserId) -> Result<Option<User>> {
    sql.q(concat!("SELECT ", user_columns!(), " FROM users WHERE users.id = $1"))
        .bind(id)
        .fetch_optional()
        .await
}

/// Adds a person; false when the canonical address is taken: a collision is refused, never merged.
pub async fn insert(sql: &mut impl Sql, user: &User) -> Result<bool> {
    let added = sql
        .q("INSERT INTO users (id, subject, pairwise_seed, user_handle, status, email, email_canonical, email_verified,
                               name, claims, epoch, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) ON CONFLICT (email_canonical) DO NOTHING")
        .bind(user.id)
        .bind(&user.subject)
        .bind(&user.pairwise_seed)
        .bind(user.user_handle)
        .bind(&user.status)
        .bind(&user.email)
        .bind(&user.email_canonical)
        .bind(user.email_verified)
        .bind(&user.name)
        .bind(&user.claims)
        .bind(user.epoch)
        .bind(user.created_at)
        .execute()
        .await?;
    Ok(added == 1)
}

/// What of a person is to be changed: each member is a new value, or none to leave it.
#[derive(Clone, Copy, Debug, Default)]
pub struct UserChange<'a> {
    /// Full name.
    pub name: Option<&'a str>,
    /// The language of mails (BCP 47).
    pub language: Option<&'a str>,
    /// The address in another spelling.
    pub email: Option<&'a str>,
    /// Whether the person has proven control of the mailbox.
    pub email_verified: Option<bool>,
    /// JSON object of further standard claims.
    pub claims: Option<&'a str>,
}

/// Changes a person who still has this canonical address; false if there is none.
pub async fn change(
    sql: &mut impl Sql,
    id: UserId,
    canonical: &str,
    change: &UserChange<'_>,
    now: Timestamp,
) -> Result<bool> {
    let rows = sql
        .q("UPDATE users SET name = COALESCE($3, name), language = COALESCE($4, language),
                             email = COALESCE($5, email), email_verified = COALESCE($6, email_verified),
                             claims = COALESCE($7, claims), updated_at = $8
            WHERE id = $1 AND email_canonical = $2")
        .bind(id)
        .bind(canonical)
        .bind(change.name)
        .bind(change.language)
        .bind(change.email)
        .bind(change.email_verified)
        .bind(change.claims)
        .bind(now)
        .execute()
        .await?;
    Ok(rows == 1)
}

/// Forces a reset: everything made before is dead at once, and the next sign-in must change the password. Returns the new
/// epoch.
pub async fn force_reset(sql: &mut impl Sql, id: UserId, now: Timestamp) -> Result<Option<i64>> {
    let epoch: Option<(i64,)> = sql
        .q("UPDATE users SET epoch = epoch + 1, tokens_invalid_before = $2,
                             password_change_required_since = $2, updated_at = $2
            WHERE id = $1 RETURNING epoch")
        .bind(id)
        .bind(now)
        .fetch_optional()
        .await?;
    Ok(epoch.map(|(epoch,)| epoch))
}

/// Records that the required change of password was made.
pub async fn clear_required_password_change(
    sql: &mut impl Sql,
    id: UserId,
    now: Timestamp,
) -> Result<()> {
    sql.q("UPDATE users SET password_change_required_since = NULL, updated_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// What a sign-in tells of a person.
#[derive(Clone, Copy, Debug)]
pub struct Activity<'a> {
    /// The language of the pages (BCP 47).
    pub language: &'a str,
    /// The method of the second step, if one completes the sign-in.
    pub second: Option<&'a str>,
    /// When.
    pub at: Timestamp,
}

/// Records activity; false when the person is not active or has another epoch. Locks the row until the transaction ends, so
/// that a forced reset or a suspension waits for it or is seen by it.
pub async fn lock_and_touch(
    sql: &mut impl Sql,
    id: UserId,
    epoch: i64,
    seen: Activity<'_>,
) -> Result<bool> {
    let day = seen.at.millis() / 86_400_000;
    let rows = sql
        .q("UPDATE users SET last_active_day = $3, language = $4, last_second = COALESCE($5, last_second)
            WHERE id = $1 AND epoch = $2 AND status = 'active'")
        .bind(id)
        .bind(epoch)
        .bind(day)
        .bind(seen.language)
        .bind(seen.second)
        .execute()
        .await?;
    Ok(rows == 1)
}
